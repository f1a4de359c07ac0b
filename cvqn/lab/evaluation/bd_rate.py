"""Bjøntegaard deltas of rate-distortion curves in MS-SSIM dB, with monotone interpolation and a bootstrap over images.

G. Bjøntegaard, "Calculation of average PSNR differences between RD curves", VCEG-M33, 2001. Curves are interpolated by
monotone piecewise cubics (PCHIP: F. Fritsch and J. Butland, SIAM J. Sci. Stat. Comput. 5, 1984), so that a curve stays
between neighbouring points however close these are. A curve may have any number of points from two.

A delta that would be meaningless is replaced by a `Reason`. A published curve is held fixed, because only its points
are known. Curves measured here are resampled over the images, the same ones for all. Against a published curve, the
interval therefore includes the varying difficulty of the images, which pairing would cancel, so it is too wide rather
than too narrow. `resampled` implements this for the tables and for the audit.
"""

import math
from itertools import cycle
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.rate_distortion import Points, curve
from cvqn.lab.evaluation.statistics import Interval, bootstrap_interval, image_weights

RateAndQuality = tuple[np.ndarray, np.ndarray]
"""A curve: bits per pixel and MS-SSIM dB, each `[points]`."""

MIN_SHARED = 0.25
"""The least share of the test's range over which a mean is reported: one of four intervals between five rate points."""

MAX_FAILED = 0.01
"""The largest share of resamplings without a value. Each end of a 95 % interval cuts off 2.5 %, so even if all missing
values belonged to one side, they would shift that end by less than half of what it cuts off."""


class Reason(str):
    """The reason why there is no number, in words."""


class Comparison(NamedTuple):
    """The test curve compared with the anchor.

    Attributes:
        rate_percent: mean change of rate at equal MS-SSIM; negative: the test needs fewer bits.
        ms_ssim_db: mean gain of MS-SSIM in dB at equal rate.
        overlap: the shared range of MS-SSIM in dB as a share of the test's; nan if it is undefined.
        left_out: the number of resamplings without a value, for the delta that has more of them.
    """

    rate_percent: Interval | Reason
    ms_ssim_db: Interval | Reason
    overlap: float
    left_out: int


class Smooth(NamedTuple):
    """A curve between its points: log rate over MS-SSIM dB, and MS-SSIM dB over log rate."""

    log_rate: PchipInterpolator
    decibel: PchipInterpolator


def bd_rate(anchor: RateAndQuality, test: RateAndQuality) -> float | Reason:
    """BD-rate in percent: mean over the shared range of MS-SSIM dB of the difference in log rate, test to anchor.

    The points may come in any order; a repeated point counts once.
    """
    return _bd_rate(_smooth("anchor", anchor), _smooth("test", test))


def bd_ms_ssim(anchor: RateAndQuality, test: RateAndQuality) -> float | Reason:
    """BD-MS-SSIM in dB of two curves as for `bd_rate`: the mean gain over the shared range of log rate."""
    return _bd_ms_ssim(_smooth("anchor", anchor), _smooth("test", test))


def compare(anchor: Points | RateAndQuality, test: Points, resamplings: int = 2000, seed: int = 0) -> Comparison:
    """Both deltas of `test` against `anchor`, each with its 95 % interval over the choice of images.

    Raises:
        CvqnError: anchor and test were not measured on the same images.
    """
    if isinstance(anchor, Points) and anchor.images != test.images:
        raise CvqnError("the curves to compare were not measured on the same images; measure both on one set")
    weights = image_weights(len(test.images), resamplings, seed)
    anchors, tests = resampled(anchor, weights), resampled(test, weights)
    smooth = [_smooth("anchor", one) for one in anchors], [_smooth("test", one) for one in tests]
    pairs = list(zip(cycle(smooth[0]), smooth[1], strict=False))
    rates, gains = ([delta(*pair) for pair in pairs] for delta in (_bd_rate, _bd_ms_ssim))
    return Comparison(
        _interval(rates),
        _interval(gains),
        _shared(anchors[0][1], tests[0][1]),
        max(_failed(rates[1:]), _failed(gains[1:])),
    )


