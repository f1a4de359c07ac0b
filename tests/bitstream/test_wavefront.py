import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cvqn.bitstream.errors import CorruptError
from cvqn.bitstream.integer_model import IntegerModel
from cvqn.bitstream.rangecoder import CODERS, PYTHON
from cvqn.bitstream.wavefront import code_lengths, decode_symbols, encode_symbols, symbol_bits
from tests.bitstream import reference
from tests.bitstream.models import MEDIUM, SMALL, case, hashed_symbols, integer_model

LARGE = ([(4, 3), (8, 5), (4, 7)], 32, 48)  # the latent of an image of 768x512
LARGE_SHA256 = "8abca4193eb628d457a17dd6d25a6f588ca2ccd5a846d4e8bc0f8c6c7110f3c4"


def certain_model(levels):
    """A model that gives symbol 0 all of the probability but what the others must have."""
    model = integer_model(levels, 4)
    *layers, last = model.layers
    zeros, bias = np.zeros_like(last.weight), np.full(levels, -(1 << 20), np.int32)
    bias[0] = 1 << 20
    return IntegerModel((*layers, replace(last, weight=zeros, bias=bias, shift=np.zeros_like(last.shift))))


def shapes(symbols):
    return [group.shape for group in symbols]


@settings(max_examples=40)
@given(
    groups=st.lists(st.tuples(st.integers(1, 4), st.integers(2, 16)), min_size=1, max_size=4),
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
)
def test_symbols_survive(groups, rows, columns):
    models, symbols = case(groups, rows, columns, width=4)
    decoded = decode_symbols(models, shapes(symbols), encode_symbols(models, symbols))
    assert all(group.dtype == np.int64 for group in decoded)
    for group, expected in zip(decoded, symbols, strict=True):
        np.testing.assert_array_equal(group, expected)


@pytest.mark.parametrize("levels", range(2, 17))
def test_symbols_of_any_number_of_levels_survive_in_any_shape(levels):
    model = integer_model(levels, 4)
    for shape in [(1, 1, 1), (1, 5, 4), (7, 1, 1), (3, 1, 9), (3, 9, 1)]:
        symbols = hashed_symbols(shape, levels)
        (decoded,) = decode_symbols([model], [shape], encode_symbols([model], [symbols]))
        np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("size", [SMALL, ([(3, 4), (2, 2)], 9, 7), ([(5, 6)], 1, 11)])
def test_the_stream_is_the_references(size):
    """Order, probabilities and words against an implementation in int64 that shares none of them."""
    models, symbols = case(*size)
    encoder = PYTHON.encoder()
    for symbol, row in reference.stream(models, symbols):
        encoder.encode(np.array([symbol], np.int32), np.array([row]))
    assert encode_symbols(models, symbols) == encoder.words().astype("<u4").tobytes()


def test_one_payload_for_all_types_threads_chunks_and_coders():
    models, symbols = case(*LARGE, width=24)
    payload = encode_symbols(models, symbols)
    assert hashlib.sha256(payload).hexdigest() == LARGE_SHA256
    for chunk in (1, 64, 333, 10**9):
        assert encode_symbols(models, symbols, chunk=chunk) == payload
    for coder in CODERS.values():
        for dtype in (np.float32, np.float64):
            assert encode_symbols(models, symbols, coder=coder, dtype=dtype) == payload
            decoded = decode_symbols(models, shapes(symbols), payload, coder=coder, dtype=dtype)
            assert all((a == b).all() for a, b in zip(decoded, symbols, strict=True))
    for threads in (1, 2):
        with threadpool_limits(threads):
            assert encode_symbols(models, symbols, chunk=10**9) == payload
            decoded = decode_symbols(models, shapes(symbols), payload)
            assert all((a == b).all() for a, b in zip(decoded, symbols, strict=True))


@pytest.mark.parametrize("processor", ["Prescott", "Sandybridge", "Haswell"])
def test_one_payload_with_the_kernels_of_other_processors(processor):
    """OpenBLAS and NumPy as on processors without AVX-512, AVX2, or AVX."""
    program = """
import hashlib
from cvqn.bitstream.wavefront import encode_symbols
from tests.bitstream.models import case
from tests.bitstream.test_wavefront import LARGE
print(hashlib.sha256(encode_symbols(*case(*LARGE, width=24))).hexdigest())
"""
    features = "X86_V3 X86_V4 AVX512_ICL" if processor == "Prescott" else ""
    environment = {**os.environ, "OPENBLAS_CORETYPE": processor, "NPY_DISABLE_CPU_FEATURES": features}
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.stdout.strip() == LARGE_SHA256, done.stderr


