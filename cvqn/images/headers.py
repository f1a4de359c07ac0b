"""What the headers of a picture file say about its pixels, and the file without the parts that do not affect them.

Decoders fail on damaged comments, thumbnails and camera notes, and some silently read deep samples as 8-bit ones.
`examine` parses the headers itself and passes on only the parts that determine the pixels.
"""

import contextlib
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from cvqn.images.jxl import examine_jxl
from cvqn.images.parts import LARGEST_PROFILE, Essence, Part, RefusedError, few, length_of, read_between, splice
from cvqn.images.tiff import examine_tiff, orientation_of

DEFLATED = 1040  # the most bytes that one byte of deflate expands to: 1032, and some room


def examine(file: BinaryIO) -> Essence | None:
    """What the headers of a seekable file say; None if the format is unknown.

    Raises:
        RefusedError: the file is damaged, or of a kind that no decoder here understands.
        struct.error, ValueError, IndexError: the file is damaged.
    """
    file.seek(0)
    start = file.read(16)
    for pattern, reader in _READERS:
        if re.match(pattern, start, re.DOTALL):
            return reader(file)
    return None


# PNG


def _png(file: BinaryIO) -> Essence:
    parts: list[Part] = [(0, 8)]
    extra: dict[bytes, bytes] = {}
    kinds, compressed = set(), 0
    for kind, start, stop in few(_png_chunks(file), 1_000_000):
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"):
            if kind == b"IHDR" and kinds:
                raise RefusedError("damaged (two sizes); replace the file")
            if not _sound(file, start, stop):
                raise RefusedError(f"damaged (checksum of its chunk {kind.decode()}); replace the file")
            parts.append((start, stop))
            compressed += (stop - start - 12) * (kind == b"IDAT")
        elif not kind[0] & 0x20:
            raise RefusedError(f"has an unknown critical chunk {kind!r}; save it as plain PNG")
        elif kind in (b"iCCP", b"eXIf", b"acTL", b"fcTL", b"tEXt", b"zTXt"):
            _png_extra(file, kind, start, stop, b"IDAT" in kinds, extra)
        kinds.add(kind)
    width, height, depth, colour = struct.unpack(">IIBB", read_between(file, 16, 26))
    if b"IDAT" not in kinds or (colour == 3 and b"PLTE" not in kinds):
        raise RefusedError("damaged or truncated; replace the file")
    frames = struct.unpack(">I", extra[b"acTL"][:4])[0] + (b"fcTL" not in extra) if b"acTL" in extra else 1
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    return Essence(
        "PNG", splice(file, parts), depth, frames, (width, height), orientation_of(extra.get(b"eXIf", b"")),
        extra.get(b"iCCP"), whole=8 * DEFLATED * compressed >= width * height * samples * depth,
    )  # fmt: skip


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of every chunk; chunks after the pixels may be missing or cut."""
    place, end, first = 8, length_of(file), True
    while place + 8 <= end:
        length, kind = struct.unpack(">I4s", read_between(file, place, place + 8))
        if first and (kind, length) != (b"IHDR", 13):
            raise RefusedError("damaged (a PNG that does not begin with its size); replace the file")
        stop = place + 12 + length
        if stop > end and kind == b"IDAT":
            raise RefusedError("damaged or truncated; replace the file")
        if stop > end or not kind.isalpha():
            return
        yield kind, place, stop
        if kind == b"IEND":
            return
        place, first = stop, False


def _sound(file: BinaryIO, start: int, stop: int) -> bool:
    checksum = 0
    for place in range(start + 4, stop - 4, 1 << 20):
        checksum = zlib.crc32(read_between(file, place, min(place + (1 << 20), stop - 4)), checksum)
    return checksum == int.from_bytes(read_between(file, stop - 4, stop), "big")


def _png_extra(file: BinaryIO, kind: bytes, start: int, stop: int, late: bool, extra: dict[bytes, bytes]) -> None:
    """Add the content of an ancillary chunk to `extra` if it is sound; the first chunk of a kind counts."""
    if stop - start > LARGEST_PROFILE or kind in extra or not _sound(file, start, stop):
        return
    content = read_between(file, start + 8, stop - 4)
    name, _, rest = content.partition(b"\0")
    if kind == b"iCCP":
        if not late:
            extra[kind] = _inflated(rest[1:]) if rest[:1] == b"\0" else b""
    elif kind in (b"tEXt", b"zTXt"):  # ImageMagick's, from before there was eXIf
        if name in (b"Raw profile type exif", b"Raw profile type APP1"):
            extra[kind] = rest if kind == b"tEXt" else _inflated(rest[1:])
            with contextlib.suppress(ValueError):
                extra.setdefault(b"eXIf", bytes.fromhex(b"".join(extra[kind].split(b"\n")[3:]).decode("ascii")))
    elif kind == b"eXIf" or (not late and len(content) >= 8):
        extra[kind] = content


def _inflated(data: bytes) -> bytes:
    """Decompressed zlib data; empty if they are damaged or longer than any profile."""
    inflater = zlib.decompressobj()
    try:
        unfolded = inflater.decompress(data, LARGEST_PROFILE)
    except zlib.error:
        return b""
    return unfolded if inflater.eof else b""


# JPEG


def _jpeg(file: BinaryIO) -> Essence:
    parts: list[Part] = [(0, 2)]
    bits, size, orientation, pieces = 8, None, 1, {}
    frame, scan, together = b"", 0, b""
    for marker, start, stop in few(_jpeg_segments(file)):
        if not marker:
            continue
        content = b"" if marker == 0xDA else read_between(file, start + 4, stop)
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            orientation = orientation_of(content) if orientation == 1 else orientation
        elif marker == 0xE2 and content.startswith(b"ICC_PROFILE\0") and len(content) > 14:
            pieces.setdefault(content[12], (content[13], content[14:]))
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width = struct.unpack_from(">BHH", content)
            bits, size = max(bits, depth), (width, height)
            frame = bytes([marker]) + content
        elif marker == 0xDA:
            scan, together = stop - start, read_between(file, start + 4, start + 5)
        if _jpeg_decides(marker, content):
            parts.append((start, stop))
    if size is None:
        raise RefusedError("damaged or truncated; replace the file")
    numbers = range(1, len(pieces) + 1)
    whole = pieces and all(pieces.get(number, (0,))[0] == len(pieces) for number in numbers)
    profile = b"".join(pieces[number][1] for number in numbers) if whole else None
    coefficients, least = _jpeg_blocks(frame)
    is_progressive = frame[0] & 3 == 2
    working = coefficients if is_progressive or together < frame[6:7] else 0  # held until the last scan has been read
    return Essence("JPEG", splice(file, parts), bits, 1, size, orientation, profile, working, scan >= least)


def _jpeg_blocks(frame: bytes) -> tuple[int, int]:
    """For the marker and content of a frame: bytes per pixel of all coefficients, and bytes of the shortest scans.

    A block takes at least one bit for its mean and, if a scan holds whole blocks, another for its end. Arithmetic
    coding may take less.
    """
    height, width, count = struct.unpack_from(">HHB", frame, 2)
    factors = [(frame[place] >> 4, frame[place] & 15) for place in range(8, 7 + 3 * count, 3)]
    across, down = (max(sides) for sides in zip(*factors, strict=True))
    blocks = sum(-(-width * h // (8 * across)) * -(-height * v // (8 * down)) for h, v in factors)
    area = sum(h * v for h, v in factors)
    bits = 0 if frame[0] >= 0xC9 else 2 if frame[0] <= 0xC1 else 1
    return -(-2 * area // (across * down)), blocks * bits // 8


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Marker (0 for a byte outside a segment), start and end of every segment; the scan reaches to the file's end."""
    place, end = 2, length_of(file)
    while place + 4 <= end:
        head = read_between(file, place, place + 4)
        if head[0] != 0xFF or head[1] in (0x00, 0xFF):
            yield 0, place, place
            place += 1
        elif head[1] == 0x01 or 0xD0 <= head[1] <= 0xD8:
            place += 2
        elif head[1] == 0xDA:
            yield 0xDA, place, end
            return
        else:
            stop = place + 2 + max(2, int.from_bytes(head[2:], "big"))
            yield head[1], place, min(stop, end)
            place = stop


