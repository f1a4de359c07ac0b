"""Pictures with odd headers, metadata and profiles: what does not affect the pixels never decides."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cvqn import images
from cvqn.errors import CvqnError
from cvqn.images import READABLE, decode_picture, list_pictures, read_picture, write_picture
from tests.made_pictures import (
    SRGB,
    WIDE,
    bmp,
    chunk,
    exif,
    icc_chunk,
    png,
    profile,
    riff,
    segment,
    srgb_code,
    srgb_curve,
    tiff,
)  # fmt: skip

Y, X = np.mgrid[:24, :32]
COLOUR = np.stack([X * 255 // 31, Y * 255 // 23, (X + Y) * 255 // 54], axis=2).astype(np.uint8)
UPRIGHT = np.rot90(COLOUR, -1)  # of orientation 6
DEEP = (COLOUR.astype(np.uint16) << 8) + np.arange(3, dtype=np.uint16)
ORDERS = pytest.mark.parametrize("order", ["<", ">"])
SIX = (0x0112, 3, [6])
ANCILLARY = [b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"tIME", b"eXIf", b"iCCP", b"acTL", b"fcTL",
             b"bKGD", b"hIST", b"sBIT", b"sPLT", b"caNv", b"prVt"]  # fmt: skip


def encoded(format, picture=COLOUR, **options):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **options)
    return file.getvalue()


def jpeg(*segments, **options):
    plain = encoded("JPEG", quality=95, **options)
    return plain[:2] + b"".join(segments) + plain[2:]


def webp(*chunks, flags=0):
    plain = encoded("WEBP", lossless=True)
    size = struct.pack("<I", 31)[:3] + struct.pack("<I", 23)[:3]
    content = riff(b"VP8X", bytes([flags, 0, 0, 0]) + size) + plain[12:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content


def holds(data, picture=COLOUR):
    return np.array_equal(decode_picture(data, "some.file"), picture)


# depth


@ORDERS
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiffs_of_eight_bits_are_read_and_of_more_refused(order, planar, big, channels):
    shallow, deep = COLOUR[:, :, :channels], DEEP[:, :, :channels]
    if (big, order) != (True, ">"):  # which Pillow does not know; deep ones are refused as such even so
        assert holds(tiff(shallow, order, planar, big=big), np.broadcast_to(shallow, COLOUR.shape))
    for samples in (deep, deep.astype(np.uint32), deep.astype(np.float32)):
        with pytest.raises(CvqnError, match="8 bits"):
            decode_picture(tiff(samples, order, planar, big=big), "some.file")


@ORDERS
@given(kind=st.sampled_from([1, 3, 4, 16]), bits=st.lists(st.integers(1, 32), min_size=1, max_size=5))
@settings(max_examples=40)
def test_no_way_to_write_the_depth_of_a_tiff_hides_it(order, kind, bits):
    data = tiff(DEEP, order, True, extra=[(258, kind, bits)])
    try:
        decode_picture(data, "some.file")
    except CvqnError as error:
        assert ("8 bits" in str(error)) == (max(bits) > 8)  # noqa: PT017
    else:
        assert max(bits) <= 8


@ORDERS
def test_signed_samples_of_a_tiff_are_refused(order):
    with pytest.raises(CvqnError, match="unsigned"):
        decode_picture(tiff(COLOUR[:, :, :1].astype(np.int8), order), "some.file")


@pytest.mark.parametrize(("masks", "widths"), [((0xF800, 0x7E0, 0x1F), (5, 6, 5)), ((0x7C00, 0x3E0, 0x1F), (5, 5, 5))])
@pytest.mark.parametrize("header", [40, 56, 108, 124])
def test_bmps_of_sixteen_bits_a_pixel_are_read(masks, widths, header):
    levels = [
        channel.astype(int) >> (8 - width) for channel, width in zip(np.moveaxis(COLOUR, 2, 0), widths, strict=True)
    ]
    words = sum(level * (mask & -mask) for level, mask in zip(levels, masks, strict=True))
    rows = words[::-1].astype("<u2").tobytes()
    expected = np.stack([level * 255 / (2**width - 1) for level, width in zip(levels, widths, strict=True)], axis=2)
    picture = decode_picture(bmp(rows, 32, 24, 16, masks, header), "some.bmp")
    assert np.abs(picture - expected).max() < 1
    if widths == (5, 5, 5):
        assert np.array_equal(decode_picture(bmp(rows, 32, 24, 16), "some.bmp"), picture)


def test_ten_bits_a_sample_are_refused_in_a_bmp():
    with pytest.raises(CvqnError, match="8 bits"):
        decode_picture(bmp(bytes(32 * 24 * 4), 32, 24, 32, (0x3FF00000, 0xFFC00, 0x3FF)), "some.bmp")


@pytest.mark.parametrize("magic", [b"P2", b"P3", b"P5", b"P6"])
@pytest.mark.parametrize("head", [b"%s 2 2 %d ", b"%s\n# a comment\n2\t2 # 255\n%d\n", b"%s\n#x\r2 2\r#255\r%d\r"])
@pytest.mark.parametrize("largest", [256, 1023, 65535])
def test_deep_ppms_are_refused_however_the_head_is_written(magic, head, largest):
    with pytest.raises(CvqnError, match="8 bits"):
        decode_picture(head % (magic, largest) + b"1 2 3 4 5 6 7 8 9 0 1 2 " * 4, "some.ppm")


def test_deep_jpeg_and_avif_are_refused():
    plain = encoded("JPEG")
    frame = plain.index(b"\xff\xc0")
    with pytest.raises(CvqnError, match="8 bits"):
        decode_picture(plain[: frame + 4] + b"\x0c" + plain[frame + 5 :], "some.jpg")
    plain = encoded("AVIF")
    box = plain.index(b"av1C")
    with pytest.raises(CvqnError, match="8 bits"):
        decode_picture(plain[: box + 6] + bytes([plain[box + 6] | 0x40]) + plain[box + 7 :], "some.avif")


def test_a_second_head_does_not_hide_the_first():
    deep = png(DEEP)
    with pytest.raises(CvqnError, match="two sizes"):
        decode_picture(deep[:33] + png(COLOUR)[8:33] + deep[33:], "some.png")


# metadata


def odd_values():
    numbers = st.sampled_from([2, 3, 4, 5, 7, 8, 9, 10, 12, 0, 14, 99])
    return st.tuples(st.sampled_from([0x010F, 0x011A, 0x011B, 0x0128, 0x0132, 0x8769, 0x8825, 0x9C9C, 0xA005, 0x02BC]),
                     numbers, st.binary(max_size=24))  # fmt: skip


@given(st.lists(odd_values(), max_size=5), st.sampled_from("<>"), st.sampled_from(["jpeg", "png", "webp", "tiff"]))
@settings(max_examples=150)
def test_no_other_tag_keeps_a_picture_from_being_turned(odd, order, format):
    tags = {tag: (tag, kind, values) for tag, kind, values in odd} | {0x0112: SIX}
    tags = [tags[tag] for tag in sorted(tags)]
    if format == "tiff":
        picture = decode_picture(tiff(COLOUR, order, extra=tags), "some.file")
    else:
        data = exif(tags, order)
        made = {"jpeg": jpeg(segment(0xE1, b"Exif\0\0" + data)), "png": png(COLOUR, chunk(b"eXIf", data)),
                "webp": webp(riff(b"EXIF", data), flags=8)}[format]  # fmt: skip
        picture = decode_picture(made, "some.file")
    assert np.abs(picture.astype(int) - UPRIGHT).mean() < (5 if format == "jpeg" else 1e-9)


@ORDERS
@pytest.mark.parametrize(
    "odd", [(0x011A, 10, [-1, 0]), (0x011A, 2, b"72 dpi\0\0"), (0x8769, 4, [8]), (0x8769, 2, b"x" * 9)]
)
def test_reported_oddities(order, odd):
    data = segment(0xE1, b"Exif\0\0" + exif([SIX, odd], order))
    assert decode_picture(jpeg(data), "some.jpg").shape == (32, 24, 3)


@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
@ORDERS
def test_orientation_is_read_from_any_whole_number(kind, order):
    assert holds(png(COLOUR, chunk(b"eXIf", exif([(0x0112, kind, [6])], order))), UPRIGHT)


@given(st.binary(max_size=80), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
@settings(max_examples=100)
def test_exif_that_is_none_is_ignored(rubbish, start):
    orientation_is_absent = b"\x12\x01" not in rubbish and b"\x01\x12" not in rubbish
    for data in (png(COLOUR, chunk(b"eXIf", start + rubbish)), webp(riff(b"EXIF", start + rubbish), flags=8)):
        assert holds(data) or not orientation_is_absent


def test_orientation_in_the_text_of_older_programs():
    hexadecimal = (b"Exif\0\0" + exif([SIX])).hex().encode()
    text = b"\nexif\n%8d\n%s\n" % (len(hexadecimal) // 2, hexadecimal)
    name = b"Raw profile type exif\0"
    assert holds(png(COLOUR, chunk(b"tEXt", name + text)), UPRIGHT)
    assert holds(png(COLOUR, chunk(b"zTXt", name + b"\0" + zlib.compress(text))), UPRIGHT)
    assert holds(png(COLOUR, chunk(b"zTXt", name + b"\0" + zlib.compress(bytes(1 << 25)))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_read_and_turned(orientation):
    tag = Image.Exif()
    tag[0x0112] = orientation
    picture = decode_picture(encoded("AVIF", exif=tag, quality=95), "some.avif")
    turned = {1: COLOUR, 2: COLOUR[:, ::-1], 3: COLOUR[::-1, ::-1], 4: COLOUR[::-1], 5: COLOUR.transpose(1, 0, 2),
              6: UPRIGHT, 7: COLOUR[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(COLOUR)}[orientation]  # fmt: skip
    assert np.abs(picture.astype(int) - turned).mean() < 3


@pytest.mark.parametrize(
    "odd", [exif([SIX, (0x011A, 10, [-1, 0])]), b"MM\0*\xff\xff\xff\xff" + bytes(20), b"rubbish" * 9]
)
def test_an_avif_with_odd_exif_is_read(odd):
    """The file is turned by its own box, and EXIF in it is ignored."""
    maker = b"a maker of cameras with a name of many letters and of so many words that it fills all this room"
    plain = encoded("AVIF", exif=exif([(0x010F, 2, maker), SIX]), quality=95)
    place = plain.index(maker)
    start = max(plain.rfind(mark, 0, place) for mark in (b"II*\0", b"MM\0*"))
    damaged = plain[:start] + odd.ljust(place - start, b"\xff") + plain[start + max(len(odd), place - start) :]
    picture = decode_picture(damaged, "some.avif")
    assert np.abs(picture.astype(int) - UPRIGHT).mean() < 3


@given(
    st.lists(st.tuples(st.sampled_from(ANCILLARY), st.binary(max_size=30), st.integers(0, 1)), max_size=6),
    st.sampled_from(["before", "between", "after"]),
)
@settings(max_examples=200)
def test_no_damaged_ancillary_chunk_of_a_png_decides(chunks, where):
    """With a right checksum, a chunk that does affect the pixels is left out of the draw."""
    spoilt = b"".join(
        chunk(kind, content, wrong or kind in (b"acTL", b"eXIf")) for kind, content, wrong in chunks
    )  # fmt: skip
    assert holds(png(COLOUR, pieces=3, **{where: spoilt}))


@pytest.mark.parametrize(
    "before",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 80_000_000)),
        chunk(b"tEXt", b"Comment\0" + bytes(3_000_000)),
        icc_chunk(profile(srgb_curve, padding=2_000_000)),
        chunk(b"iCCP", b"icc\0\1" + zlib.compress(profile(lambda value: value))),
        chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(1 << 26))),
        chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile(lambda value: value)), wrong=1),
        chunk(b"tEXt", b"Title\0x", wrong=1) * 100,
    ],
    ids=["ztxt", "itxt", "text", "icc", "method", "bomb", "checksum", "many"],
)
def test_big_and_bad_chunks_of_a_png_are_passed_over(before):
    assert holds(png(COLOUR, before))


def test_a_png_may_end_after_its_pixels():
    assert holds(png(COLOUR, end=False))
    assert holds(png(COLOUR, after=chunk(b"tEXt", b"cut")[:9], end=False))
    assert holds(png(COLOUR) + b"rubbish")


@pytest.mark.parametrize("at", [25, 45])  # in the head, in the pixels
def test_a_damaged_critical_chunk_is_an_error_that_says_so(at):
    data = bytearray(png(COLOUR))
    data[at] ^= 8
    with pytest.raises(CvqnError, match=r"some\.png: damaged"):
        decode_picture(bytes(data), "some.png")


def test_chunks_that_pixels_depend_on_are_not_passed_over():
    with pytest.raises(CvqnError, match="XyZw"):
        decode_picture(png(COLOUR, chunk(b"XyZw", b"")), "some.png")
    with pytest.raises(CvqnError, match="checksum"):
        decode_picture(png(COLOUR, chunk(b"tRNS", bytes(6), wrong=1)), "some.png")
    with pytest.raises(CvqnError, match="2 frames"):
        decode_picture(png(COLOUR, chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", bytes(26))), "some.png")


NOTES = [b"", b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"ICC_PROFILE\0\1\1", b"MPF\0II*\0", b"Photoshop 3.0\0008BIM",
         b"Adobe", b"http://ns.adobe.com/xap/1.0/\0<x>"]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0xE0, 0xE1, 0xE2, 0xEC, 0xED, 0xEE, 0xFE]), st.sampled_from(NOTES), st.binary(max_size=9)
        ),
        max_size=5,
    )
)
@settings(max_examples=150)
def test_no_note_in_a_jpeg_decides(notes):
    """A whole note of Adobe has 12 bytes, and says what the colours are."""
    contents = [(marker, start + (rest[:6] if start == b"Adobe" else rest)) for marker, start, rest in notes]
    assert holds(jpeg(*(segment(*content) for content in contents)), decode_picture(jpeg(), "some.jpg"))


def test_a_tiff_with_rubbish_for_a_next_page_is_one_page():
    data = tiff(COLOUR)
    start = struct.unpack("<I", data[4:8])[0]
    place = start + 2 + 12 * struct.unpack("<H", data[start : start + 2])[0]
    for rubbish in (b"\xff\xff\xff\xff", struct.pack("<I", 20), struct.pack("<I", start)):
        assert holds(data[:place] + rubbish + data[place + 4 :])


# profiles


def from_linear(linear, primaries=SRGB):
    """Linear light in some primaries (XYZ at D50) as sRGB 0..255."""
    return srgb_code(linear @ np.array(primaries) @ np.linalg.inv(np.array(SRGB)))


CURVES = {
    "linear": (lambda value: value, SRGB),
    "prophoto": (lambda value: value**1.8, WIDE),
    "wide": (srgb_curve, WIDE),
    "gamma 2.2": (lambda value: value**2.2, SRGB),
}


def with_profile(format, icc):
    if format == "png":
        return png(COLOUR, icc_chunk(icc))
    if format == "webp":
        return webp(riff(b"ICCP", icc), flags=32)
    if format == "tiff":
        return tiff(COLOUR, extra=[(34675, 7, icc)])
    second, first = b"ICC_PROFILE\0\2\2" + icc[900:], b"ICC_PROFILE\0\1\2" + icc[:900]
    return jpeg(segment(0xE2, second), segment(0xE2, first))


@pytest.mark.parametrize("name", ["linear", "sRGB-elle-V2-g10.icc", "sRGB IEC61966-2.1"])
@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff"])
def test_a_profile_is_judged_by_what_it_contains(name, kind, format):
    curve, primaries = CURVES[kind]
    data = with_profile(format, profile(curve, primaries, name))
    stored = decode_picture(jpeg(), "some.jpg") if format == "jpeg" else COLOUR
    difference = np.abs(decode_picture(data, "some.file") - from_linear(curve(stored / 255), primaries))
    assert difference.mean() < 1
    assert difference.max() < 8  # eight bits of the darkest, which a steep curve spreads


@pytest.mark.parametrize("points", [26, 256, 4096])
@pytest.mark.parametrize("name", ["sRGB IEC61966-2.1", "c2", "Display"])
def test_what_contains_srgb_is_left_as_it_is(points, name):
    assert holds(png(COLOUR, icc_chunk(profile(srgb_curve, SRGB, name, points))))


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_a_grey_profile_counts_with_alpha_as_without(gamma):
    grey, opaque = COLOUR[:, :, :1], np.full((24, 32, 1), 255, np.uint8)
    icc = icc_chunk(profile(lambda value: value**gamma, None))
    plain = decode_picture(png(grey, icc), "some.png")
    assert np.array_equal(decode_picture(png(np.concatenate([grey, opaque], axis=2), icc), "some.png"), plain)
    assert np.abs(plain - srgb_code((grey / 255) ** gamma)).mean() < 1
    assert holds(png(grey, icc_chunk(profile(srgb_curve, None))), np.broadcast_to(grey, COLOUR.shape))


def test_a_profile_for_other_pixels_is_ignored_and_one_of_rgb_holds_for_grey():
    grey = np.ascontiguousarray(np.broadcast_to(COLOUR[:, :, :1], COLOUR.shape))
    linear = icc_chunk(profile(lambda value: value))
    assert holds(png(COLOUR, icc_chunk(profile(lambda value: value, None))))
    assert holds(png(grey[:, :, :1], linear), decode_picture(png(grey, linear), "some.png"))


@given(st.data())
@settings(max_examples=100)
def test_a_damaged_profile_never_keeps_a_picture_from_being_read(data):
    icc = bytearray(profile(lambda value: value, points=16))
    for _ in range(data.draw(st.integers(1, 8))):
        icc[data.draw(st.integers(0, len(icc) - 1))] = data.draw(st.integers(0, 255))
    icc = bytes(icc[: data.draw(st.integers(0, len(icc)))])
    assert decode_picture(png(COLOUR, icc_chunk(icc)), "some.png").shape == COLOUR.shape


def test_an_avif_of_other_primaries_is_refused():
    plain = encoded("AVIF")
    place = plain.index(b"nclx") + 4
    for primaries, curve in ((9, 16), (12, 13), (1, 18)):
        with pytest.raises(CvqnError, match=f"{primaries}/{curve}"):
            decode_picture(plain[:place] + struct.pack(">HH", primaries, curve) + plain[place + 4 :], "some.avif")


# bounds, arguments, folders


def test_a_small_file_that_claims_many_pixels_takes_little_memory():
    size = struct.pack("<I", 16383)[:3] * 2
    claim = b"RIFF" + struct.pack("<I", 22) + b"WEBP" + riff(b"VP8X", bytes(4) + size)
    with pytest.raises(CvqnError, match="16384x16384 is larger"):
        decode_picture(claim, "some.webp")


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_files_of_endless_parts_are_refused(format):
    many = 200_000
    data = {
        "jpeg": lambda: jpeg(segment(0xFE, b"") * many),
        "webp": lambda: webp(riff(b"junk", b"") * many),
        "avif": lambda: encoded("AVIF") + b"\0\0\0\x08free" * many,
    }[format]()
    with pytest.raises(CvqnError, match="more parts"):
        decode_picture(data, "some.file")


def test_what_cannot_be_wound_back_is_read_to_a_limit(tmp_path, monkeypatch):
    for limit, error in ((1 << 20, None), (100, "through a pipe")):
        monkeypatch.setattr(images, "LARGEST_PIPE", limit)
        reading, writing = os.pipe()
        os.write(writing, png(COLOUR))
        os.close(writing)
        with open(reading, "rb") as file:
            if error:
                with pytest.raises(CvqnError, match=error):
                    decode_picture(file, "some.pipe")
            else:
                assert np.array_equal(decode_picture(file, "some.pipe"), COLOUR)


@pytest.mark.parametrize("wrong", [
    COLOUR.astype(np.float32), COLOUR.astype(np.uint16), COLOUR > 9, COLOUR[:, :, 0], COLOUR[:, :, :1], COLOUR[:0],
    COLOUR[:, :0], COLOUR[None], COLOUR.tolist(), None,
])  # fmt: skip
def test_only_pictures_are_written(tmp_path, wrong):
    with pytest.raises(ValueError, match="uint8"):
        write_picture(tmp_path / "picture.png", wrong)
    assert not list(tmp_path.iterdir())


FOREIGN = {".heic", ".heif", ".hif", ".jxl"}


def test_the_suffixes_are_those_that_pillow_and_the_optional_libraries_read():
    Image.init()
    formats = ("PNG", "JPEG", "PPM", "BMP", "TIFF", "WEBP", "AVIF")
    assert FOREIGN < READABLE
    known = {suffix for suffix, format in Image.registered_extensions().items() if format in formats}
    assert known - {".apng", ".pfm", ".avifs"} == READABLE - FOREIGN  # those hold several frames, or floats


def test_pictures_of_a_folder_are_found_by_any_suffix(tmp_path):
    for name in ("a.jfif", "b.PNM", "c.Jpe", "d.AVIF", "._e.jpg", "f.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in list_pictures(tmp_path)] == ["a.jfif", "b.PNM", "c.Jpe", "d.AVIF"]


def test_a_picture_is_writable_and_shared_with_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(png(COLOUR, chunk(b"eXIf", exif([SIX]))))
    picture = read_picture(tmp_path / "a.png")
    assert picture.flags.writeable
    assert picture.flags.c_contiguous
    assert picture.flags.owndata
