"""Bjøntegaard deltas of rate-distortion curves in MS-SSIM dB, with Akima interpolation and a bootstrap over images.

G. Bjøntegaard, "Calculation of average PSNR differences between RD curves", VCEG-M33, 2001; with Akima's interpolation
(C. Herglotz et al., "Beyond Bjøntegaard", ICIP 2022) a curve may have any number of points.
"""

from typing import NamedTuple

import numpy as np
from bjontegaard import bd_psnr
from bjontegaard import bd_rate as akima_bd_rate

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.rate_distortion import Points, curve
from cvqn.lab.evaluation.statistics import Interval, bootstrap_interval, image_weights


class Comparison(NamedTuple):
    """Test against anchor. A delta is None where the curves share no range: nothing is extrapolated.

    `rate_percent` is the mean change of rate at equal MS-SSIM (negative: the test needs fewer bits), `ms_ssim_db` the
    mean gain of MS-SSIM in dB at equal rate. `overlap` is the shared range of MS-SSIM dB as a share of the test's.
    """

    rate_percent: Interval | None
    ms_ssim_db: Interval | None
    overlap: float


def bd_rate(anchor: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float | None:
    """BD-rate in percent of two curves (bpp, MS-SSIM dB), each `[points]` in any order; None without a shared range.

    Mean over the shared range of MS-SSIM dB of the difference in log rate, test against anchor.
    """
    (anchor_bpp, anchor_db), (test_bpp, test_db) = (_increasing(*points, key=1) for points in (anchor, test))
    if not _share_a_range(anchor_db, test_db):
        return None
    return float(akima_bd_rate(anchor_bpp, anchor_db, test_bpp, test_db, "akima", False, min_overlap=0))


def bd_ms_ssim(anchor: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float | None:
    """BD-MS-SSIM in dB of two curves as for `bd_rate`: the mean gain over the shared range of log rate."""
    (anchor_bpp, anchor_db), (test_bpp, test_db) = (_increasing(*points, key=0) for points in (anchor, test))
    if not _share_a_range(anchor_bpp, test_bpp):
        return None
    return float(bd_psnr(anchor_bpp, anchor_db, test_bpp, test_db, "akima", False, min_overlap=0))


def compare(
    anchor: Points | tuple[np.ndarray, np.ndarray], test: Points, resamplings: int = 2000, seed: int = 0
) -> Comparison:
    """Both deltas of `test` against `anchor`, each with its 95 % interval over the choice of images.

    The bootstrap is paired: every resampling takes the same images for both. A published `anchor`, which is only its
    curve (bpp, MS-SSIM dB), stays as it is. Resamplings in which the curves share no range are left out.

    Raises:
        CvqnError: anchor and test were not measured on the same images.
    """
    weights = image_weights(len(test.images), resamplings, seed)
    tests = _resampled(test, weights)
    if isinstance(anchor, Points):
        if anchor.images != test.images:
            raise CvqnError("the curves to compare were not measured on the same images; measure both on one set")
        anchors = _resampled(anchor, weights)
    else:
        anchors = [anchor] * len(tests)
    return Comparison(
        _interval([bd_rate(*pair) for pair in zip(anchors, tests, strict=True)]),
        _interval([bd_ms_ssim(*pair) for pair in zip(anchors, tests, strict=True)]),
        _overlap(anchors[0][1], tests[0][1]),
    )


def _resampled(measured: Points, weights: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    means = curve(measured, weights)
    return list(zip(means.bpp, means.ms_ssim_db, strict=True))


def _increasing(bpp: np.ndarray, decibel: np.ndarray, key: int) -> tuple[np.ndarray, np.ndarray]:
    """The points sorted by rate (key 0) or MS-SSIM dB (key 1), strictly rising in it: the first of equals is kept."""
    points = np.stack([np.asarray(bpp, float), np.asarray(decibel, float)])
    points = points[:, np.lexsort((points[1 - key], points[key]))]
    _, first = np.unique(points[key], return_index=True)
    return points[0, first], points[1, first]


def _share_a_range(anchor: np.ndarray, test: np.ndarray) -> bool:
    return min(len(anchor), len(test)) > 1 and min(anchor[-1], test[-1]) > max(anchor[0], test[0])


def _overlap(anchor: np.ndarray, test: np.ndarray) -> float:
    shared = min(anchor.max(), test.max()) - max(anchor.min(), test.min())
    return float(max(0.0, shared) / np.ptp(test)) if np.ptp(test) else 0.0


def _interval(values: list[float | None]) -> Interval | None:
    """None where the curves themselves share no range."""
    if values[0] is None:
        return None
    return bootstrap_interval(np.array([value for value in values if value is not None]))
