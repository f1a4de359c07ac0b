"""Views of picture files in which some parts are left out or replaced."""

import bisect
import io
import itertools
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

LARGEST_PROFILE = 1 << 24  # bytes of an ICC profile; printers' have about 3 million

Part = bytes | tuple[int, int]  # new bytes, or start and end of bytes of the file


class RefusedError(Exception):
    """The file cannot be read; the message says why and what to do, without the file's name."""


class Essence(NamedTuple):
    """What is known about a picture before its pixels are decoded."""

    format: str  # in Pillow's naming
    file: BinaryIO  # the parts that a decoder needs
    bits: int = 8  # of the deepest sample
    frames: int = 1
    size: tuple[int, int] | None = None  # width and height, if a decoder would check it too late
    orientation: int = 1  # as EXIF counts
    profile: bytes | None = None  # ICC
    working: int = 0  # the most bytes per pixel that the decoder needs besides Pillow's image
    whole: bool = True  # False if the compressed pixels are shorter than for any picture of this size


class _Spliced(io.RawIOBase):
    """Parts of a file, and new bytes, read as one file."""

    def __init__(self, file: BinaryIO, parts: list[Part]):
        self._file, self._place = file, 0
        self._parts = [(0, len(part), part) if isinstance(part, bytes) else (*part, None) for part in parts]
        *self._starts, self._length = itertools.accumulate((stop - start for start, stop, _ in self._parts), initial=0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._length}[whence])
        return self._place

    def readinto(self, buffer: memoryview) -> int:
        if self._place >= self._length:
            return 0
        number = bisect.bisect_right(self._starts, self._place) - 1
        start, stop, new = self._parts[number]
        start += self._place - self._starts[number]
        stop = min(stop, start + len(buffer))
        data = read_between(self._file, start, stop) if new is None else new[start:stop]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def splice(file: BinaryIO, parts: list[Part]) -> BinaryIO:
    """The parts in order as one file, read on demand."""
    joined: list[Part] = []
    for part in parts:
        if part == b"" or (isinstance(part, tuple) and part[0] >= part[1]):
            continue
        last = joined[-1] if joined else b""
        if isinstance(last, tuple) and isinstance(part, tuple) and last[1] == part[0]:
            joined[-1] = (last[0], part[1])  # a file of many small parts would be slow to read
        else:
            joined.append(part)
    return io.BufferedReader(_Spliced(file, joined), 1 << 16)


def few(parts: Iterator, most: int = 100_000) -> Iterator:
    """The parts of a file; RefusedError if there are so many that reading them would take minutes."""
    for number, part in enumerate(parts):
        if number >= most:
            raise RefusedError("has more parts than any picture; replace the file")
        yield part


def length_of(file: BinaryIO) -> int:
    """How many bytes a file has."""
    return file.seek(0, io.SEEK_END)


def read_between(file: BinaryIO, start: int, stop: int) -> bytes:
    """The bytes of a file from `start` up to but not including `stop`; fewer if the file ends first."""
    file.seek(start)
    return file.read(max(0, stop - start))