def _jpeg_decides(marker: int, content: bytes) -> bool:
    """Whether a segment affects the pixels: all do except comments and application segments, other than two of these.

    JFIF's and Adobe's segments name the kind of colours.
    """
    if marker == 0xE0:
        return content.startswith(b"JFIF\0") and len(content) >= 14
    if marker == 0xEE:
        return content.startswith(b"Adobe") and len(content) >= 12
    return not 0xE0 <= marker <= 0xEF and marker != 0xFE


# BMP, PPM


def _bmp(file: BinaryIO) -> Essence:
    (length,) = struct.unpack("<I", read_between(file, 14, 18))
    place, form = (24, "<H") if length == 12 else (28, "<HI")
    pixel, *compression = struct.unpack_from(form, read_between(file, place, 34) + bytes(8))
    bits = 8 if pixel <= 32 else 16
    if compression in ([3], [6]):
        masks = struct.unpack("<4I", read_between(file, 54, 70).ljust(16, b"\0"))
        bits = max(mask.bit_count() for mask in (masks if length >= 56 else masks[:3]))
    profile = None
    if length >= 124 and read_between(file, 70, 74) == b"DEBM":  # "MBED" as a little-endian word
        start, size = struct.unpack("<2I", read_between(file, 126, 134))
        profile = read_between(file, 14 + start, 14 + start + min(size, LARGEST_PROFILE))
    return Essence("BMP", file, bits, profile=profile, working=2 * (compression in ([1], [2])))


