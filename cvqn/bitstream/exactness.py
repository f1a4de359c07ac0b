"""A test, run when a model is loaded, of whether this machine computes exactly where the format requires it."""

from collections.abc import Iterable
from functools import cache

import numpy as np

from cvqn.bitstream import rangecoder
from cvqn.bitstream.inference import TILE, Layer
from cvqn.bitstream.integer_model import ACTIVATION, EXACT, LARGEST_WEIGHT, OUTPUT_LIMITS, IntegerLayer, IntegerModel
from cvqn.bitstream.probabilities import TOTAL
from cvqn.bitstream.rangecoder import Coder
from cvqn.errors import CvqnError

ROWS = 9  # positions whose sums are compared


def check_exactness(models: Iterable[IntegerModel], coder: Coder = rangecoder.DEFAULT) -> None:
    """Test matrix products of the models' sizes, and the range coder; takes milliseconds.

    Raises:
        CvqnError: a sum or a word differs from integer arithmetic, so other machines could not decode the files.
    """
    shapes = {layer.weight.shape for model in models for layer in model.layers}
    if not all(_sums_are_exact(taps * inputs, outputs) for taps, inputs, outputs in shapes):
        raise CvqnError(
            "NumPy's matrix products are not exact below 2^24, so files would not decode elsewhere: its library lowers "
            "precision (TF32, bfloat16) or uses a fast algorithm; switch that off or install another build"
        )
    if not _words_are_exact(coder):
        raise CvqnError(
            f"{coder.name}'s range coder gives wrong bytes, as it does where floating-point numbers are not rounded to "
            "the nearest; find what changes the rounding mode of this process (fesetround)"
        )


@cache
def _sums_are_exact(inputs: int, outputs: int) -> bool:
    """Whether a layer of this size computes sums up to +-(2^24 - 1) exactly, for one position and for many."""
    generator = np.random.default_rng(0)
    signs = generator.choice((-1, 1), inputs)
    large = LARGEST_WEIGHT - 2 * generator.integers(1 << 12, size=outputs)  # odd, of all 15 bits, one for each output
    cuts = generator.integers((EXACT - 1) // ACTIVATION - large, size=(inputs - 2, outputs), endpoint=True)
    cuts = np.sort(np.concatenate([cuts, np.zeros_like(cuts[:1]), (EXACT - 1) // ACTIVATION - large[None]]), axis=0)
    weight = signs[:, None] * np.concatenate([large[None], np.diff(cuts, axis=0)])  # |sums| of 255 each: 2^24 - 1
    values = generator.integers(-ACTIVATION, ACTIVATION, (ROWS, inputs), endpoint=True)
    values[:4] = np.outer((1, -1, 1, -1), ACTIVATION * signs)
    values[2:4, 0] -= 2 * np.sign(values[2:4, 0])
    expected = values @ weight

    zeros, limits = np.zeros(outputs, np.int32), np.array(OUTPUT_LIMITS[-1], np.int32)
    layer = Layer(IntegerLayer(weight[None].astype(np.int32), zeros, zeros, limits), np.float32)
    for count in (1, TILE):
        rows = np.arange(count) % ROWS
        sums = np.empty((count, outputs), np.float32)
        layer.apply(values[rows].astype(np.float32), sums)
        if not np.array_equal(sums, expected[rows]):
            return False
    return True


def _words_are_exact(coder: Coder) -> bool:
    """Whether a coder writes the same words as the one in Python, which uses integers only."""
    cumulative = np.arange(1, TOTAL, 257)
    frequencies = np.stack([cumulative, TOTAL - cumulative], axis=1)
    words = []
    for one in (coder, rangecoder.PYTHON):
        encoder = one.encoder()
        encoder.encode((cumulative % 2).astype(np.int32), frequencies)
        words.append(encoder.words().tolist())
    return bool(words[0] == words[1])
