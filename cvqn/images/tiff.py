"""The tags of TIFF files, and of EXIF data, which have the same form."""

import contextlib
import io
import struct
from typing import BinaryIO

from cvqn.images.parts import LARGEST_PROFILE, Essence, RefusedError, length_of, read_between, splice

_KEPT_TIFF_TAGS = {254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324,
                   325, 332, 334, 338, 347, *range(512, 522), 529, 530, 531, 532, 50674}  # fmt: skip
_MOST_TAGS = 4096  # in a directory; pictures have a few dozen
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q"}
_SIZES = {code: struct.calcsize(f"<{number}") for code, number in _NUMBERS.items()} | {2: 1, 5: 8, 10: 8}


def orientation_of(exif: bytes) -> int:
    """The orientation 1..8 in EXIF data, 1 if none can be read; other tags are ignored."""
    exif = exif.removeprefix(b"Exif\0\0")
    with contextlib.suppress(struct.error, ValueError, IndexError, OverflowError, RefusedError):
        directory = _Directory(io.BytesIO(exif))
        if 0x0112 in directory.entries:
            return _upright(directory.values(0x0112))
    return 1


class _Directory:
    """A directory of a TIFF file, by default the first: its entries by tag; the first entry of a tag counts."""

    def __init__(self, file: BinaryIO, start: int | None = None):
        head = read_between(file, 0, 16)
        if head[:2] not in (b"II", b"MM"):
            raise RefusedError("damaged (no byte order); replace the file")
        self.file, self.order = file, "<" if head[:2] == b"II" else ">"
        self.big = 43 in head[2:4]
        number, self.place = self.order + ("Q" if self.big else "I"), 8 if self.big else 4
        if start is None:
            (start,) = struct.unpack_from(number, head, self.place)
        self.start, width = start, 20 if self.big else 12
        (self.count,) = self._read(self.order + ("Q" if self.big else "H"), start)
        self.first = start + (8 if self.big else 2)
        table = read_between(file, self.first, self.first + width * min(self.count, _MOST_TAGS))
        self.entries: dict[int, bytes] = {}
        for offset in range(0, len(table) - width + 1, width):
            self.entries.setdefault(*struct.unpack_from(f"{self.order}H{width - 2}s", table, offset))
        self.stop = self.first + width * self.count
        self.number = number

    def _read(self, form: str, place: int) -> tuple:
        return struct.unpack(form, read_between(self.file, place, place + struct.calcsize(form)))

    def data(self, tag: int, largest: int = 1 << 16) -> bytes:
        """The bytes of an entry's values; empty if there are too many or their type is unknown."""
        entry = self.entries[tag]
        kind, count = struct.unpack_from(self.order + ("HQ" if self.big else "HI"), entry)
        size = _SIZES.get(kind, 0) * count
        room = 8 if self.big else 4
        if size <= room:
            return entry[-room:][:size]
        (place,) = struct.unpack_from(self.number, entry, len(entry) - room)
        return read_between(self.file, place, place + size) if size <= largest else b""

    def values(self, tag: int) -> list[float]:
        """The numbers of an entry, whatever type they are written in."""
        (kind,) = struct.unpack_from(self.order + "H", self.entries[tag])
        data = self.data(tag)
        if kind == 2:
            return [float(data.rstrip(b"\0"))]
        if kind in (5, 10):
            pairs = struct.iter_unpack(self.order + ("2I" if kind == 5 else "2i"), data)
            return [upper / lower if lower else 0 for upper, lower in pairs]
        return [value for (value,) in struct.iter_unpack(self.order + _NUMBERS[kind], data)]

    def following(self) -> int:
        """Where the next directory begins, or 0."""
        with contextlib.suppress(struct.error):
            return self._read(self.number, self.stop)[0]
        return 0


def _upright(values: list[float]) -> int:
    return int(values[0]) if values and values[0] in range(1, 9) else 1


def examine_tiff(file: BinaryIO) -> Essence:
    """What the tags of a TIFF file say; a decoder gets only the tags that affect the pixels."""
    directory = _Directory(file)
    entries = directory.entries
    if 50706 in entries:
        raise RefusedError("a camera's raw file (DNG); develop it first")
    bits = max(directory.values(258), default=1) if 258 in entries else 1
    if 339 in entries and set(directory.values(339)) - {1, 4}:
        if bits <= 8:
            raise RefusedError("its samples are not unsigned integers; convert it to 8-bit RGB first")
        bits = max(bits, 32)  # deep, but not integers that could be reduced, so always refused
    orientation = 1
    if 0x0112 in entries:
        with contextlib.suppress(struct.error, ValueError, KeyError):
            orientation = _upright(directory.values(0x0112))
    profile = directory.data(34675, LARGEST_PROFILE) if 34675 in entries else None
    kept = b"".join(
        struct.pack(directory.order + "H", tag) + entries[tag] for tag in sorted(_KEPT_TIFF_TAGS & entries.keys())
    )
    number = struct.calcsize(directory.number)
    count = struct.pack(directory.order + ("Q" if directory.big else "H"), len(kept) // (20 if directory.big else 12))
    patch = count + kept + bytes(number)  # no next directory
    parts = [(0, directory.start), patch, (directory.start + len(patch), length_of(file))]
    compression = directory.values(259)[:1] if 259 in entries else [1]
    working = 10 if compression in ([6], [7]) else 4  # a strip can be the whole picture; JPEG also holds coefficients
    working *= compression != [1]
    return Essence("TIFF", splice(file, parts), int(bits), _pages(directory), None, orientation, profile, working)


def _pages(directory: _Directory) -> int:
    """How many directories there are in the chain that begins with this one."""
    seen, end = {directory.start}, length_of(directory.file)
    while (start := directory.following()) not in seen and 8 <= start < end - 2 and len(seen) < 1000:
        try:
            directory = _Directory(directory.file, start)
        except struct.error:
            break
        if 256 not in directory.entries:  # no width: not a picture's directory, but garbage that some programs write
            break
        seen.add(start)
    return len(seen)
