"""Pictures of every format that is read, some of them with sizes that they do not have."""

import io
import re
import struct
import zlib
from pathlib import Path
from random import Random

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image

from cvqn.images import read_picture
from tests.fuzz.mutations import of_bytes
from tests.made_pictures import WIDE, bmp, chunk, exif, icc_chunk, png, profile, segment, tiff

SIDES = (0, 1, 2, 31, 33, 4096, 11585, 16383, 16384, 32767, 65500, 65535)
LONGER = (*SIDES, 1 << 16, 1 << 20, (1 << 24) - 1, 1 << 27, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)


class Picture:
    """Of damaged PNG chunks the checksums are made to fit again, or not; the first cases are the files themselves."""

    def __init__(self, folder: Path):
        self.files = made_pictures()

    def write(self, random: Random, folder: Path) -> None:
        data = random.choice(self.files)
        match random.randrange(8):
            case 0:
                pass
            case 1 | 2:
                data = with_other_size(random, data)
            case _:
                data = of_bytes(random, data, random.choice(self.files))
        if data.startswith(b"\x89PNG") and random.random() < 0.7:
            data = with_chunk_checksums(data)
        (folder / "x.png").write_bytes(data)

    def read(self, folder: Path) -> None:
        picture = read_picture(folder / "x.png")
        assert picture.dtype == np.uint8
        assert picture.ndim == picture.shape[2] == 3
        assert picture.size > 0


def with_other_size(random: Random, data: bytes) -> bytes:
    """A picture whose header claims another width or height, or both, than its pixels have."""
    fields = list(size_fields(data))
    damaged = bytearray(data)
    for start, form, bits in random.sample(fields, random.randint(1, len(fields))):
        (before,) = struct.unpack_from(form, data, start)
        side = random.choice(LONGER if struct.calcsize(form) > 2 else SIDES) & ((1 << bits) - 1)
        struct.pack_into(form, damaged, start, (before & ~((1 << bits) - 1)) | side)
    if data.startswith((b"P3", b"P4", b"P6")):
        numbers = b" ".join(str(random.choice(LONGER)).encode() for _ in range(2))
        return data[:2] + re.sub(rb"^\s\d+\s+\d+", b" " + numbers, data[2:], count=1)
    return bytes(damaged)


def size_fields(data: bytes) -> list[tuple[int, str, int]]:
    """Where a picture says its width and height: place, how it is packed, and how many bits of that are the side."""
    if data.startswith(b"\x89PNG"):
        return [(16, ">I", 32), (20, ">I", 32)]
    if data.startswith(b"BM"):
        return [(18, "<I", 32), (22, "<I", 32)]
    if data.startswith(b"\xff\xd8"):
        frame = re.search(rb"\xff[\xc0-\xc2]\x00\x11\x08", data).start()
        return [(frame + 5, ">H", 16), (frame + 7, ">H", 16)]
    if data.startswith((b"II", b"MM")):
        return _of_tiff(data)
    if data[8:12] == b"WEBP":
        forms = {b"VP8X": ((12, "<I", 24), (15, "<I", 24)), b"VP8 ": ((14, "<H", 14), (16, "<H", 14)),
                 b"VP8L": ((9, "<H", 14),)}  # fmt: skip
        return [
            (match.start() + start, form, bits)
            for match in re.finditer(rb"VP8[XL ]", data)
            for start, form, bits in forms[match[0]]
        ]
    boxes = [match.start() for match in re.finditer(rb"ispe", data)]
    return [(box + start, ">I", 32) for box in boxes for start in (8, 12)] or [(0, ">B", 0)]


def _of_tiff(data: bytes) -> list[tuple[int, str, int]]:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    found = []
    for entry in range(count):
        place = start + (8 + 20 * entry if big else 2 + 12 * entry)
        tag, kind = struct.unpack_from(order + "HH", data, place)
        if tag in (256, 257, 278) and kind in (3, 4):  # width, height, rows of a strip
            found.append((place + (12 if big else 8), order + ("H" if kind == 3 else "I"), 16 if kind == 3 else 32))
    return found


def made_pictures() -> list[bytes]:
    """Small pictures of every format, with the metadata and the oddities that were reported."""
    y, x = np.mgrid[:24, :32]
    colour = np.stack([x * 8, y * 10, (x + y) * 4], axis=2).astype(np.uint8)
    grey, alpha = colour[:, :, :1], np.full((24, 32, 1), 255, np.uint8)
    deep = colour.astype(np.uint16) << 8
    odd = exif([(0x0112, 3, [6]), (0x011A, 10, [-1, 0]), (0x9C9C, 2, b"text")])
    linear = profile(lambda value: value, name="sRGB-elle-V2-g10.icc")
    of_grey = icc_chunk(profile(lambda value: value, None))

    def encoded(format: str, **options: object) -> bytes:
        file = io.BytesIO()
        Image.fromarray(colour).save(file, format, **options)
        return file.getvalue()

    heic = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(colour)).save(heic, format="HEIF", quality=60, exif=b"Exif\0\0" + odd)
    jpeg = encoded("JPEG", exif=b"Exif\0\0" + odd, icc_profile=linear)
    palette = io.BytesIO()
    Image.fromarray(colour).quantize(16).save(palette, "PNG")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 16))) + chunk(b"tEXt", b"a\0b", wrong=1)
    wide = icc_chunk(profile(lambda value: value**2.2, WIDE, padding=4096))
    other_method = chunk(b"iCCP", b"icc\0\1" + zlib.compress(linear))
    return [
        png(colour), png(grey), png(np.concatenate([grey, alpha], 2)), png(np.concatenate([colour, alpha], 2)),
        png(deep), png(colour, icc_chunk(linear)), png(colour, wide), palette.getvalue(), png(colour, text),
        png(grey, of_grey), png(np.concatenate([grey, alpha], 2), of_grey), png(colour, other_method),
        png(colour, chunk(b"eXIf", odd), pieces=3),
        jpeg, jpeg[:2] + segment(0xE1, odd) + jpeg[2:], encoded("JPEG", progressive=True, subsampling=0),
        tiff(colour), tiff(colour, ">", True), tiff(deep, "<", True), tiff(deep, ">", True), tiff(colour, big=True),
        tiff(grey, extra=[(0x0112, 3, [5])]), encoded("TIFF", compression="tiff_lzw"),
        encoded("TIFF", compression="tiff_deflate"), encoded("TIFF", compression="jpeg"),
        encoded("BMP"), bmp(bytes(64 * 24), 32, 24, 16, (0xF800, 0x7E0, 0x1F)),
        encoded("PPM"), b"P3 2 1 255 1 2 3 4 5 6", b"P4 8 1 \x55",
        encoded("WEBP", lossless=True), encoded("WEBP", lossless=True, exif=odd), encoded("WEBP", quality=50),
        encoded("WEBP", quality=50, icc_profile=linear), encoded("AVIF", exif=exif([(0x0112, 3, [6])])),
        heic.getvalue(), imagecodecs.jpegxl_encode(colour, distance=2), imagecodecs.jpegxl_encode(deep, lossless=True),
        imagecodecs.jpegxl_encode(np.concatenate([colour, alpha], 2), usecontainer=True),
    ]  # fmt: skip


def with_chunk_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what is in them, as far as it can be followed."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        if place + 12 + length > len(data):
            break
        body = data[place + 4 : place + 8 + length]
        parts.append(data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body)))
        place += 12 + length
    return b"".join(parts) + data[place:]
