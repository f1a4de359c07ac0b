"""Picture files and profiles put together byte by byte, with no picture library."""

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

SRGB = ((0.4360747, 0.2225045, 0.0139322), (0.3850649, 0.7168786, 0.0971045), (0.1430804, 0.0606169, 0.7141733))
WIDE = ((0.7347, 0.2653, 0.0), (0.1152, 0.7249, 0.0248), (0.1141, 0.0098, 0.8))  # near ProPhoto's, white D50
NUMBERS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 6: "b", 7: "B", 8: "h", 9: "i", 10: "i", 12: "d", 16: "Q"}


def srgb_curve(value: np.ndarray) -> np.ndarray:
    """sRGB's encoded 0..1 to linear (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_code(linear: np.ndarray) -> np.ndarray:
    """The inverse, 0..255, not rounded."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def profile(
    curve: Callable[[np.ndarray], np.ndarray],
    primaries: Sequence[Sequence[float]] | None = SRGB,
    name: str = "a profile",
    points: int = 1024,
    padding: int = 0,
) -> bytes:
    """An ICC profile, version 2, of a curve and primaries (XYZ at D50), of grey where there are none."""
    table = np.round(65535 * np.clip(curve(np.linspace(0, 1, points)), 0, 1)).astype(">u2").tobytes()
    trc = b"curv" + bytes(4) + struct.pack(">I", points) + table
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name.encode() + bytes(79),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": _xyz(0.9642, 1.0, 0.8249),
    }
    if primaries is None:
        tags[b"kTRC"] = trc
    else:
        tags |= {b"rTRC": trc, b"gTRC": trc, b"bTRC": trc}
        tags |= {letter + b"XYZ": _xyz(*values) for letter, values in zip((b"r", b"g", b"b"), primaries, strict=True)}
    if padding:
        tags[b"priv"] = b"text" + bytes(4) + np.random.default_rng(0).bytes(padding)
    directory, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        directory += tag + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    space = b"GRAY" if primaries is None else b"RGB "
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02100000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + body


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    """A PNG chunk; `wrong` is added to its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ wrong)


def icc_chunk(icc: bytes) -> bytes:
    return chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))


def png(
    pixels: np.ndarray, before: bytes = b"", between: bytes = b"", after: bytes = b"", end: bool = True, pieces: int = 1
) -> bytes:
    """A PNG of `[H, W, C]` (1 to 4 channels, uint8 or uint16) with chunks before, between and after those of pixels."""
    height, width, channels = pixels.shape
    deep = pixels.dtype.itemsize
    head = struct.pack(">IIBBBBB", width, height, 8 * deep, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = pixels.astype(f">u{deep}").reshape(height, -1).view(np.uint8)
    data = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes())
    size = -(-len(data) // pieces)
    parts = [chunk(b"IDAT", data[start : start + size]) for start in range(0, len(data), size)]
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + between.join(parts) + after
    return whole + chunk(b"IEND", b"") * end


def directory(order: str, entries: Iterable[tuple[int, int, Sequence[float] | bytes]], start: int, big=False) -> bytes:
    """A TIFF directory at `start` of entries (tag, type, values), with values that do not fit after it; no next one."""
    entries = list(entries)
    number, room, width = ("Q", 8, 20) if big else ("I", 4, 12)
    table, beyond = b"", b""
    after = start + (8 if big else 2) + width * len(entries) + room
    for tag, kind, values in entries:
        data = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{NUMBERS[kind]}", *values)
        count = len(data) // {5: 8, 10: 8}.get(kind, struct.calcsize("<" + NUMBERS.get(kind, "B")))
        if len(data) > room:
            beyond += bytes(len(beyond) % 2)
            table += struct.pack(f"{order}HH{number}{number}", tag, kind, count, after + len(beyond))
            beyond += data
        else:
            table += struct.pack(f"{order}HH{number}", tag, kind, count) + data.ljust(room, b"\0")
    return struct.pack(order + ("Q" if big else "H"), len(entries)) + table + bytes(room) + beyond


def exif(entries: Iterable[tuple[int, int, Sequence[float] | bytes]], order: str = "<") -> bytes:
    """EXIF data of the given entries, without the `Exif` in front."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "I", 8) + directory(order, entries, 8)


def tiff(
    pixels: np.ndarray, order: str = "<", planar: bool = False, extra: Iterable[tuple] = (), big: bool = False
) -> bytes:
    """An uncompressed TIFF of `[H, W, C]`, any number type, contiguous or in planes, with extra or other entries."""
    height, width, channels = pixels.shape
    samples = (pixels.transpose(2, 0, 1) if planar else pixels).astype(pixels.dtype.newbyteorder(order)).tobytes()
    bits, start = 8 * pixels.dtype.itemsize, 16 if big else 8
    planes = channels if planar else 1
    size = len(samples) // planes
    entries = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * channels), 259: (3, [1]),
        262: (3, [2 if channels == 3 else 1]), 273: (4, [start + size * plane for plane in range(planes)]),
        277: (3, [channels]), 278: (4, [height]), 279: (4, [size] * planes), 284: (3, [2 if planar else 1]),
        339: (3, [{"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]] * channels),
    }  # fmt: skip
    entries |= {tag: (kind, values) for tag, kind, values in extra}
    mark, magic = (b"II", b"MM")[order == ">"], 43 if big else 42
    where = start + len(samples)
    head = struct.pack(order + "HHHQ", magic, 8, 0, where) if big else struct.pack(order + "HI", magic, where)
    table = directory(order, [(tag, *entries[tag]) for tag in sorted(entries)], where, big)
    return mark + head + samples + table


def bmp(rows: bytes, width: int, height: int, bits: int, masks: Sequence[int] = (), header: int = 40) -> bytes:
    """A BMP of rows as stored, bottom up, of bits per pixel, with bit fields where masks are given."""
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, 3 if masks else 0, len(rows), 0, 0, 0, 0)
    fields = struct.pack(f"<{len(masks)}I", *masks)
    fields = fields.ljust(header - 40, b"\0") if header > 40 else fields
    start = 14 + 40 + len(fields)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + fields + rows


def segment(marker: int, content: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def riff(kind: bytes, content: bytes) -> bytes:
    """A chunk of a WebP."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))
