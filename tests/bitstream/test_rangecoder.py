import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqn.bitstream import rangecoder
from cvqn.bitstream.errors import CorruptError
from cvqn.bitstream.rangecoder import CODERS, PYTHON, PythonEncoder

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
    assert decoder.maybe_exhausted()


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
        return [decoder.decode(frequencies).tolist() for _, frequencies in message], decoder.maybe_exhausted()
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
    words = coder.encoder().words()
    assert words.tolist() == []
    assert coder.decoder(words).maybe_exhausted()


def test_the_choice_of_the_coder_shows():
    assert rangecoder.DEFAULT.name == ("constriction" if "constriction" in CODERS else "python")
