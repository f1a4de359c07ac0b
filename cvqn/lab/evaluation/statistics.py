"""Intervals over images and over seeds.

Two things vary: which images are compressed, and which seed trained the model. Images are resampled by a paired
bootstrap, with the same images for everything compared. Seeds are few, so their spread is pooled over all experiments
with several seeds and enters through Student's t. The two half-widths are combined as the root of the sum of squares
(Zou and Donner, Statistics in Medicine 27, 2008).
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate and the ends of its 95 % interval, `low <= estimate <= high`."""

    estimate: float
    low: float
    high: float

    @property
    def resolution(self) -> float:
        """The smallest difference that could be distinguished from none: the longer arm of the interval."""
        return max(self.high - self.estimate, self.estimate - self.low)


class SeedSpread(NamedTuple):
    """Standard deviation between runs that differ only in their seed (nan if unknown), and its degrees of freedom."""

    deviation: float
    freedom: int

    def margin(self, *runs: int) -> float:
        """Half-width of a 95 % interval for a sum or difference of means over so many runs each; inf if unknown."""
        if self.freedom < 1:
            return math.inf
        scale = math.sqrt(sum(1 / count for count in runs))
        return float(student.ppf((1 + CONFIDENCE) / 2, self.freedom)) * self.deviation * scale


def pooled_spread(experiments: Iterable[np.ndarray]) -> SeedSpread:
    """The spread between seeds, pooled over experiments; each array holds one value per run of an experiment."""
    squares, freedom = 0.0, 0
    for values in experiments:
        squares += float(np.square(values - np.mean(values)).sum())
        freedom += len(values) - 1
    return SeedSpread(math.sqrt(squares / freedom) if freedom else math.nan, freedom)


def image_weights(images: int, resamplings: int, seed: int = 0) -> np.ndarray:
    """Weights `[1 + resamplings, images]`, each row adding up to 1: first equal weights, then bootstrap resamplings.

    `weights @ values` gives the mean of `values` `[images]` and its resampled means.
    """
    drawn = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=resamplings)
    return np.concatenate([np.ones((1, images)), drawn]) / images


def bootstrap_interval(resampled: np.ndarray) -> Interval:
    """Percentile interval of a statistic `[1 + resamplings]` whose first value is the estimate."""
    estimate = float(resampled[0])
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled[1:], [tail, 100 - tail])
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate))


def widen(interval: Interval, margin: float) -> Interval:
    """The interval with a further, independent source of error of half-width `margin`."""
    estimate, low, high = interval
    return Interval(
        estimate, estimate - math.hypot(estimate - low, margin), estimate + math.hypot(high - estimate, margin)
    )
