"""Whatever bytes the decoder gets, it ends soon, in little memory, with the right symbols or a documented error."""

import random
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib

import pytest

from cvqn.bitstream.errors import BitstreamError
from cvqn.bitstream.rangecoder import CODERS
from cvqn.bitstream.wavefront import decode_symbols, encode_symbols
from cvqn.codecs import container
from tests import ROOT
from tests.bitstream.models import case

MODEL_ID = b"test"
GROUPS = [(1, 2), (2, 5), (1, 7)]
HEIGHT, WIDTH = 50, 33  # 4 x 3 latent positions
MAX_PIXELS = 1 << 14
MODELS, SYMBOLS = case(GROUPS, 4, 3, width=6)
DATA = container.pack(HEIGHT, WIDTH, MODEL_ID, encode_symbols(MODELS, SYMBOLS))


def decode(data, coder=CODERS["python"]):
    header, payload = container.unpack(data, MODEL_ID, max_pixels=MAX_PIXELS)
    rows, columns = -(-header.height // 16), -(-header.width // 16)
    return decode_symbols(MODELS, [(channels, rows, columns) for channels, _ in GROUPS], payload, coder=coder)


def is_refused(data, coder=CODERS["python"]):
    """True for a documented error, False for well-formed symbols; anything else raises."""
    try:
        decoded = decode(data, coder)
    except BitstreamError:
        return True
    for group, (_, levels) in zip(decoded, GROUPS, strict=True):
        assert 0 <= group.min() <= group.max() < levels
    return False


def mutated(rng):
    """The file with a few bytes changed, removed, repeated or put in."""
    data = bytearray(DATA)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(data) + 1)
        stop = start + rng.randint(0, 8)
        data[start:stop] = rng.choice(
            [b"", rng.randbytes(rng.randint(0, 8)), data[start:stop] * 2, rng.randbytes(stop - start)]
        )
    return bytes(data)


def with_checksum(data):
    """The same bytes with a checksum that fits, so that the checks behind it have to do."""
    return data[:14] + struct.pack("<I", zlib.crc32(data[:14] + data[18:])) + data[18:]


def test_the_file_itself_is_sound():
    assert all((a == b).all() for a, b in zip(decode(DATA), SYMBOLS, strict=True))


def test_every_truncation_is_refused():
    assert all(is_refused(DATA[:length]) for length in range(len(DATA)))


def test_every_single_bit_flip_is_refused():
    for bit in range(8 * len(DATA)):
        data = bytearray(DATA)
        data[bit // 8] ^= 1 << bit % 8
        assert is_refused(bytes(data)), f"bit {bit}"


def test_ten_thousand_random_and_mutated_files_are_refused():
    rng = random.Random(1)
    started = time.perf_counter()
    tracemalloc.start()
    for _ in range(5000):
        assert is_refused(rng.randbytes(rng.randint(0, 60)))
        data = mutated(rng)
        assert data == DATA or is_refused(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()
    assert time.perf_counter() - started < 60


@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
def test_mutated_files_with_a_right_checksum_give_an_error_or_symbols(coder):
    """No limit but the one on pixels: 2^14 of them are 64 latent positions in each of 4 channels."""
    rng = random.Random(2)
    refused = 0
    for _ in range(400):
        started = time.perf_counter()
        refused += is_refused(with_checksum(mutated(rng)), coder)
        assert time.perf_counter() - started < 5
    assert 0 < refused < 400


def test_a_forged_size_costs_no_more_than_the_limit_allows():
    data = with_checksum(DATA[:6] + struct.pack("<HH", 128, 128) + DATA[10:])
    tracemalloc.start()
    is_refused(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


FORGED = """
import re
import struct
import sys
import time
from pathlib import Path
import numpy as np
from cvqn.bitstream.errors import CorruptError
from cvqn.codecs.shipped import folder_of_quality
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from tests.bitstream.test_damage import with_checksum
from tests.trained import photograph

stored = load_model(folder_of_quality(int(sys.argv[1])))
data = compress(stored, photograph(64, 64))
decompress(stored, data)
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before, began = peak(), time.process_time()
for extra in (40 - len(data) + 18, 0, 400, 4000):
    payload = data[18:][: len(data) - 18 + extra] + np.random.default_rng(0).bytes(max(0, extra))
    forged = data[:6] + struct.pack("<HH", 11585, 11585) + data[10:18] + payload
    try:
        decompress(stored, with_checksum(forged))
        sys.exit("accepted")
    except CorruptError:
        pass
print((peak() - before) / 1024, time.process_time() - began)
"""


@pytest.mark.parametrize("quality", [1, 4])
def test_a_claim_of_134_megapixels_costs_what_was_decoded(quality):
    """Of 58 to 5000 bytes, with a shipped model, in a process of its own."""
    command = [sys.executable, "-c", FORGED, str(quality)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    megabytes, seconds = map(float, done.stdout.split())
    assert megabytes < 50
    assert seconds < 2


def test_both_coders_judge_alike():
    rng = random.Random(3)
    for _ in range(200):
        data = with_checksum(mutated(rng))
        outcomes = []
        for coder in CODERS.values():
            try:
                outcomes.append([group.tolist() for group in decode(data, coder)])
            except BitstreamError as error:
                outcomes.append(type(error))
        assert all(outcome == outcomes[0] for outcome in outcomes)


def test_an_empty_payload_is_refused():
    assert is_refused(container.pack(HEIGHT, WIDTH, MODEL_ID, b""))
