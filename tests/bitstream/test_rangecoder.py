import itertools
import platform
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqn.bitstream import rangecoder
from cvqn.bitstream.errors import CorruptError
from cvqn.bitstream.rangecoder import CODERS, PYTHON, PythonEncoder
from tests import ROOT

BOTH = pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
NEEDS_CONSTRICTION = pytest.mark.skipif("constriction" not in CODERS, reason="constriction has no wheel here")


@st.composite
def messages(draw):
    """A few calls, each of one number of levels: (symbols, frequencies)."""
    seed, calls = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 4))
    skew = draw(st.sampled_from([0.01, 0.3, 3.0]))
    rng = np.random.default_rng(seed)
    return [_call(rng, draw(st.integers(1, 40)), draw(st.integers(2, 16)), skew) for _ in range(calls)]


def _call(rng, count, levels, skew):
    free = np.floor(rng.dirichlet(np.full(levels, skew), count) * (65536 - levels)).astype(np.int64)
    frequencies = 1 + free
    frequencies[:, 0] += 65536 - frequencies.sum(axis=1)
    likely = frequencies.argmax(axis=1)
    symbols = np.where(rng.random(count) < 0.5, likely, rng.integers(0, levels, count))
    return symbols.astype(np.int32), frequencies


def encode(coder, message):
    encoder = coder.encoder()
    for symbols, frequencies in message:
        encoder.encode(symbols, frequencies)
    return encoder.words()


@BOTH
@given(message=messages())
def test_symbols_survive(coder, message):
    decoder = coder.decoder(encode(coder, message))
    for symbols, frequencies in message:
        assert decoder.decode(frequencies).tolist() == symbols.tolist()


@NEEDS_CONSTRICTION
@given(message=messages(), garbage=st.lists(st.integers(0, 2**32 - 1), max_size=8))
def test_both_coders_agree_on_words_and_on_garbage(message, garbage):
    words = encode(PYTHON, message)
    assert words.dtype == np.uint32
    assert words.tolist() == encode(CODERS["constriction"], message).tolist()
    for received in (words, words[:-1], np.append(words, np.uint32(0)), np.array(garbage, dtype=np.uint32)):
        assert _outcome(PYTHON, received, message) == _outcome(CODERS["constriction"], received, message)


def _outcome(coder, words, message):
    decoder = coder.decoder(words)
    try:
        symbols = [decoder.decode(frequencies) for _, frequencies in message]
        again = [(own, frequencies) for own, (_, frequencies) in zip(symbols, message, strict=True)]
        return [own.tolist() for own in symbols], encode(coder, again).tolist() == words.tolist()
    except CorruptError:
        return "corrupt"


