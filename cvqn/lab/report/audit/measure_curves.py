"""Measures of claims that one rate-distortion curve is above another, and that one file is better than another."""

import math
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from cvqn.lab.evaluation.bd_rate import MAX_FAILED, RateAndQuality, not_finite, resampled
from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.evaluation.rate_distortion import Points, points
from cvqn.lab.evaluation.statistics import Interval, bootstrap_interval, image_weights, widen
from cvqn.lab.report import published
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.measure_runs import matched_rate_margin
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured
from cvqn.lab.report.curves import MeasuredCurve, measured_curve

RATES = np.arange(10, 61) / 100
FIGURE4_IMAGES = ("kodim01", "kodim21")
PAPERS_CURVE = "figure3-cvqn"


def above_codec(evidence: Evidence, expected: object, codec: str) -> Finding:
    """The share of the rates from 0.1 to 0.6 bpp at which CVQN is above a measured codec."""
    other = _measured(evidence, codec)
    if other.points.images != _own_points(evidence).images:
        raise NotMeasured(f"{codec} was measured on other images than CVQN")
    return _share_above(evidence, other.points, codec, other.files)


def above_published(evidence: Evidence, expected: object, curve: str) -> Finding:
    """The share of the rates from 0.1 to 0.6 bpp at which CVQN is above a published curve on Kodak."""
    if evidence.configuration.data.evaluation != published.SET:
        raise NotMeasured("the published curve is on Kodak, our measurements are on other images")
    theirs = published.curves()[curve]
    return _share_above(evidence, (theirs.bpp, theirs.ms_ssim_db), theirs.codec, (published.path(theirs),))


def _measured(evidence: Evidence, codec: str) -> MeasuredCurve:
    found = measured_curve(evidence, codec)
    if found is None:
        raise NotMeasured(f"{codec} was not measured")
    return found


def crops_order(evidence: Evidence, expected: object) -> Finding:
    """On kodim01 and kodim21: how far CVQN's file is above each codec's curve at the same rate, MS-SSIM in dB."""
    figure, conventional = evidence.configuration.report.figure4, evidence.configuration.measured_codecs()
    runs = evidence.experiment(figure.experiment)
    missing = [image for image in FIGURE4_IMAGES if image not in runs.images]
    if missing:
        raise NotMeasured(f"{runs.name} was not measured on {' and '.join(missing)}")
    values, files = [], list(runs.files)
    for image in FIGURE4_IMAGES:
        column = runs.images.index(image)
        rate = float(runs.values["bpp"][:, column].mean())
        quality = float(ms_ssim_db(runs.values["ms_ssim"][:, column]).mean())
        for codec in filter(conventional.__contains__, figure.codecs):
            rows = evidence.measurements[
                (evidence.measurements.codec == codec) & (evidence.measurements.image == image)
            ]
            if rows.empty:
                raise NotMeasured(f"{codec} was not measured on {image}")
            files += list(rows["file"].unique())
            bpp, decibel = rows["bpp"].to_numpy(float), ms_ssim_db(rows["ms_ssim"].to_numpy(float))
            if wrong := not_finite(bpp, decibel):
                raise NotMeasured(f"{codec} on {image}: {wrong}")
            if not bpp.min() <= rate <= bpp.max():
                raise NotMeasured(f"{codec} has no file of {image} on both sides of {rate:.3f} bpp")
            margin = matched_rate_margin(evidence, slope(bpp, decibel, rate), runs.checkpoint, len(runs.seeds))
            gain = quality - float(at_rates(bpp, decibel, np.array([rate]))[0])
            values.append(
                Measured(
                    f"{image}: CVQN above {codec} at {rate:.3f} bpp", Interval(gain, gain - margin, gain + margin), "dB"
                )
            )
    note = f"{runs.name}, runs: {len(runs.seeds)}; one image at a time, so only seeds make it uncertain"
    return Finding(tuple(values), tuple(dict.fromkeys(files)), note, (figure.experiment,))


def _own_points(evidence: Evidence) -> Points:
    """CVQN's rate points, each the mean over its seeds."""
    runs = [evidence.experiment(name) for name in evidence.configuration.report.rate_curve]
    if len(runs) < 2:
        raise NotMeasured("the rate curve has fewer than two points")
    rows = evidence.measurements[evidence.measurements.file.isin([file for one in runs for file in one.files])]
    return points(rows, by="experiment")


