"""Conversions that lose something, done where they are asked for; HEIC and JPEG XL."""

import io
import sys
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from cvqn.errors import CvqnError
from cvqn.images import Conversions, decode_picture
from tests.made_pictures import SRGB, WIDE, profile, srgb_code, srgb_curve, tiff

RNG = np.random.default_rng(5)
DEEP = np.kron(RNG.integers(0, 65536, (4, 5, 4)), np.ones((16, 16, 1), int)).astype(np.uint16)
SHALLOW = (DEEP >> 8).astype(np.uint8)
COLOUR = SHALLOW[:, :, :3]
BACKGROUND = (250, 3, 120)


def read(data: bytes, **options) -> tuple[np.ndarray, list[str]]:
    """The picture in the bytes of a file, and the notices that were given."""
    notices = []
    return decode_picture(data, "some.picture", Conversions(**options, notice=notices.append)), notices


def saved(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def heic(pixels: np.ndarray, mode: str, **options) -> bytes:
    file = io.BytesIO()
    pillow_heif.encode(mode, pixels.shape[1::-1], pixels.tobytes(), file, quality=100, chroma=444, **options)
    return file.getvalue()


def deep_jxl(pixels: np.ndarray, bits: int) -> bytes:
    """A lossless JPEG XL of 80x64 pixels whose deep samples are marked as sRGB; imagecodecs marks them as linear."""
    data = imagecodecs.jpegxl_encode(pixels, lossless=True, bitspersample=bits)
    place = 8 * data.index(b"\xff\x0a") + (51 if bits == 16 else 45)  # depths of 10 and 12 take 6 bits fewer
    value = int.from_bytes(data, "little")
    assert value >> place & 15 == 6  # 8 - 2: linear
    return (value ^ (6 ^ 11) << place).to_bytes(len(data), "little")  # 13 - 2: sRGB


def png(pixels):
    return imagecodecs.png_encode(np.ascontiguousarray(pixels))


def over(pixels, alpha, background=BACKGROUND):
    """The weighted mean in floating point."""
    weight = alpha[:, :, None] / 255
    return pixels * weight + np.array(background) * (1 - weight)


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (lambda: png(SHALLOW), over(COLOUR, SHALLOW[:, :, 3])),
        (lambda: png(SHALLOW[:, :, 2:]), over(SHALLOW[:, :, 2:3], SHALLOW[:, :, 3])),
        (
            lambda: saved(Image.fromarray(COLOUR), "PNG", transparency=tuple(map(int, COLOUR[0, 0]))),
            over(COLOUR, 255 - 255 * (COLOUR[0, 0] == COLOUR).all(axis=2)),
        ),
        (
            lambda: saved(Image.fromarray(COLOUR[:, :, 0]), "PNG", transparency=int(COLOUR[0, 0, 0])),
            over(COLOUR[:, :, :1], 255 - 255 * (COLOUR[:, :, 0] == COLOUR[0, 0, 0])),
        ),
        (lambda: saved(Image.fromarray(SHALLOW), "WEBP", lossless=True, exact=True), over(COLOUR, SHALLOW[:, :, 3])),
        (lambda: saved(Image.fromarray(SHALLOW), "TIFF"), over(COLOUR, SHALLOW[:, :, 3])),
        (lambda: imagecodecs.jpegxl_encode(SHALLOW, lossless=True), over(COLOUR, SHALLOW[:, :, 3])),
    ],
    ids=["png", "grey png", "keyed png", "keyed grey png", "webp", "tiff", "jxl"],
)
def test_what_is_transparent_is_laid_on_a_background_where_one_is_named(encoded, expected):
    with pytest.raises(CvqnError, match=r"transparent.*--background"):
        read(encoded())
    picture, notices = read(encoded(), background=BACKGROUND)
    assert np.abs(picture - expected).max() <= 0.5 + 1e-9
    assert len(notices) == 1
    assert "background (250, 3, 120)" in notices[0]


def test_a_palette_with_opacities_is_laid_on_a_background():
    image = Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10), "P")
    palette = RNG.integers(0, 256, (100, 3), np.uint8)
    alpha = RNG.integers(0, 256, 100, np.uint8)
    image.putpalette(palette.tobytes())
    picture, _ = read(saved(image, "PNG", transparency=alpha.tobytes()), background=BACKGROUND)
    assert np.abs(picture - over(palette.reshape(10, 10, 3), alpha.reshape(10, 10))).max() <= 0.5 + 1e-9


