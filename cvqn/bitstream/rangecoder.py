"""The range coder: constriction's if it is installed, else a Python version that writes identical bytes.

The state has 64 bits, a word 32; probabilities are multiples of 2^-24 (Martin 1979; Bamler 2022, arXiv:2201.01741).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from cvqn.bitstream.errors import CorruptError
from cvqn.bitstream.probabilities import TOTAL

try:
    import constriction
except ImportError:  # no wheel for Linux on aarch64
    constriction = None

WORD, STATE, PRECISION = 32, 64, 24
WORD_MASK, STATE_MASK = (1 << WORD) - 1, (1 << STATE) - 1
FLOAT32 = 24  # bits of a float32's significand
RENORMALISE = 1 << (STATE - WORD)  # a range below this makes room for one more word


class SymbolEncoder(Protocol):
    """Turns symbols into words."""

    def encode(self, symbols: np.ndarray, frequencies: np.ndarray) -> None:
        """Append symbols, int32 `[n]` in 0..Q-1, with frequencies `[n, Q]`, whose rows add up to 2^16."""

    def words(self) -> np.ndarray:
        """Everything that was encoded, uint32 `[words]`. Nothing can be appended afterwards."""


class SymbolDecoder(Protocol):
    """Turns words, uint32, into symbols."""

    def decode(self, frequencies: np.ndarray) -> np.ndarray:
        """The next n symbols, int32 `[n]`, given their frequencies `[n, Q]`.

        Raises:
            CorruptError: no encoder writes these words.
        """


class Coder(NamedTuple):
    """An encoder, the decoder of its words, and the name of the implementation."""

    name: str
    encoder: Callable[[], SymbolEncoder]
    decoder: Callable[[np.ndarray], SymbolDecoder]


class ConstrictionEncoder:
    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()
        self._family = constriction.stream.model.Categorical(perfect=False)

    def encode(self, symbols: np.ndarray, frequencies: np.ndarray) -> None:
        self._coder.encode(symbols, self._family, np.ascontiguousarray(frequencies, dtype=np.float32))

    def words(self) -> np.ndarray:
        return np.asarray(self._coder.get_compressed())


class ConstrictionDecoder:
    def __init__(self, words: np.ndarray) -> None:
        self._coder = constriction.stream.queue.RangeDecoder(words)
        self._family = constriction.stream.model.Categorical(perfect=False)

    def decode(self, frequencies: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(self._coder.decode(self._family, np.ascontiguousarray(frequencies, dtype=np.float32)))
        except Exception as error:
            raise CorruptError(f"the payload does not decode: {error}") from error


class PythonEncoder:
    """The range encoder in integers.

    The interval is [low, low + range), modulo 2^64. While it straddles a multiple of 2^64, the words that a carry may
    still change are held back: `_first` is the first of them, `_held` their number.
    """

    def __init__(self) -> None:
        self._low, self._range = 0, STATE_MASK
        self._held, self._first = 0, 0
        self._words: list[int] = []

    def encode(self, symbols: np.ndarray, frequencies: np.ndarray) -> None:
        for symbol, lefts in zip(symbols.tolist(), _lefts(frequencies), strict=True):
            self._encode(lefts[symbol], lefts[symbol + 1])

    def _encode(self, left: int, right: int) -> None:
        scale = self._range >> PRECISION
        before = self._low
        self._low = (self._low + scale * left) & STATE_MASK
        self._range = scale * (right - left)
        if self._held and not self._straddles():
            self._release(carry=self._low < before)
        if self._range < RENORMALISE:
            word = self._low >> (STATE - WORD)
            self._low = (self._low << WORD) & STATE_MASK
            self._range <<= WORD
            if self._held:
                self._held += 1
            elif self._straddles():
                self._held, self._first = 1, word
            else:
                self._words.append(word)

    def _straddles(self) -> bool:
        return self._low + self._range > STATE_MASK

    def _release(self, *, carry: bool) -> None:
        rest = 0 if carry else WORD_MASK
        self._words.append((self._first + carry) & WORD_MASK)
        self._words.extend([rest] * (self._held - 1))
        self._held = 0

    def words(self) -> np.ndarray:
        if self._range < STATE_MASK:
            point = (self._low + RENORMALISE - 1) & STATE_MASK
            if self._held:
                self._release(carry=point < self._low)
            word = point >> (STATE - WORD)
            self._words.append(word)
            if word == ((self._low + self._range) & STATE_MASK) >> (STATE - WORD):
                self._words.append(0)
        return np.array(self._words, dtype=np.uint32)


class PythonDecoder:
    """The range decoder in integers: follows the encoder's interval and the point in it that the words encode."""

    def __init__(self, words: np.ndarray) -> None:
        self._words = words.tolist()
        self._position = 0
        self._low, self._range = 0, STATE_MASK
        self._point = (self._read() << WORD) | self._read()

    def _read(self) -> int:
        self._position += 1
        return self._words[self._position - 1] if self._position <= len(self._words) else 0

    def decode(self, frequencies: np.ndarray) -> np.ndarray:
        symbols = [self._decode(lefts) for lefts in _lefts(frequencies)]
        return np.array(symbols, dtype=np.int32)

    def _decode(self, lefts: list[int]) -> int:
        scale = self._range >> PRECISION
        quantile = ((self._point - self._low) & STATE_MASK) // scale
        if quantile >= 1 << PRECISION:
            raise CorruptError("the payload does not decode: it points outside the coder's interval")
        symbol = 0
        while lefts[symbol + 1] <= quantile:
            symbol += 1
        self._low = (self._low + scale * lefts[symbol]) & STATE_MASK
        self._range = scale * (lefts[symbol + 1] - lefts[symbol])
        if self._range < RENORMALISE:
            self._low = (self._low << WORD) & STATE_MASK
            self._range <<= WORD
            self._point = ((self._point << WORD) & STATE_MASK) | self._read()
        return symbol


def _lefts(frequencies: np.ndarray) -> Iterator[list[int]]:
    """For each row, the left ends of the symbols' intervals in units of 2^-24, then 2^24 itself.

    left_i = trunc(cumulative_i * scale) + i with scale = (2^24 - Q) / 2^16. The product is rounded to float32, ties to
    even, as constriction does; here with integers only, so that the processor's rounding mode does not matter.
    """
    levels = frequencies.shape[1]
    product = (np.cumsum(frequencies, axis=1) - frequencies) * ((1 << PRECISION) - levels)
    spare = np.maximum(np.frexp(product)[1] - FLOAT32, 0)  # number of low bits that float32 would round off
    half = (1 << spare >> 1) - (spare > 0)
    rounded = (product + half + (product >> spare & (spare > 0))) >> spare << spare
    lefts = (rounded // TOTAL) + np.arange(levels)
    for row in lefts.tolist():
        yield [*row, 1 << PRECISION]


PYTHON = Coder("python", PythonEncoder, PythonDecoder)
CODERS = {"python": PYTHON}
if constriction is not None:
    CODERS["constriction"] = Coder("constriction", ConstrictionEncoder, ConstrictionDecoder)
DEFAULT = CODERS.get("constriction", PYTHON)