def _ppm(file: BinaryIO) -> Essence:
    head = re.sub(rb"#[^\r\n]*[\r\n]", b"", read_between(file, 0, 1 << 16)).split(maxsplit=4)
    if head[0] in (b"PF", b"Pf"):
        return Essence("PPM", file, 32)
    deepest = 1 if head[0] in (b"P1", b"P4") else int(head[3])
    working = 6 * (head[0] in (b"P1", b"P2", b"P3"))  # the numbers as bytes, twice
    return Essence("PPM", file, max(8, deepest.bit_length()), 1, (int(head[1]), int(head[2])), working=working)


# WebP, AVIF, HEIC


def _webp(file: BinaryIO) -> Essence:
    parts: list[Part] = []
    size, found, end = None, {}, length_of(file)
    for kind, length, place in few(_webp_chunks(file)):
        stop = place + 8 + length + length % 2
        if kind == b"VP8X":
            content = read_between(file, place + 8, place + 18)
            flags, width, height = struct.unpack("<B3x3s3s", content)
            size = int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
            flags &= ~0x2C  # profile, EXIF and XMP are taken out
            parts.append(struct.pack("<4sIB", kind, length, flags) + content[1:])
            parts.append((place + 18, min(stop, end)))
        elif kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"):
            parts.append((place, min(stop, end)))
        elif kind in (b"ICCP", b"EXIF") and length <= LARGEST_PROFILE and stop <= end + 1:
            found.setdefault(kind, read_between(file, place + 8, place + 8 + length))
    length = sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in parts)
    spliced = splice(file, [struct.pack("<4sI4s", b"RIFF", length + 4, b"WEBP"), *parts])
    orientation = orientation_of(found.get(b"EXIF", b""))
    icc = found.get(b"ICCP")
    return Essence("WEBP", spliced, size=size, orientation=orientation, profile=icc, working=12)


def _webp_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, length and start of every chunk."""
    place, (size,) = 12, struct.unpack("<I", read_between(file, 4, 8))
    end = min(8 + size, length_of(file))
    while place + 8 <= end:
        kind, length = struct.unpack("<4sI", read_between(file, place, place + 8))
        yield kind, length, place
        place += 8 + length + length % 2


def _avif(file: BinaryIO) -> Essence:
    parts: list[Part] = []
    bits, done, format = 8, 0, "AVIF"
    for kind, start, stop in few(_boxes(file, 0, length_of(file))):
        content = read_between(file, start, min(stop, start + 64))
        if kind == b"av1C" and len(content) > 2:
            bits = max(bits, 8 + 2 * bool(content[2] & 0x40) + 2 * bool(content[2] & 0x20))
        elif kind == b"hvcC" and len(content) > 18:
            bits, format = max(bits, 8 + (content[17] & 7), 8 + (content[18] & 7)), "HEIF"
        elif kind == b"colr" and content.startswith(b"nclx"):
            primaries, curve = struct.unpack_from(">HH", content, 4)
            if primaries not in (1, 2) or curve not in (1, 2, 6, 13, 14, 15):
                raise RefusedError(f"colours of kind {primaries}/{curve}; convert it to sRGB first")
        elif kind == b"infe" and content[8:12] == b"Exif":
            parts += [(done, start + 8), b"skip"]
            done = start + 12
    return Essence(format, splice(file, [*parts, (done, length_of(file))]), bits, working=12)


def _boxes(file: BinaryIO, place: int, end: int, depth: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the boxes that describe a picture, in file order; their containers are left out."""
    while place + 8 <= end:
        length, kind = struct.unpack(">I4s", read_between(file, place, place + 8))
        start = place + 8
        if length == 1:
            (length,) = struct.unpack(">Q", read_between(file, start, start + 8))
            start += 8
        stop = end if length == 0 else min(end, place + length)
        if stop < start:
            raise RefusedError("damaged (a part without length); replace the file")
        skipped = {
            b"meta": 4,
            b"iprp": 0,
            b"ipco": 0,
            b"iinf": 6 if read_between(file, start, start + 1) == b"\0" else 8,
        }
        if kind in skipped and depth < 4:
            yield from _boxes(file, start + skipped[kind], stop, depth + 1)
        else:
            yield kind, start, stop
        place = stop


_READERS: list[tuple[bytes, Callable[[BinaryIO], Essence]]] = [
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"\xff\xd8\xff", _jpeg),
    (rb"II[*+]\0|MM\0[*+]|II\0\*|MM\*\0", examine_tiff),
    (rb"BM", _bmp),
    (rb"P[1-6fF]\s|P[1-6fF]#", _ppm),
    (rb"RIFF....WEBP", _webp),
    (rb"....ftyp(avif|avis|mif1|msf1|hei[cxms]|hev[cxms])", _avif),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", examine_jxl),
]
