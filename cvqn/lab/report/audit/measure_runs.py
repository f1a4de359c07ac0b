"""Measures of claims about rate and distortion: numbers of the tables and figures, and their order."""

import math
from collections.abc import Sequence

import numpy as np

from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.evaluation.statistics import Interval, bootstrap_interval, image_weights, widen
from cvqn.lab.report.audit.claims import printed
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured
from cvqn.lab.report.runs import MeasuredExperiment, difference, percent, same_images, stable

UNITS = {"bpp": "bpp", "ms_ssim": "", "ms_ssim_db": "dB", "psnr_db": "dB"}
NAMES = {"bpp": "BPP", "ms_ssim": "MS-SSIM", "ms_ssim_db": "MS-SSIM", "psnr_db": "PSNR"}


def mean(evidence: Evidence, expected: object, experiment: str, metric: str, paper_runs: int) -> Finding:
    """A mean over images and seeds, to compare with the paper's over the same images and `paper_runs` seeds.

    Only the seeds make the comparison uncertain, ours and the paper's, which are assumed to vary alike.
    """
    runs = evidence.experiment(experiment)
    estimate = float(np.mean(runs.means(metric)))
    measured = "ms_ssim" if metric == "ms_ssim_db" else metric
    margin = evidence.measured.spread(measured, runs.checkpoint).margin(len(runs.seeds), paper_runs)
    intervals = [_around(value, margin, metric) for value in (estimate, float(expected))]
    return Finding(
        (Measured(f"{NAMES[metric]} of {experiment}", intervals[0], UNITS[metric], if_right=intervals[1]),),
        runs.files,
        _remark(runs, metric),
        (experiment,),
    )


def bpp_change(evidence: Evidence, expected: object, experiment: str, baseline: str, paper_runs: int) -> Finding:
    """The change in BPP against the baseline, percent; its uncertainty is from the seeds, ours and the paper's."""
    runs, base = evidence.experiment(experiment), evidence.experiment(baseline)
    same_images(runs, base)
    change = math.log(np.mean(runs.means("bpp")) / np.mean(base.means("bpp")))
    spread = evidence.measured.spread("bpp", runs.checkpoint)
    margin = spread.margin(len(runs.seeds), len(base.seeds), paper_runs, paper_runs)
    interval, right = (
        percent(Interval(value, value - margin, value + margin)) for value in (change, math.log1p(expected / 100))
    )
    value = Measured(f"BPP of {experiment} against {baseline}", interval, "%", if_right=right)
    note = _remark(runs, "bpp")
    return Finding((value,), (*runs.files, *base.files), note, (experiment, baseline))


def orders(evidence: Evidence, expected: object, metrics: Sequence[str], pairs: Sequence[Sequence[str]]) -> Finding:
    """For each pair, the first experiment's advantage over the second: higher quality, or percent of bits saved."""
    values, files, checkpoints = [], [], set()
    for first, second in pairs:
        better, worse = evidence.experiment(first), evidence.experiment(second)
        files += [*better.files, *worse.files]
        checkpoints |= {better.checkpoint, worse.checkpoint}
        for metric in metrics:
            spread = evidence.measured.spread(metric, better.checkpoint)
            interval = difference(better, worse, metric, spread, evidence.resamplings)
            right = _if_right(interval, first, second, metric)
            if metric == "bpp":
                interval, unit = _saved(interval), "%"
                right = None if right is None else _saved(right)
                what = f"BPP that {first} saves against {second}"
            else:
                what, unit = f"{NAMES[metric]} of {first} above {second}", "dB"
            values.append(Measured(what, interval, unit, if_right=right))
    note = f"checkpoint: {', '.join(sorted(checkpoints))}"
    experiments = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    return Finding(tuple(values), tuple(dict.fromkeys(files)), note, experiments)