def at_rates(bpp: np.ndarray, decibel: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """MS-SSIM in dB at `rates`, by monotone cubic interpolation over log bpp; nan outside the curve."""
    return _interpolator(bpp, decibel)(np.log(rates))


def slope(bpp: np.ndarray, decibel: np.ndarray, rate: float) -> float:
    """dB per log bpp at a rate."""
    return float(_interpolator(bpp, decibel).derivative()(math.log(rate)))


def _interpolator(bpp: np.ndarray, decibel: np.ndarray) -> PchipInterpolator:
    rates, first = np.unique(np.log(bpp), return_index=True)
    return PchipInterpolator(rates, np.asarray(decibel)[first], extrapolate=False)


def _share_above(evidence: Evidence, other: Points | RateAndQuality, name: str, files: tuple[str, ...]) -> Finding:
    """The share of `RATES` at which CVQN is above; a rate that one of the curves does not cover counts as not won.

    The interval runs from the share that is surely above to the share that is not surely below.
    """
    own, ours = _own_curves(evidence)
    theirs = resampled(other, image_weights(len(_own_points(evidence).images), evidence.resamplings))
    for whose, one in (("CVQN", own), (name, theirs[0])):
        if wrong := not_finite(*one):
            raise NotMeasured(f"{whose}: {wrong}")
    rates = _covered(own[0], theirs[0][0])
    gains = (ours - np.array([_at_all(*one) for one in theirs]))[:, np.isin(RATES, rates)]
    intervals = [_gain(evidence, *one, own) for one in zip(gains.T, rates, strict=True)]
    won, surely_won, surely_lost = (
        sum(test) / len(RATES)
        for test in (gains[0] > 0, [one.low > 0 for one in intervals], [one.high < 0 for one in intervals])
    )
    share = Interval(won, surely_won, len(rates) / len(RATES) - surely_lost)
    right, wrong = _if_right(theirs[0], rates, intervals), _if_wrong(intervals)
    runs = [evidence.experiment(experiment) for experiment in evidence.configuration.report.rate_curve]
    tens = [f"{one.estimate:+.2f} at {rate:.1f}" for one, rate in zip(intervals, rates, strict=True)
            if round(100 * rate) % 10 == 0]  # fmt: skip
    return Finding(
        (
            Measured(
                f"share of {len(RATES)} rates at which CVQN is above {name}", share, if_right=right, if_wrong=wrong
            ),
        ),
        tuple(dict.fromkeys(file for one in runs for file in one.files)) + files,
        f"MS-SSIM gain in dB by bpp: {', '.join(tens)}; both curves have {len(rates)} of the {len(RATES)} rates, "
        f"{rates[0]:.2f} to {rates[-1]:.2f} bpp; the others count as not won",
        evidence.configuration.report.rate_curve,
    )


def _if_right(other: RateAndQuality, rates: np.ndarray, intervals: list[Interval]) -> Interval:
    """The share with the paper's plotted points in place of ours, and the spread found here."""
    papers = published.curves()[PAPERS_CURVE]
    gains = at_rates(papers.bpp, papers.ms_ssim_db, rates) - at_rates(*other, rates)
    known = [(gain, one) for gain, one in zip(gains, intervals, strict=True) if np.isfinite(gain)]
    won = sum(gain > 0 for gain, _ in known)
    surely = sum(gain > one.estimate - one.low for gain, one in known)
    surely_not = sum(gain < one.estimate - one.high for gain, one in known)
    return Interval(won / len(RATES), surely / len(RATES), (len(known) - surely_not) / len(RATES))


def _if_wrong(intervals: list[Interval]) -> Interval:
    """The share if our curve were far below at every rate; where the spread is unknown, a rate stays undecided."""
    open_rates = sum(math.isinf(one.high) for one in intervals)
    return Interval(0, 0, open_rates / len(RATES))


def _covered(*rates: np.ndarray) -> np.ndarray:
    """The rates of the grid that every curve covers."""
    low, high = max(one.min() for one in rates), min(one.max() for one in rates)
    covered = RATES[(low <= RATES) & (high >= RATES)]
    if len(covered) == 0:
        raise NotMeasured(f"the curves share none of the rates from {RATES[0]:g} to {RATES[-1]:g} bpp")
    return covered


@lru_cache(maxsize=2)
def _own_curves(evidence: Evidence) -> tuple[RateAndQuality, np.ndarray]:
    """CVQN's curve, and its values and resamplings at `RATES`, dB `[1 + resamplings, rates]`."""
    own = _own_points(evidence)
    curves = resampled(own, image_weights(len(own.images), evidence.resamplings))
    return curves[0], np.array([_at_all(*one) for one in curves])


def _at_all(bpp: np.ndarray, decibel: np.ndarray) -> np.ndarray:
    """A curve at `RATES` in dB; nan outside the curve, and everywhere if one of its points is lossless."""
    return np.full(len(RATES), np.nan) if not_finite(bpp, decibel) else at_rates(bpp, decibel, RATES)


def _gain(evidence: Evidence, gains: np.ndarray, rate: float, own: RateAndQuality) -> Interval:
    """The gain at one rate from its resamplings `[1 + resamplings]`, with its interval over images and seeds."""
    runs = [evidence.experiment(name) for name in evidence.configuration.report.rate_curve]
    seeds = min(len(one.seeds) for one in runs)
    margin = matched_rate_margin(evidence, slope(*own, float(rate)), runs[0].checkpoint, seeds)
    return over_images(gains, margin)


def over_images(gains: np.ndarray, margin: float) -> Interval:
    """A gain from its resamplings `[1 + resamplings]`, widened by `margin` from seeds; unbounded if many are nan."""
    known = gains[np.isfinite(gains)]
    if len(gains) - len(known) > MAX_FAILED * (len(gains) - 1):
        return Interval(float(gains[0]), -math.inf, math.inf)
    return widen(bootstrap_interval(known), margin)
