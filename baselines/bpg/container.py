"""The BPG file (format version 0.9.5): 8-bit 4:4:4 YCbCr in full range, without alpha, animation or extensions."""

from cvqn_baselines.bpg.bits import read_ue7, write_ue7
from cvqn_baselines.bpg.sequence import Sequence, read_header, write_header

MAGIC = b"BPG\xfb"
FORMAT = bytes([3 << 5, 0])
"""pixel_format 3 (4:4:4), alpha1 0, bit_depth - 8 = 0 | color_space 0 (YCbCr BT.601), all flags 0."""
LARGEST = 1 << 26
"""Pixels of the largest picture that is read."""


def write(width: int, height: int, sequence: Sequence, data: bytes) -> bytes:
    """The file of a picture of `width` x `height` pixels.

    Args:
        data: PPS and slice NAL units with three-byte start codes, the first start code left out.
    """
    header = write_header(sequence)
    body = write_ue7(len(header)) + header + data
    return MAGIC + FORMAT + b"".join(map(write_ue7, (width, height, len(body)))) + body


def read(file: bytes) -> tuple[int, int, Sequence, bytes]:
    """The reverse of `write`.

    Raises:
        EOFError: the file ends too early.
        ValueError: it is not a BPG file, one of another kind, or holds a picture that is empty or too large.
    """
    if file[:4] != MAGIC:
        raise ValueError("not a BPG file")
    if len(file) < 6:
        raise EOFError("the file ends in its header")
    if file[4:6] != FORMAT:
        raise ValueError("a BPG file of another kind than 8-bit 4:4:4 YCbCr without alpha, animation or extensions")
    width, position = read_ue7(file, 6)
    height, position = read_ue7(file, position)
    if not 0 < width * height <= LARGEST:
        raise ValueError(f"{width}x{height} pixels; pictures of 1 to {LARGEST} pixels are read")
    length, position = read_ue7(file, position)
    body = file[position:] if length == 0 else file[position : position + length]
    if len(body) < length:
        raise EOFError(f"the file ends {length - len(body)} bytes too early")
    header_length, start = read_ue7(body, 0)
    if start + header_length >= len(body):
        raise EOFError("the file ends before its picture")
    return width, height, read_header(body[start : start + header_length]), body[start + header_length :]
