"""From logits in 1/256 bit to integer frequencies, in integer arithmetic only."""

import math

import numpy as np

TOTAL = 1 << 16  # the frequencies of one position add up to this
UNIT = 256  # logits are in 1/UNIT bit
FARTHEST = 20 * UNIT - 1  # differences of logits are clamped here; E is zero there


def _exponentials() -> np.ndarray:
    """E[d] = 2^16 * 2^(-d/256), d = 0..5119, rounded to the nearest integer, int64; exactly 1/2, at d = 4352, gives 0.

    The factor 2^(-1/256) is 1/2 after eight square roots, with 128 bits after the binary point.
    """
    fraction = 128
    factor = 1 << (fraction - 1)
    for _ in range(8):
        factor = math.isqrt(factor << fraction)
    values, value = [], TOTAL << fraction
    for _ in range(FARTHEST + 1):
        values.append((value + (1 << (fraction - 1))) >> fraction)
        value = value * factor >> fraction
    return np.array(values, dtype=np.int64)


EXPONENTIALS = _exponentials()


def frequencies(logits: np.ndarray) -> np.ndarray:
    """Frequencies, int64 `[n, Q]`, each at least 1, each row's sum 2^16, of logits `[n, Q]` in 1/256 bit.

    Logits are integers, stored in any integer or float type. The remainder of the division goes to the first of the
    largest logits.
    """
    count, levels = logits.shape
    best = logits.argmax(axis=1)
    distance = logits.max(axis=1, keepdims=True) - logits
    weights = EXPONENTIALS[np.minimum(distance, FARTHEST).astype(np.int64)]
    result: np.ndarray = 1 + weights * (TOTAL - levels) // weights.sum(axis=1, keepdims=True)
    result[np.arange(count), best] += TOTAL - result.sum(axis=1)
    return result