def test_the_background_is_srgb_whatever_the_profile_of_the_picture():
    wide = profile(srgb_curve, WIDE)
    clear = SHALLOW.copy()
    clear[:, :, 3] = 0
    picture, _ = read(saved(Image.fromarray(clear), "PNG", icc_profile=wide), background=BACKGROUND)
    assert (picture == BACKGROUND).all()


def test_an_opaque_picture_gives_no_notice():
    opaque = np.dstack([COLOUR, np.full_like(COLOUR[:, :, 0], 255)])
    picture, notices = read(png(opaque), background=BACKGROUND, reduce_depth=True)
    assert np.array_equal(picture, COLOUR)
    assert notices == []


@pytest.mark.parametrize(
    ("format", "channels"), [("png", 1), ("png", 2), ("png", 3), ("png", 4), ("tiff", 1), ("tiff", 3), ("tiff", 4)]
)
def test_the_upper_eight_bits_of_png_and_tiff_are_kept(format, channels):
    deep = np.ascontiguousarray(DEEP[:, :, :channels].squeeze())
    encoded = {"png": imagecodecs.png_encode, "tiff": imagecodecs.tiff_encode}[format](deep)
    with pytest.raises(CvqnError, match=r"8 bits per sample.*--reduce-depth"):
        read(encoded, background=BACKGROUND)
    picture, notices = read(encoded, background=BACKGROUND, reduce_depth=True)
    colours = SHALLOW[:, :, : 1 if channels < 3 else 3]
    expected = over(colours, SHALLOW[:, :, channels - 1]) if channels in (2, 4) else colours
    assert np.abs(picture - expected).max() <= 0.5 + 1e-9
    assert notices[0] == "some.picture: samples of 16 bits reduced to 8"


@pytest.mark.parametrize(("magic", "channels"), [(b"P5", 1), (b"P6", 3), (b"P2", 1), (b"P3", 3)])
@pytest.mark.parametrize("largest", [65535, 1023, 300])
def test_ppms_are_reduced_to_the_nearest_level(magic, channels, largest):
    samples = (DEEP[:, :, :channels].astype(int) % (largest + 1)).astype(">u2")
    text = magic in (b"P2", b"P3")
    content = " ".join(map(str, samples.ravel())).encode() if text else samples.tobytes()
    picture, _ = read(b"%s\n80 64\n%d\n%s" % (magic, largest, content), reduce_depth=True)
    assert np.abs(picture - samples / largest * 255).max() <= 0.51


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_jpeg_xl_is_reduced_to_the_nearest_level(bits):
    samples = DEEP[:, :, :3] >> 16 - bits
    encoded = deep_jxl(samples, bits)
    with pytest.raises(CvqnError, match="8 bits per sample"):
        read(encoded)
    picture, notices = read(encoded, reduce_depth=True)
    assert np.abs(picture - samples / (2**bits - 1) * 255).max() <= 0.5 + 1e-9
    assert f"{bits} bits" in notices[0]


def test_deep_heic_is_reduced():
    encoded = heic(DEEP[:, :, :3].copy(), "RGB;16")
    with pytest.raises(CvqnError, match="8 bits per sample"):
        read(encoded)
    picture, notices = read(encoded, reduce_depth=True)
    assert np.abs(picture - COLOUR.astype(int)).max() <= 4  # HEVC is lossy even so
    assert "10 bits" in notices[0]


@pytest.mark.parametrize("made", ["planar tiff", "float tiff", "keyed png", "int tiff", "float ppm", "inverse tiff"])
def test_deep_samples_in_other_forms_are_refused_even_so(made):
    match made:
        case "planar tiff":
            encoded = tiff(DEEP[:, :, :3], planar=True)
        case "float tiff":
            encoded = imagecodecs.tiff_encode(DEEP[:, :, 0].astype(np.float32))
        case "int tiff":
            encoded = imagecodecs.tiff_encode(DEEP[:, :, 0].astype(np.int16))
        case "inverse tiff":
            encoded = imagecodecs.tiff_encode(DEEP[:, :, 0].copy(), photometric="miniswhite")
        case "keyed png":
            encoded = png(DEEP[:, :, :3])
            key = (6).to_bytes(4, "big") + b"tRNS" + DEEP[0, 0, :3].astype(">u2").tobytes()
            encoded = encoded[:33] + key + zlib.crc32(key[4:]).to_bytes(4, "big") + encoded[33:]
        case "float ppm":
            encoded = b"PF\n80 64\n-1.0\n" + DEEP[:, :, :3].astype("<f4").tobytes()
    with pytest.raises(CvqnError, match=r"more than 8 bits per sample, in a form|damaged"):
        read(encoded, reduce_depth=True, background=BACKGROUND)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "options", [{"usecontainer": False}, {"usecontainer": True}, {"lossless": False, "distance": 0.1}]
)
def test_jpeg_xl_is_read(channels, options):
    pixels = SHALLOW[:, :, :channels].squeeze().copy()
    if channels in (2, 4):
        pixels[:, :, -1] = 255
    picture, notices = read(imagecodecs.jpegxl_encode(pixels, **{"lossless": True} | options))
    error = np.abs(picture - pixels.reshape(64, 80, -1)[:, :, : 1 if channels < 3 else 3].astype(int))
    assert error.max() <= (0 if options.get("lossless", True) else 25)
    assert error.mean() < 2
    assert notices == []