def resampled(known: Points | RateAndQuality, weights: np.ndarray) -> list[RateAndQuality]:
    """A curve for each row of `weights` `[1 + resamplings, images]`; for a published curve, only the curve itself."""
    if not isinstance(known, Points):
        return [known]
    means = curve(known, weights)
    return list(zip(means.bpp, means.ms_ssim_db, strict=True))


def not_finite(bpp: np.ndarray, decibel: np.ndarray) -> Reason:
    """Why a point cannot be on a curve; empty if all can."""
    for rate, quality in zip(bpp, decibel, strict=True):
        if quality == math.inf:
            return Reason(f"at {rate:.4g} bpp MS-SSIM is exactly 1, which has no decibels")
        if not (math.isfinite(rate) and math.isfinite(quality) and rate > 0):
            return Reason(f"a point of {rate:.4g} bpp and {quality:.2f} dB cannot be on a curve")
    return Reason()


def rising(bpp: np.ndarray, decibel: np.ndarray) -> RateAndQuality | Reason:
    """The points sorted by rate, without repeats; or the reason why they are not a rising curve of finite numbers."""
    if wrong := not_finite(bpp, decibel):
        return wrong
    bpp, decibel = np.unique(np.stack([bpp, decibel]), axis=1)
    if len(bpp) < 2:
        return Reason("fewer than two points")
    for start in np.flatnonzero((np.diff(bpp) <= 0) | (np.diff(decibel) <= 0)):
        left, right = (f"{bpp[at]:.4g} bpp, {decibel[at]:.2f} dB" for at in (start, start + 1))
        return Reason(f"MS-SSIM does not rise with the rate ({left}, then {right})")
    return bpp, decibel


def _smooth(name: str, points: RateAndQuality) -> Smooth | Reason:
    known = rising(*points)
    if isinstance(known, Reason):
        return Reason(f"{name}: {known}")
    log_rate, decibel = np.log(known[0]), known[1]
    return Smooth(PchipInterpolator(decibel, log_rate), PchipInterpolator(log_rate, decibel))


def _bd_rate(anchor: Smooth | Reason, test: Smooth | Reason) -> float | Reason:
    difference = _mean_difference(anchor, test, "log_rate")
    return difference if isinstance(difference, Reason) else float(100 * np.expm1(difference))


def _bd_ms_ssim(anchor: Smooth | Reason, test: Smooth | Reason) -> float | Reason:
    return _mean_difference(anchor, test, "decibel")


def _mean_difference(anchor: Smooth | Reason, test: Smooth | Reason, what: str) -> float | Reason:
    """The mean of test minus anchor over the range that both curves share; `what` is a field of `Smooth`."""
    for one in (anchor, test):
        if isinstance(one, Reason):
            return one
    theirs, own = getattr(anchor, what), getattr(test, what)
    if (share := _shared(theirs.x, own.x)) < MIN_SHARED:
        along = "rates" if what == "decibel" else "MS-SSIM"
        return Reason(f"{100 * share:.1f} % of the test's range of {along} is shared, under {100 * MIN_SHARED:.0f} %")
    low, high = max(theirs.x[0], own.x[0]), min(theirs.x[-1], own.x[-1])
    return float(own.integrate(low, high) - theirs.integrate(low, high)) / float(high - low)


def _shared(anchor: np.ndarray, test: np.ndarray) -> float:
    """The shared range as a share of the test's; nan where a value is not finite or the test's range is empty."""
    if not (np.isfinite(anchor).all() and np.isfinite(test).all() and np.ptp(test)):
        return math.nan
    return float(max(0.0, min(anchor.max(), test.max()) - max(anchor.min(), test.min())) / np.ptp(test))


def _interval(values: list[float | Reason]) -> Interval | Reason:
    """The interval of an estimate from its resamplings that have a value; a reason if too many have none."""
    if isinstance(values[0], Reason):
        return values[0]
    failed, drawn = _failed(values[1:]), len(values) - 1
    if failed > MAX_FAILED * drawn:
        first = next(value for value in values if isinstance(value, Reason))
        return Reason(f"{failed} of {drawn} choices of images give no number, such as: {first}")
    return bootstrap_interval(np.array([value for value in values if not isinstance(value, Reason)]))


def _failed(values: list[float | Reason]) -> int:
    return sum(isinstance(value, Reason) for value in values)