def odd_levels(evidence: Evidence, expected: object, odd: str, even: Sequence[str]) -> Finding:
    """How far an odd number of levels is above the line, over log bpp, through its even neighbours, MS-SSIM in dB."""
    runs = [evidence.experiment(name) for name in (odd, *even)]
    weights = image_weights(len(same_images(*runs)), evidence.resamplings)
    rates, quality = (
        [stable(metric, weights @ one.values[metric].T).mean(axis=1) for one in runs] for metric in ("bpp", "ms_ssim")
    )
    slope = (quality[2] - quality[1]) / (rates[2] - rates[1])
    above = quality[0] - (quality[1] + slope * (rates[0] - rates[1]))
    if not rates[1][0] < rates[0][0] < rates[2][0]:
        raise NotMeasured(f"the rate of {odd} is not between those of {even[0]} and {even[1]}")
    counts = (len(runs[0].seeds), 4 * len(runs[1].seeds), 4 * len(runs[2].seeds))
    margin = matched_rate_margin(evidence, float(slope[0]), runs[0].checkpoint, *counts)
    value = Measured(
        f"MS-SSIM of {odd} above the line through {' and '.join(even)}", widen(bootstrap_interval(above), margin), "dB"
    )
    return Finding((value,), tuple(file for one in runs for file in one.files), experiments=(odd, *even))


def best_measured(evidence: Evidence, expected: object) -> Finding:
    """1 if every run of the tables was measured at its checkpoint of best MS-SSIM on the evaluation set, else 0."""
    names = evidence.table_experiments
    if not all("best" in evidence.configuration.checkpoints(name) for name in names):
        raise NotMeasured("no checkpoint was chosen on the test set: training.monitor_every is 0")
    data = evidence.configuration.data
    if data.selecting["best"] != data.evaluation:
        raise NotMeasured(f"checkpoints were chosen on {data.selection}, not on the test set: data.selection")
    runs = [evidence.experiment(name) for name in names]
    all_best = all(one.checkpoint == "best" for one in runs)
    what = "every run of the tables was measured at its best checkpoint (1: yes)"
    return Finding(
        (Measured(what, Interval(*(float(all_best),) * 3)),),
        tuple(file for one in runs for file in one.files),
        "the best checkpoint is a choice on the test set; the headline of every table is the last one",
    )


def matched_rate_margin(evidence: Evidence, slope: float, checkpoint: str, *counts: int) -> float:
    """Half-width from seeds of an MS-SSIM in dB read at a given rate, where `slope` is dB per log bpp."""
    quality = evidence.measured.spread("ms_ssim", checkpoint).margin(*counts)
    rate = evidence.measured.spread("bpp", checkpoint).margin(*counts)
    return math.hypot(quality, slope * rate)


def _if_right(interval: Interval, first: str, second: str, metric: str) -> Interval | None:
    """A difference on the scale of `stable` with the paper's table values in place of ours; None if it prints none."""
    both = [printed(name, metric) for name in (first, second)]
    if None in both:
        return None
    ours, theirs = stable(metric, np.array(both, float))
    return Interval(ours - theirs, *(ours - theirs + end - interval.estimate for end in interval[1:]))


def _saved(interval: Interval) -> Interval:
    """A difference of log rates as the percentage of bits saved."""
    change = percent(interval)
    return Interval(-change.estimate, -change.high, -change.low)


def _around(estimate: float, margin: float, metric: str) -> Interval:
    """estimate +- margin, with the margin on the scale of `stable`."""
    if metric == "bpp":
        return Interval(
            estimate, estimate * math.exp(-margin), estimate * math.exp(margin) if margin < 700 else math.inf
        )
    if metric == "ms_ssim":
        decibel = float(ms_ssim_db(estimate))
        return Interval(estimate, 1 - 10 ** (-(decibel - margin) / 10), 1 - 10 ** (-(decibel + margin) / 10))
    return Interval(estimate, estimate - margin, estimate + margin)


def _remark(runs: MeasuredExperiment, metric: str) -> str:
    """Which checkpoint and how many runs."""
    remark = f"{runs.checkpoint} checkpoint, {len(runs.seeds)} run{'s' * (len(runs.seeds) > 1)}"
    if metric == "bpp" and "cross_entropy_bpp" in runs.values:
        remark += f"; cross entropy {np.mean(runs.means('cross_entropy_bpp')):.4f}"
    return remark
