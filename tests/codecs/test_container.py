import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqn.bitstream.errors import (
    BitstreamError,
    CorruptError,
    ImageTooLargeError,
    NotACvqnFileError,
    TruncatedError,
    UnsupportedVersionError,
    WrongModelError,
)
from cvqn.codecs import container
from cvqn.errors import CvqnError

SIDES = st.integers(1, 65535)
IDS = st.binary(min_size=4, max_size=4)
PAYLOADS = st.integers(0, 20).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words))
DATA = container.pack(300, 200, b"\x01\x02\x03\x04", b"8 bytes.")


@given(SIDES, SIDES, IDS, PAYLOADS)
def test_a_file_is_what_was_packed(height, width, model_id, payload):
    data = container.pack(height, width, model_id, payload)
    header = container.Header(height, width, model_id)
    assert container.unpack(data, model_id, max_pixels=1 << 32) == (header, payload)
    assert container.inspect(data) == header


@given(SIDES, SIDES, IDS, PAYLOADS)
def test_the_layout_of_the_header(height, width, model_id, payload):
    fields = struct.pack("<4sBBHH4s", b"CVQN", 1, 0, height, width, model_id)
    checksum = zlib.crc32(fields + payload)
    assert container.pack(height, width, model_id, payload) == fields + struct.pack("<I", checksum) + payload
    assert container.HEADER_SIZE == 18


def changed(offset, replacement):
    return DATA[:offset] + replacement + DATA[offset + len(replacement) :]


# Later entries also have every fault of earlier ones behind them, so that the order of the checks shows.
FAULTS = [
    (DATA[:17], TruncatedError, "17 bytes"),
    (b"", TruncatedError, "0 bytes"),
    (b"\x89PNG" + DATA[4:17] + b"x", NotACvqnFileError, "PNG"),
    (changed(4, b"\x02\x00\x00\x00")[:-1], UnsupportedVersionError, "version 2"),
    (changed(5, b"\x01\x00\x00")[:-1], UnsupportedVersionError, "flags 0x01"),
    (changed(6, b"\x00\x00")[:-1], CorruptError, "200x0"),
    (changed(6, b"\xff\xff\xff\xff????")[:-1], ImageTooLargeError, "65535x65535"),
    (changed(10, b"????")[:-1], WrongModelError, "3f3f3f3f.*01020304"),
    (DATA[:-1], TruncatedError, "7 bytes"),
    (DATA[:-4], CorruptError, "checksum"),
    (DATA + bytes(4), CorruptError, "checksum"),
]


@pytest.mark.parametrize(("data", "error", "words"), FAULTS)
def test_every_fault_has_its_error_in_the_order_of_the_checks(data, error, words):
    with pytest.raises(error, match=words) as caught:
        container.unpack(data, b"\x01\x02\x03\x04")
    assert type(caught.value) is error
    assert isinstance(caught.value, BitstreamError)
    assert isinstance(caught.value, CvqnError)
    assert "\n" not in str(caught.value)


def test_inspect_needs_no_model_and_no_limit_but_an_undamaged_file():
    huge = container.pack(65535, 65535, b"abcd", b"")
    assert container.inspect(huge).height == 65535
    for data, error, _ in FAULTS:
        if error not in (ImageTooLargeError, WrongModelError):
            with pytest.raises(error):
                container.inspect(data)


def test_the_limit_on_pixels_can_be_raised_and_costs_no_memory():
    huge = container.pack(65535, 65535, b"abcd", b"")
    tracemalloc.start()
    with pytest.raises(ImageTooLargeError, match="limit"):
        container.unpack(huge, b"abcd")
    assert tracemalloc.get_traced_memory()[1] < 1 << 16
    tracemalloc.stop()
    assert container.unpack(huge, b"abcd", max_pixels=65535**2)[1] == b""
    with pytest.raises(ImageTooLargeError):
        container.unpack(DATA, b"\x01\x02\x03\x04", max_pixels=300 * 200 - 1)


def test_an_image_too_large_for_the_header_is_refused():
    with pytest.raises(ImageTooLargeError, match="65536"):
        container.pack(65536, 1, b"abcd", b"")


def test_every_single_bit_is_checked():
    for bit in range(8 * len(DATA)):
        data = bytearray(DATA)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            container.unpack(bytes(data), b"\x01\x02\x03\x04")


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data):
    for candidate in (data, b"CVQN\x01\x00" + data):
        with pytest.raises(BitstreamError):
            container.unpack(candidate, b"\x01\x02\x03\x04")
