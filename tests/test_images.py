import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage import data as skimage_data

from cvqn import images
from cvqn.errors import CvqnError
from cvqn.images import decode_picture, list_pictures, read_picture, write_picture, write_png

COLOUR = np.random.default_rng(0).integers(0, 256, (11, 17, 3), np.uint8)
GREY = COLOUR[:, :, 0]
PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))


@pytest.fixture
def save(tmp_path):
    """Save a Pillow image and return the path."""

    def save(image: Image.Image, name: str = "picture.png", **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def test_grey_is_repeated(save):
    assert np.array_equal(read_picture(save(Image.fromarray(GREY))), np.stack([GREY] * 3, axis=2))


def test_one_bit_is_black_and_white(save):
    bits = GREY > 127
    expected = np.stack([bits * np.uint8(255)] * 3, axis=2)
    assert np.array_equal(read_picture(save(Image.fromarray(bits))), expected)


def test_palette_becomes_its_colours(save):
    palette = COLOUR.reshape(-1, 3)[:100]
    indices = GREY % 100
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.tobytes())
    assert np.array_equal(read_picture(save(image)), palette[indices])


@pytest.mark.parametrize("pixels", [COLOUR, GREY[:, :, None]])
def test_opaque_alpha_is_dropped(save, pixels):
    image = Image.fromarray(np.concatenate([pixels, np.full_like(pixels[:, :, :1], 255)], axis=2))
    assert np.array_equal(read_picture(save(image)), np.broadcast_to(pixels, COLOUR.shape))


def test_transparency_is_refused(save):
    alpha = np.full_like(COLOUR[:, :, :1], 255)
    alpha[3, 4] = 254
    with pytest.raises(CvqnError, match=r"picture.png.*transparent"):
        read_picture(save(Image.fromarray(np.concatenate([COLOUR, alpha], axis=2))))
    with pytest.raises(CvqnError, match="transparent"):
        read_picture(save(Image.fromarray(GREY), "key.png", transparency=int(GREY[0, 0])))


@pytest.mark.parametrize("channels", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("suffix", ["png", "tif", "ppm"])
def test_sixteen_bits_are_refused(tmp_path, suffix, channels):
    deep = np.ascontiguousarray(COLOUR[:, :, channels].squeeze()).astype(np.uint16) * 257
    if suffix == "ppm":
        head = f"P{6 if deep.ndim == 3 else 5}\n17 11\n65535\n".encode()
        encoded = head + deep.astype(">u2").tobytes()
    else:
        encoded = {"png": imagecodecs.png_encode, "tif": imagecodecs.tiff_encode}[suffix](deep)
    (tmp_path / f"deep.{suffix}").write_bytes(encoded)
    with pytest.raises(CvqnError, match=f"deep.{suffix}.*8 bits"):
        read_picture(tmp_path / f"deep.{suffix}")


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "ink.jpg"), ("F", "float.tif"), ("LAB", "lab.tif")])
def test_other_kinds_of_pixels_are_refused(save, mode, name):
    image = Image.new(mode, (4, 4))
    with pytest.raises(CvqnError, match=name):
        read_picture(save(image, name))


def test_several_frames_are_refused(save):
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    for name in ("animated.png", "pages.tif"):
        with pytest.raises(CvqnError, match=f"{name}.*2 frames"):
            read_picture(save(frames[0], name, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, COLOUR),
        (2, COLOUR[:, ::-1]),
        (3, COLOUR[::-1, ::-1]),
        (4, COLOUR[::-1]),
        (5, COLOUR.transpose(1, 0, 2)),
        (6, np.rot90(COLOUR)),  # to be turned 90 degrees clockwise for display
        (7, COLOUR.transpose(1, 0, 2)[::-1, ::-1]),
        (8, np.rot90(COLOUR, -1)),
    ],
)
@pytest.mark.parametrize("name", ["turned.png", "turned.tif"])
def test_exif_orientation_is_applied(save, orientation, stored, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(np.ascontiguousarray(stored)), name, exif=exif)
    assert np.array_equal(read_picture(path), COLOUR)


