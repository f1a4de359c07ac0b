"""Measures of claims that one rate-distortion curve lies above another, and that one file is better than another."""

import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.evaluation.rate_distortion import Curve, Points, curve, points
from cvqn.lab.evaluation.statistics import Interval, bootstrap_interval, image_weights, widen
from cvqn.lab.report import published
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.measure_runs import matched_rate_margin
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured

RATES = np.arange(10, 61) / 100
FIGURE4_IMAGES = ("kodim01", "kodim21")


def above_codec(evidence: Evidence, expected: object, codec: str) -> Finding:
    """The share of the rates from 0.1 to 0.6 bpp at which CVQN lies above a measured codec, images resampled alike."""
    own = _own_points(evidence)
    rows = evidence.measurements[evidence.measurements.codec == codec]
    if rows.empty:
        raise NotMeasured(f"{codec} was not measured")
    other = points(rows)
    if other.images != own.images:
        raise NotMeasured(f"{codec} was measured on other images than CVQN")
    weights = image_weights(len(own.images), evidence.resamplings)
    own_curve, other_curve = curve(own, weights), curve(other, weights)
    rates = _common(own_curve.bpp[0], other_curve.bpp[0])
    gains = np.array(
        [
            _at(*ours, rates) - _at(*theirs, rates)
            for ours, theirs in zip(_pairs(own_curve), _pairs(other_curve), strict=True)
        ]
    )
    return _share_above(evidence, gains, rates, own_curve, codec, tuple(rows["file"].unique()))


def above_published(evidence: Evidence, expected: object, curve: str) -> Finding:
    """The same for a published curve: a mean over the same images, so only our seeds make the difference uncertain."""
    own = _own_points(evidence)
    if evidence.configuration.data.evaluation != published.SET:
        raise NotMeasured("the published curve is on Kodak, our measurements are on other images")
    theirs = published.curves()[curve]
    own_curve = _mean_curve(own)
    rates = _common(own_curve.bpp[0], theirs.bpp)
    gains = _at(own_curve.bpp[0], own_curve.ms_ssim_db[0], rates) - _at(theirs.bpp, theirs.ms_ssim_db, rates)
    return _share_above(evidence, gains[None], rates, own_curve, theirs.codec, (published.path(theirs),))


def crops_order(evidence: Evidence, expected: object) -> Finding:
    """On kodim01 and kodim21: MS-SSIM (dB) of CVQN's file above each codec's, read at CVQN's rate for that image."""
    figure = evidence.configuration.report.figure4
    runs = evidence.experiment(figure.experiment)
    missing = [image for image in FIGURE4_IMAGES if image not in runs.images]
    if missing:
        raise NotMeasured(f"{runs.name} was not measured on {' and '.join(missing)}")
    values, files = [], list(runs.files)
    for image in FIGURE4_IMAGES:
        column = runs.images.index(image)
        rate = float(runs.values["bpp"][:, column].mean())
        quality = float(ms_ssim_db(runs.values["ms_ssim"][:, column]).mean())
        for codec in figure.codecs:
            rows = evidence.measurements[
                (evidence.measurements.codec == codec) & (evidence.measurements.image == image)
            ]
            if rows.empty:
                raise NotMeasured(f"{codec} was not measured on {image}")
            files += list(rows["file"].unique())
            bpp, decibel = rows["bpp"].to_numpy(float), ms_ssim_db(rows["ms_ssim"].to_numpy(float))
            if not bpp.min() <= rate <= bpp.max():
                raise NotMeasured(f"{codec} has no file of {image} on both sides of {rate:.3f} bpp")
            slope = _slope(bpp, decibel, rate)
            margin = matched_rate_margin(evidence, slope, runs.checkpoint, len(runs.seeds))
            gain = quality - float(_at(bpp, decibel, np.array([rate]))[0])
            values.append(
                Measured(
                    f"{image}: CVQN above {codec} at {rate:.3f} bpp", Interval(gain, gain - margin, gain + margin), "dB"
                )
            )
    note = f"{runs.name}, runs: {len(runs.seeds)}; one image at a time, so only seeds make it uncertain"
    return Finding(tuple(values), tuple(dict.fromkeys(files)), note)


def _own_points(evidence: Evidence) -> Points:
    """CVQN's rate points, the mean over the seeds of each."""
    runs = [evidence.experiment(name) for name in evidence.configuration.report.rate_curve]
    if len(runs) < 2:
        raise NotMeasured("the rate curve has fewer than two points")
    rows = evidence.measurements[evidence.measurements.file.isin([file for one in runs for file in one.files])]
    return points(rows, by="experiment")


def _mean_curve(measured: Points) -> Curve:
    return curve(measured, np.full((1, len(measured.images)), 1 / len(measured.images)))


def _pairs(measured: Curve) -> zip:
    return zip(measured.bpp, measured.ms_ssim_db, strict=True)


def _common(*rates: np.ndarray) -> np.ndarray:
    """The rates of the grid that lie within every curve."""
    low, high = max(one.min() for one in rates), min(one.max() for one in rates)
    common = RATES[(low <= RATES) & (high >= RATES)]
    if len(common) == 0:
        raise NotMeasured(f"the curves share none of the rates from {RATES[0]:g} to {RATES[-1]:g} bpp")
    return common


def _at(bpp: np.ndarray, decibel: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """MS-SSIM dB at `rates`: monotone cubic interpolation over log bpp."""
    return _interpolator(bpp, decibel)(np.log(rates))


def _slope(bpp: np.ndarray, decibel: np.ndarray, rate: float) -> float:
    """dB per log bpp at a rate."""
    return float(_interpolator(bpp, decibel).derivative()(math.log(rate)))


def _interpolator(bpp: np.ndarray, decibel: np.ndarray) -> PchipInterpolator:
    rates, first = np.unique(np.log(bpp), return_index=True)
    return PchipInterpolator(rates, np.asarray(decibel)[first])


def _share_above(
    evidence: Evidence, gains: np.ndarray, rates: np.ndarray, own: Curve, name: str, files: tuple[str, ...]
) -> Finding:
    """From gains `[1 + resamplings or 1, rates]` in dB: the share above 0, from surely above to not surely below."""
    runs = [evidence.experiment(experiment) for experiment in evidence.configuration.report.rate_curve]
    surely_above, surely_below, parts = 0, 0, []
    for column, rate in zip(gains.T, rates, strict=True):
        estimate = float(column[0])
        over_images = bootstrap_interval(column) if len(column) > 1 else Interval(estimate, estimate, estimate)
        margin = matched_rate_margin(
            evidence, _slope(own.bpp[0], own.ms_ssim_db[0], float(rate)), runs[0].checkpoint, 1
        )
        interval = widen(over_images, margin)
        surely_above += interval.low > 0
        surely_below += interval.high < 0
        if round(100 * rate) % 10 == 0:
            parts.append(f"{estimate:+.2f} at {rate:.1f}")
    share = Interval(float(np.mean(gains[0] > 0)), surely_above / len(rates), 1 - surely_below / len(rates))
    value = Measured(f"share of {len(rates)} rates at which CVQN is above {name}", share)
    own_files = tuple(dict.fromkeys(file for one in runs for file in one.files))
    return Finding(
        (value,),
        own_files + files,
        f"MS-SSIM gain in dB by bpp: {', '.join(parts)}; both curves have {rates[0]:.2f} to {rates[-1]:.2f} bpp",
    )
