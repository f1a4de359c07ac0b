"""What the header of a JPEG XL file says (ISO/IEC 18181-1): size, depth, channels and colours."""

from collections.abc import Sequence
from typing import BinaryIO

from cvqn.images.parts import Essence, RefusedError, length_of, read_between

_HEADER = 4096  # bytes; more than a header with the longest channel name that is read here
_RATIOS = ((1, 1), (6, 5), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_SAMPLE = ((8, 0), (10, 0), (12, 0), (1, 6))
_FLOAT = ((32, 0), (16, 0), (24, 0), (1, 6))
_COUNT = ((0, 0), (1, 0), (2, 4), (1, 12))
_ENUM = ((0, 0), (1, 0), (2, 4), (18, 6))
_NAME = ((0, 0), (0, 4), (16, 5), (48, 10))
_ALPHA = 0


class _Bits:
    """The header's bits, the lowest of each byte first."""

    def __init__(self, data: bytes):
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise RefusedError("damaged or truncated; replace the file")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def choose(self, forms: Sequence[tuple[int, int]]) -> int:
        """U32 of the standard: two bits choose among four pairs of an offset and a count of bits."""
        offset, count = forms[self.take(2)]
        return offset + self.take(count)


def examine_jxl(file: BinaryIO) -> Essence:
    """What the header of a JPEG XL file says.

    The decoder turns the picture upright but does not report its colour space, so only sRGB is read.

    Raises:
        RefusedError: the file is damaged, or its colours or channels have no defined conversion.
    """
    bits = _Bits(_codestream(file))
    size = _size(bits)
    if bits.take(1):  # all of what follows has its default: 8 bits, sRGB
        return Essence("JXL", file, 8, 1, size, working=12)
    frames = 1
    if bits.take(1):
        bits.take(3)  # the orientation
        if bits.take(1):
            _size(bits)  # to show it at
        if bits.take(1):
            raise RefusedError("holds a preview beside the picture; convert it to PNG first")
        frames += bits.take(1)
    if frames > 1:
        return Essence("JXL", file, 8, frames, size, working=12)
    depth = _depth(bits)
    bits.take(1)
    _extra_channels(bits)
    bits.take(1)  # whether the pixels are coded as XYB
    _check_colours(bits)
    return Essence("JXL", file, depth, frames, size, working=12)


def _codestream(file: BinaryIO) -> bytes:
    """The beginning of the codestream after its signature, which may be in a box of a container."""
    if read_between(file, 0, 2) == b"\xff\x0a":
        return read_between(file, 2, _HEADER)
    place, end = 0, length_of(file)
    while place + 8 <= end:
        head = read_between(file, place, place + 16)
        length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], place + 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), place + 16
        stop = end if length == 0 else min(end, place + length)
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0
            if read_between(file, start, start + 2) == b"\xff\x0a":
                return read_between(file, start + 2, min(stop, start + _HEADER))
            break
        if stop < start:
            break
        place = stop
    raise RefusedError("damaged or truncated; replace the file")


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else bits.choose(_SIDE)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return (8 * (bits.take(5) + 1) if small else bits.choose(_SIDE)), height


def _depth(bits: _Bits) -> int:
    if bits.take(1):
        bits.choose(_FLOAT)
        raise RefusedError("its samples are not unsigned integers; convert it to 8-bit RGB first")
    return bits.choose(_SAMPLE)


def _extra_channels(bits: _Bits) -> None:
    """Skip the extra channels; the only one accepted is opacity that is not premultiplied into the colours."""
    count = bits.choose(_COUNT)
    kind = premultiplied = 0
    if count == 1 and not bits.take(1):
        kind = bits.choose(_ENUM)
        _depth(bits)
        bits.choose(((0, 0), (3, 0), (4, 0), (1, 3)))  # the channel's downsampling
        bits.take(8 * bits.choose(_NAME))
        premultiplied = bits.take(1) if kind == _ALPHA else 0
    if count > 1 or kind != _ALPHA or premultiplied:
        raise RefusedError("channels beside colours and opacity; convert it to 8-bit RGB first")


def _check_colours(bits: _Bits) -> None:
    if bits.take(1):  # sRGB
        return
    with_profile = bits.take(1)
    space = bits.choose(_ENUM)
    if not with_profile and space in (0, 1):  # RGB, grey
        white = bits.choose(_ENUM)
        primaries = bits.choose(_ENUM) if space == 0 and white == 1 else 1
        if (white, primaries, bits.take(1)) == (1, 1, 0) and bits.choose(_ENUM) == 13:
            return
    raise RefusedError("colours that are not marked as sRGB; convert it to sRGB first")