def test_the_length_is_the_models_own_code_length():
    models, symbols = case(*LARGE, width=24)
    bits = symbol_bits(models, symbols)
    expected = [-np.log2(row[symbol] / 65536) for symbol, row in reference.stream(models[:1], symbols[:1])]
    assert np.isclose(bits[0].sum(), np.sum(expected))
    for channels, group in zip(code_lengths(models, symbols), bits, strict=True):
        np.testing.assert_allclose(channels, group.sum(axis=(1, 2)))
    ideal = sum(group.sum() for group in bits) / 8
    assert abs(len(encode_symbols(models, symbols)) - ideal) < 0.001 * ideal + 40


def test_a_payload_too_short_or_too_long_is_corrupt():
    models, symbols = case(*MEDIUM)
    payload = encode_symbols(models, symbols)
    for wrong in (payload + b"abc", payload + payload, payload[: len(payload) // 8 * 4]):
        with pytest.raises(CorruptError):
            decode_symbols(models, shapes(symbols), wrong)


@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
def test_a_symbol_has_one_payload(coder):
    """Of all single words, tried at random and around those that the encoder writes, only these are accepted."""
    model, shape = integer_model(16, 4), (1, 1, 1)
    own = {encode_symbols([model], [np.full(shape, symbol)]) for symbol in range(16)}
    words = np.array([np.frombuffer(payload, "<u4")[0] for payload in own]).astype(np.int64)
    around = (words[:, None] + np.arange(-3, 4)).ravel() % (1 << 32)
    tried = np.concatenate([around, np.random.default_rng(0).integers(0, 1 << 32, 2000), [0, (1 << 32) - 1]])
    accepted = set()
    for payload in {word.astype("<u4").tobytes() for word in tried} | own:
        try:
            decode_symbols([model], [shape], payload, coder=coder)
            accepted.add(payload)
        except CorruptError:
            pass
    assert len(own) == 16
    assert accepted == own


@settings(max_examples=20, deadline=None)
@given(levels=st.integers(2, 16), side=st.integers(1, 40), channels=st.integers(1, 8))
def test_the_shortest_payload_that_there_can_be_is_accepted(levels, side, channels):
    """Every symbol the same, with the largest frequency that the format allows."""
    model, symbols = certain_model(levels), np.zeros((channels, side, side), np.int64)
    payload = encode_symbols([model], [symbols])
    least = -np.log2((65536 - levels + 1) / 65536)
    np.testing.assert_allclose(symbol_bits([model], [symbols])[0], least)
    assert len(payload) <= 4 * (2 + symbols.size * least * 1.01 / 32)
    (decoded,) = decode_symbols([model], [symbols.shape], payload)
    np.testing.assert_array_equal(decoded, symbols)


def test_a_payload_of_the_least_rate_is_accepted_and_a_claim_of_three_times_the_symbols_is_not():
    model, shape = certain_model(16), (8, 200, 200)
    payload = encode_symbols([model], [np.zeros(shape, np.int64)])
    assert len(payload) == 16
    (decoded,) = decode_symbols([model], [shape], payload)
    assert not decoded.any()
    with pytest.raises(CorruptError, match="too short for any picture"):
        decode_symbols([model], [(24, 200, 200)], payload)


def test_a_short_payload_of_a_large_image_ends_early():
    models, _ = case(MEDIUM[0], 1, 1)
    with pytest.raises(CorruptError, match="ends before"):
        decode_symbols(models, [(2, 600, 600), (4, 600, 600), (2, 600, 600)], bytes(range(40)))


@pytest.mark.parametrize("wrong", [-1, 5])
def test_symbols_that_the_model_has_not_are_refused(wrong):
    model, symbols = integer_model(5, 4), hashed_symbols((1, 2, 2), 5)
    symbols[0, 1, 1] = wrong
    with pytest.raises(ValueError, match=r"0\.\.4"):
        encode_symbols([model], [symbols])
