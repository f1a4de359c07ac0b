"""The .cvqn file: a header of 18 bytes, little endian, then the payload, the words of the range coder.

magic 4 | version 1 | flags 1 | height 2 | width 2 | model id 4 | CRC-32 of all other bytes 4 | words
"""

import struct
import zlib
from typing import NamedTuple

from cvqn.bitstream.errors import (
    CorruptError,
    ImageTooLargeError,
    NotACvqnFileError,
    TruncatedError,
    UnsupportedVersionError,
    WrongModelError,
)

MAGIC = b"CVQN"
VERSION = 1
FIELDS = struct.Struct("<4sBBHH4s")
CHECKSUM = struct.Struct("<I")
HEADER_SIZE = FIELDS.size + CHECKSUM.size
LARGEST_SIDE = 0xFFFF
MAX_PIXELS = 1 << 27


class Header(NamedTuple):
    """The facts in a file's header."""

    height: int  # of the image in pixels, 1..65535
    width: int
    model_id: bytes  # 4 bytes


def pack(height: int, width: int, model_id: bytes, payload: bytes) -> bytes:
    """The complete file of an image of `width` x `height` pixels, sides 1..65535.

    Args:
        model_id: 4 bytes.
        payload: whole words of 4 bytes.

    Raises:
        ImageTooLargeError: a side is longer than the header can hold.
        ValueError: a side is below 1, or `model_id` or `payload` has another length.
    """
    if max(height, width) > LARGEST_SIDE:
        raise ImageTooLargeError(f"an image of {width}x{height} pixels: sides are at most {LARGEST_SIDE}")
    if min(height, width) < 1 or len(model_id) != 4 or len(payload) % 4:
        raise ValueError(f"size {width}x{height}, model id {model_id.hex()}, payload of {len(payload)} bytes")
    fields = FIELDS.pack(MAGIC, VERSION, 0, height, width, model_id)
    return fields + CHECKSUM.pack(_checksum(fields, payload)) + payload


def unpack(data: bytes, model_id: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[Header, bytes]:
    """Header and payload of a file that was made with the model `model_id`.

    No memory is allocated for the size that the header states.

    Raises, in the order of the checks:
        TruncatedError: the header is incomplete.
        NotACvqnFileError: the file does not begin with the magic number.
        UnsupportedVersionError: another version, or unknown flags.
        CorruptError: a side is zero.
        ImageTooLargeError: the image has more than `max_pixels` pixels.
        WrongModelError: the file was made with another model.
        TruncatedError: the payload is not whole words.
        CorruptError: the checksum does not match.
    """
    header = _header(data)
    if header.height * header.width > max_pixels:
        raise ImageTooLargeError(
            f"an image of {header.width}x{header.height} pixels: the limit is {max_pixels} pixels, raise it to go on"
        )
    if header.model_id != model_id:
        raise WrongModelError(
            f"the file was made with model {header.model_id.hex()}, this is {model_id.hex()}; use the one that made it"
        )
    return header, _payload(data)


def inspect(data: bytes) -> Header:
    """The header of a file, once its checksum is verified.

    Raises:
        BitstreamError: as for `unpack`, without its checks of size and model.
    """
    header = _header(data)
    _payload(data)
    return header


def _header(data: bytes) -> Header:
    if len(data) < HEADER_SIZE:
        raise TruncatedError(f"{len(data)} bytes: the header alone has {HEADER_SIZE}; the file is incomplete")
    magic, version, flags, height, width, model_id = FIELDS.unpack_from(data)
    if magic != MAGIC:
        raise NotACvqnFileError(f"the file begins with {magic!r}, not with {MAGIC!r}; it is not a CVQN file")
    if version != VERSION or flags:
        raise UnsupportedVersionError(
            f"version {version}, flags {flags:#04x}: this program reads version {VERSION}, flags 0"
        )
    if not height or not width:
        raise CorruptError(f"an image of {width}x{height} pixels; the file is damaged")
    return Header(height, width, model_id)


def _payload(data: bytes) -> bytes:
    payload = data[HEADER_SIZE:]
    if len(payload) % 4:
        raise TruncatedError(f"a payload of {len(payload)} bytes is not whole words; the file is incomplete")
    (stated,) = CHECKSUM.unpack_from(data, FIELDS.size)
    actual = _checksum(data[: FIELDS.size], payload)
    if stated != actual:
        raise CorruptError(f"the checksum is {actual:08x}, the file says {stated:08x}; it is damaged or incomplete")
    return payload


def _checksum(fields: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(fields))
