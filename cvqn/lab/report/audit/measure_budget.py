"""Measures of claims that CVQN is better than another learned codec at equal training steps, images and crops."""

import math
from typing import NamedTuple

import numpy as np

from cvqn.lab.evaluation.bd_rate import rising
from cvqn.lab.evaluation.rate_distortion import Points, curve, points
from cvqn.lab.evaluation.statistics import image_weights
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.measure_curves import at_rates, over_images, slope
from cvqn.lab.report.audit.measure_runs import matched_rate_margin
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured
from cvqn.lab.report.budget import budget, words
from cvqn.lab.settings.configuration import Experiment

LENGTH = ("epochs", "drop_epochs", "warmup_epochs", "fine_tuning")
"""Settings of a training that depend on its length."""


class Seen(NamedTuple):
    """What must be equal of two trainings; `crops` with repetitions."""

    steps: int
    images: int
    crops: int
    pack_sha256: str

    def __str__(self) -> str:
        return f"{self.steps:,} steps and {self.crops:,} crops of {self.images:,} images"


class Side(NamedTuple):
    """A codec's experiments at the last checkpoint."""

    codec: str
    points: Points
    files: tuple[str, ...]
    seeds: int


def above_at_equal_steps(evidence: Evidence, expected: object, codec: str) -> Finding:
    """How far the method is above another learned codec in MS-SSIM (dB) at equal rate, training steps and crops.

    The method's experiments are trained as those of the rate curve, except for the length of the training. All models
    are those at the last checkpoint. If the other codec has a curve, it is read at the method's rates; else the
    method's curve is read at the other's rate.
    """
    names = [name for name in evidence.learned_curves.get(codec, []) if evidence.measured.get(name)]
    if not names:
        raise NotMeasured(f"no run of {codec} in report.learned was measured")
    equal = {_seen(evidence, name) for name in names}
    if len(equal) > 1:
        raise NotMeasured(f"the trainings of {codec} differ: {'; '.join(map(str, sorted(equal)))}")
    own = [name for name in _of_method(evidence) if evidence.measured.get(name) and _seen(evidence, name) in equal]
    if not own:
        raise NotMeasured(f"no training of {evidence.method} with {equal.pop()} was measured")
    ours, theirs = _side(evidence, evidence.method, own), _side(evidence, codec, names)
    if ours.points.images != theirs.points.images:
        raise NotMeasured(f"{codec} was measured on other images than {evidence.method}")
    values, uncovered = _gains(evidence, ours, theirs)
    budgets = [f"{name}: {words(budget(evidence.provenance(name)[1]))}" for name in (*own, *names)]
    note = "; ".join([*budgets, *([f"not covered by both: {', '.join(uncovered)}"] if uncovered else [])])
    return Finding(values, (*ours.files, *theirs.files), f"last checkpoints; {note}", (*own, *names))


def _gains(evidence: Evidence, ours: Side, theirs: Side) -> tuple[tuple[Measured, ...], list[str]]:
    """A value for each point within the rates of the other's curve, and the points outside it, in words."""
    single, line, sign = (ours, theirs, 1) if len(theirs.points.settings) > 1 else (theirs, ours, -1)
    if len(line.points.settings) < 2:
        raise NotMeasured(f"neither {ours.codec} nor {theirs.codec} has a curve at this number of steps")
    weights = image_weights(len(ours.points.images), evidence.resamplings)
    known, drawn = curve(single.points, weights), curve(line.points, weights)
    whole = drawn.bpp[0], drawn.ms_ssim_db[0]
    if isinstance(wrong := rising(*whole), str):
        raise NotMeasured(f"{line.codec}: {wrong}")
    values, uncovered = [], []
    for place, name in enumerate(known.settings):
        rates, quality = known.bpp[:, place], known.ms_ssim_db[:, place]
        lines = zip(drawn.bpp, drawn.ms_ssim_db, rates[:, None], strict=True)
        gains = sign * (quality - np.array([at_rates(*line, rate)[0] for *line, rate in lines]))
        if not math.isfinite(gains[0]):
            uncovered.append(f"{name} at {rates[0]:.4f} bpp")
            continue
        margin = matched_rate_margin(evidence, slope(*whole, float(rates[0])), "last", ours.seeds, theirs.seeds)
        what = f"{ours.codec} above {theirs.codec} at the rate of {name}, {rates[0]:.4f} bpp"
        values.append(Measured(what, over_images(gains, margin), "dB"))
    if not values:
        raise NotMeasured(f"{ours.codec} and {theirs.codec} share no rate: {', '.join(uncovered)}")
    return tuple(values), uncovered


def _side(evidence: Evidence, codec: str, names: list[str]) -> Side:
    runs = [evidence.measured.get(name) for name in names]
    rows = evidence.measurements
    rows = rows[rows["experiment"].isin(names) & (rows["checkpoint"] == "last")]
    files = tuple(file for one in runs for file in one.files)
    return Side(codec, points(rows, by="experiment"), files, min(len(one.seeds) for one in runs))


def _of_method(evidence: Evidence) -> list[str]:
    """Experiments of the report that differ from those of the rate curve at most in the length of the training."""
    report, experiments = evidence.configuration.report, evidence.configuration.experiments
    kinds = [_but_for_length(experiments[name]) for name in report.rate_curve]
    return [name for name in report.experiments if _but_for_length(experiments[name]) in kinds]


def _but_for_length(one: Experiment) -> tuple[str, dict, dict]:
    training = one.training.plain()
    return one.codec, one.model.plain(), {key: value for key, value in training.items() if key not in LENGTH}


def _seen(evidence: Evidence, name: str) -> Seen:
    record = evidence.provenance(name)[1]
    found = budget(record)
    return Seen(found.steps, found.training_images, found.crops, record.training_images.pack_sha256)