def test_another_profile_is_converted_to_srgb():
    """Adobe RGB (1998) against its definition: gamma 563/256 and its primaries (D65), then IEC 61966-2-1."""
    adobe = skimage_data.rocket()
    with Image.open(_packaged("rocket.jpg")) as image:
        assert b"Adobe RGB" in image.info["icc_profile"]
    to_xyz = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    from_xyz = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    linear = np.clip((adobe / 255) ** (563 / 256) @ np.array(to_xyz).T @ np.array(from_xyz).T, 0, 1)
    srgb = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    difference = np.abs(read_picture(_packaged("rocket.jpg")) - srgb)
    assert np.mean(difference) < 1
    assert np.quantile(difference, 0.999) < 4


def test_srgb_profiles_change_nothing():
    with Image.open(_packaged("astronaut.png")) as image:
        assert b"sRGB" in image.info["icc_profile"]
        assert np.array_equal(read_picture(_packaged("astronaut.png")), np.asarray(image))


def test_a_profile_that_is_none_is_ignored(save):
    path = save(Image.fromarray(COLOUR), icc_profile=b"not a profile" * 20)
    assert np.array_equal(read_picture(path), COLOUR)


def test_a_bomb_is_refused(tmp_path):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    for side in (12_000, 60_000):  # beyond the limit here, and beyond Pillow's own
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
        (tmp_path / "bomb.png").write_bytes(png + chunk(b"IEND", b""))
        with pytest.raises(CvqnError, match=r"bomb.png.*134,217,728 pixels"):
            read_picture(tmp_path / "bomb.png")


def test_a_hundred_megapixels_are_allowed():
    assert images.LARGEST_PICTURE >= 100_000_000


def test_strips_join_without_a_seam(save, monkeypatch):
    monkeypatch.setattr(images, "_STRIP", 4)
    assert np.array_equal(read_picture(save(Image.fromarray(COLOUR))), COLOUR)
    assert np.array_equal(read_picture(save(Image.fromarray(GREY)))[:, :, 1], GREY)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(CvqnError, match=r"text.png.*not a picture"):
        read_picture(tmp_path / "text.png")
    with pytest.raises(CvqnError, match=r"absent.png.*No such file"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(CvqnError, match="Is a directory"):
        read_picture(tmp_path)


@given(st.data(), st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM"]))
@settings(max_examples=150)
def test_damage_gives_a_named_error_or_a_picture(data, format):
    encoded = bytearray(_encoded(format))
    if data.draw(st.booleans()):
        del encoded[data.draw(st.integers(0, len(encoded) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = decode_picture(bytes(encoded), "some.file")
    except CvqnError as error:
        message = str(error)
        assert message.startswith("some.file: ")
    else:
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF", "PPM"])
def test_truncation_is_an_error(format):
    encoded = _encoded(format)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(CvqnError, match=r"some.file"):
            decode_picture(encoded[: int(share * len(encoded))], "some.file")


@given(PICTURES, st.sampled_from([".png", ".ppm", ".bmp", ".tif", ".TIFF"]))
@settings(max_examples=40)
def test_what_is_written_is_read_again(tmp_path_factory, picture, suffix):
    path = tmp_path_factory.mktemp("written") / f"picture{suffix}"
    write_picture(path, picture)
    assert np.array_equal(read_picture(path), picture)
    assert read_picture(path).flags.writeable


def test_writing_leaves_nothing_by_halves(tmp_path):
    write_png(tmp_path / "picture.png", COLOUR)
    before = (tmp_path / "picture.png").read_bytes()
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "picture.png", COLOUR.astype(float))
    with pytest.raises(CvqnError, match=r"picture.jpg.*\.png"):
        write_picture(tmp_path / "picture.jpg", COLOUR)
    (tmp_path / "file").touch()
    with pytest.raises(CvqnError, match=r"file/picture.png"):
        write_png(tmp_path / "file" / "picture.png", COLOUR)
    assert (tmp_path / "picture.png").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", "file"}


def test_pictures_of_a_folder(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_pictures(tmp_path)] == ["a.png", "b.JPG"]
    with pytest.raises(CvqnError, match="holds no picture"):
        list_pictures(tmp_path / "folder.png")
    with pytest.raises(CvqnError, match="not a folder"):
        list_pictures(tmp_path / "a.png")


def _encoded(format: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(skimage_data.chelsea()[:40, :56]).save(file, format)
    return file.getvalue()


def _packaged(name: str) -> str:
    return f"{skimage_data.__path__[0]}/{name}"