@NEEDS_CONSTRICTION
@pytest.mark.parametrize("ending", ["below", "above", "open"])
def test_a_carry_runs_through_any_number_of_words(ending):
    """Symbols are chosen so that the interval straddles a multiple of 2^64 for as long as possible."""
    frequencies = np.full((1, 16), 65536 // 16)
    lefts = next(rangecoder._lefts(frequencies))
    encoder, symbols, held = PythonEncoder(), [], 0
    for _ in range(60):
        scale = encoder._range >> rangecoder.PRECISION
        ends = [encoder._low + scale * left for left in lefts]
        if held < 4:
            choice = max(i for i in range(16) if ends[i] < 1 << 64)
        else:
            choice = {"below": 0, "above": 15, "open": 7}[ending]
        symbols.append(choice)
        encoder.encode(np.array([choice], np.int32), frequencies)
        held = max(held, encoder._held)
    assert held >= 4
    message = [(np.array(symbols, np.int32), np.repeat(frequencies, len(symbols), axis=0))]
    assert encoder.words().tolist() == encode(CODERS["constriction"], message).tolist()


@BOTH
def test_the_length_is_the_information(coder):
    rng = np.random.default_rng(1)
    message = [_call(rng, 5000, 7, 1.0)]
    symbols, frequencies = message[0]
    ideal = -np.log2(frequencies[np.arange(5000), symbols] / 65536).sum()
    assert abs(32 * len(encode(coder, message)) - ideal) < 0.001 * ideal + 64


@BOTH
def test_words_that_no_encoder_writes_are_corrupt(coder):
    with pytest.raises(CorruptError):
        coder.decoder(np.full(3, 0xFFFFFFFF, np.uint32)).decode(np.array([[32768, 32768]]))


@BOTH
def test_nothing_is_no_words(coder):
    assert coder.encoder().words().tolist() == []


def test_the_choice_of_the_coder_shows():
    assert rangecoder.DEFAULT.name == ("constriction" if "constriction" in CODERS else "python")


def nearest_float32(value: Fraction) -> Fraction:
    """A number above 1 rounded to 24 bits, ties to even, in fractions."""
    unit = Fraction(1)
    while value / unit >= 1 << 24:
        unit *= 2
    while value / unit < 1 << 23:
        unit /= 2
    return round(value / unit) * unit


@pytest.mark.parametrize("levels", range(2, 17))
def test_left_ends_are_the_rounded_products_over_the_whole_range(levels):
    """By NumPy's float32 for every cumulative frequency, and by fractions for some of them."""
    cumulative = np.arange(1, 65536 - levels + 2)
    frequencies = np.zeros((len(cumulative), levels), np.int64)
    frequencies[:, 0], frequencies[:, -1] = cumulative, 65536 - cumulative
    lefts = np.array(list(rangecoder._lefts(frequencies)))[:, levels - 1]
    scale = ((1 << 24) - levels) / 65536
    product = cumulative.astype(np.float32) * np.float32(scale)
    np.testing.assert_array_equal(lefts, product.astype(np.int64) + levels - 1)
    for number in range(0, len(cumulative), 97):
        assert lefts[number] == int(nearest_float32(int(cumulative[number]) * Fraction(scale))) + levels - 1


ROUNDING = """
import ctypes
import ctypes.util
import sys
import numpy as np
from cvqn.bitstream import rangecoder
from cvqn.bitstream.exactness import check_exactness
from cvqn.errors import CvqnError
from tests.bitstream import corpus

vector = corpus.read("medium")
cumulative = np.arange(1, 65536)
frequencies = np.stack([cumulative, 65536 - cumulative], axis=1)
expected = list(rangecoder._lefts(frequencies))
coders = dict(rangecoder.CODERS)
assert ctypes.CDLL(ctypes.util.find_library("m")).fesetround(int(sys.argv[1])) == 0
one, tiny = np.ones(1, np.float32), np.full(1, 2.0**-24 * 1.5, np.float32)
print("mode", "up" * bool((one + tiny)[0] > 1) + "down" * bool((-one - tiny)[0] < -1) or "cut")
assert list(rangecoder._lefts(frequencies)) == expected
rangecoder.CODERS = {"python": rangecoder.PYTHON}
corpus.check("medium")
for coder in coders.values():
    try:
        check_exactness(vector.models, coder)
        rangecoder.CODERS = {coder.name: coder}
        corpus.check("medium")
        print(coder.name, "exact")
    except CvqnError as error:
        assert "fesetround" in str(error) and "\\n" not in str(error), error
        print(coder.name, "refused")
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the modes' numbers are those of x86")
@pytest.mark.parametrize(("mode", "name"), [(0, "updown"), (0x400, "down"), (0x800, "up"), (0xC00, "cut")])
def test_no_rounding_mode_changes_the_python_coder_and_any_other_is_noticed(mode, name):
    command = [sys.executable, "-c", ROUNDING, str(mode)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = dict(itertools.pairwise(done.stdout.split()))
    assert said["mode"] == name
    assert said["python"] == "exact"
    assert said.get("constriction", "refused") == ("exact" if mode == 0 and "constriction" in CODERS else "refused")