def test_jpeg_xl_with_linear_colours_floats_and_damage_are_refused():
    for pixels, message in (
        (DEEP[:, :, :3].copy(), "not marked as sRGB"),
        (COLOUR / np.float32(255), "not unsigned int"),
    ):
        with pytest.raises(CvqnError, match=message):
            read(imagecodecs.jpegxl_encode(pixels, lossless=True), reduce_depth=True)
    whole = imagecodecs.jpegxl_encode(COLOUR, lossless=True, usecontainer=True)
    for length in (12, 20, 42, 44, 60, len(whole) - 30):
        with pytest.raises(CvqnError, match="damaged"):
            read(whole[:length])


def test_a_jpeg_xl_that_claims_many_pixels_is_refused_before_it_is_decoded():
    data = imagecodecs.jpegxl_encode(COLOUR, lossless=True, usecontainer=False)
    size = 0 | 3 << 1 | (1 << 29) - 1 << 3 | 1 << 33  # no multiples of 8, 30 bits of height, as wide as high
    rest = int.from_bytes(data[2:], "little") >> 9
    data = data[:2] + (size | rest << 36).to_bytes(len(data) + 4, "little")
    with pytest.raises(CvqnError, match=r"536870912x536870912 is larger than 72,[0-9,]+ pixels"):
        read(data)


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_is_read(brand):
    encoded = bytearray(heic(COLOUR, "RGB"))
    encoded[8:12] = brand  # some programs name the family first and HEVC among what follows
    picture, _ = read(bytes(encoded))
    assert picture.shape == (64, 80, 3)
    assert np.abs(picture - COLOUR.astype(int)).max() <= 4


def test_heic_is_converted_by_its_profile_and_transparency_is_refused():
    wide = profile(srgb_curve, WIDE)
    with_profile = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(COLOUR)).save(
        with_profile, quality=100, chroma=444, icc_profile=wide, save_nclx_profile=False
    )
    linear = srgb_curve(COLOUR / 255) @ np.array(WIDE) @ np.linalg.inv(np.array(SRGB))
    assert np.abs(read(with_profile.getvalue())[0] - srgb_code(linear)).mean() < 3
    with pytest.raises(CvqnError, match="transparent"):
        read(heic(SHALLOW, "RGBA"))
    picture, _ = read(heic(SHALLOW, "RGBA"), background=BACKGROUND)
    assert np.abs(picture - over(COLOUR, SHALLOW[:, :, 3])).max() <= 6


def test_several_heic_pictures_and_damage_are_refused():
    both = pillow_heif.from_pillow(Image.fromarray(COLOUR))
    both.add_from_pillow(Image.fromarray(COLOUR[::-1]))
    file = io.BytesIO()
    both.save(file)
    with pytest.raises(CvqnError, match="2 frames"):
        read(file.getvalue())
    whole = heic(COLOUR, "RGB")
    for length in (12, 100, 400, len(whole) - 100):
        with pytest.raises(CvqnError, match=r"damaged|2 frames|not enough"):
            read(whole[:length])


@pytest.mark.parametrize(("module", "package"), [("pillow_heif", "pillow-heif"), ("imagecodecs", "imagecodecs")])
def test_a_format_whose_library_is_missing_names_the_library(monkeypatch, module, package):
    encoded = heic(COLOUR, "RGB") if module == "pillow_heif" else imagecodecs.jpegxl_encode(COLOUR)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CvqnError, match=f"not installed: pip install {package}"):
        read(encoded)


def test_a_limit_on_pixels_holds_for_every_format_before_decoding():
    for encoded in (
        png(COLOUR),
        heic(COLOUR, "RGB"),
        imagecodecs.jpegxl_encode(COLOUR),
        saved(Image.fromarray(COLOUR), "JPEG"),
    ):
        with pytest.raises(CvqnError, match="80x64 is larger than 5,119 pixels"):
            read(encoded, max_pixels=5119)
        assert read(encoded, max_pixels=5120)[0].shape == (64, 80, 3)
