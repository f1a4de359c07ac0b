"""The strings of an entropy coder as one payload: each after its length (4 bytes), with zeros to a multiple of 4."""

import struct
from collections.abc import Sequence

from cvqn.bitstream.errors import CorruptError

LENGTH = struct.Struct("<I")


def pack(strings: Sequence[bytes]) -> bytes:
    """Strings as one payload."""
    joined = b"".join(LENGTH.pack(len(string)) + string for string in strings)
    return joined + bytes(-len(joined) % 4)


def unpack(payload: bytes, count: int) -> list[bytes]:
    """The `count` strings in a payload.

    Raises:
        CorruptError: the payload does not hold exactly `count` strings.
    """
    strings, start = [], 0
    for _ in range(count):
        if len(payload) < start + LENGTH.size:
            raise CorruptError("the payload ends before the last string")
        (length,) = LENGTH.unpack_from(payload, start)
        start += LENGTH.size
        if len(payload) < start + length:
            raise CorruptError(f"the payload ends within a string of {length} bytes")
        strings.append(payload[start : start + length])
        start += length
    if payload[start:] != bytes(-start % 4):
        raise CorruptError("the payload goes on after the last string")
    return strings
