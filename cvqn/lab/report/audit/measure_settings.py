"""Measures of claims about the settings of experiments, and about what follows from settings alone."""

import math
from collections.abc import Sequence
from typing import Any

from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured, exactly


def setting(evidence: Evidence, expected: object, key: str) -> Finding:
    """The number or list of numbers under a dotted key of the resolved configuration."""
    value: object = evidence.configuration.plain()
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise NotMeasured(f"the configuration has no {key}")
        value = value[part]
    return Finding(_compare(key, value, expected), (evidence.results.config,))


def drops(evidence: Evidence, expected: object, experiment: str, key: str) -> Finding:
    """`drop_epochs` or `drop_factor` of an experiment's learning rates: none and 1 if its schedule has no drops."""
    training = evidence.configuration.experiments[experiment].training.plain()
    value = training[key] if training["schedule"] == "drops" else {"drop_epochs": [], "drop_factor": 1}[key]
    return Finding(_compare(f"{key} of {experiment}", value, expected), (evidence.results.config,))


def widths(evidence: Evidence, expected: Sequence[int], experiment: str, part: str) -> Finding:
    """Channels of the stages of `part`, encoder or decoder, times the scale's width factor."""
    factor, base = _model_settings(evidence, experiment, "width", f"{part}_widths")
    values = [round(width * factor) for width in base]
    return Finding(_compare(f"{part} widths of {experiment}", values, expected), (evidence.results.config,))


def groups(evidence: Evidence, expected: int, experiment: str) -> Finding:
    """The number of groups, G."""
    [levels] = _model_settings(evidence, experiment, "levels")
    return Finding((exactly(f"groups of {experiment}", len(levels)),), (evidence.results.config,))


def rate_points(evidence: Evidence, expected: int, what: str) -> Finding:
    """For the rate-distortion curve, as `what` says: the `count` of points, or C of the `first` or the `last` one."""
    channels = [_model_settings(evidence, name, "channels")[0] for name in evidence.configuration.report.rate_curve]
    value = {"count": len(channels), "first": min(channels), "last": max(channels)}[what]
    name = "rate points" if what == "count" else f"C of the {what} rate point"
    return Finding((exactly(name, value),), (evidence.results.config,))


def seeds(evidence: Evidence, expected: int) -> Finding:
    """The number of runs of each experiment in the tables."""
    runs = [evidence.experiment(name) for name in evidence.table_experiments]
    values = tuple(exactly(f"runs of {one.name}", len(one.seeds)) for one in runs)
    return Finding(values, tuple(file for one in runs for file in one.files))


def training_images(evidence: Evidence, expected: int, experiment: str) -> Finding:
    """How many images the training drew its crops from."""
    path, record = evidence.provenance(experiment)
    return Finding((exactly("training images", record.training_images.count),), (path,))


def optimizer(evidence: Evidence, expected: str, experiment: str) -> Finding:
    """1 if the training recorded the optimizer that the paper names, else 0."""
    path, record = evidence.provenance(experiment)
    same = exactly(f"the optimizer is {expected} (1: yes)", record.optimizer == expected, expected=1.0)
    return Finding((same,), (path,), f"recorded: {record.optimizer}")


def bound_order(evidence: Evidence, expected: object, pairs: Sequence[Sequence[str]]) -> Finding:
    """For each pair, how far the first's bound r^T log2 q, equation (7), is below the second's, bits per symbol."""
    bounds = {name: bound(*_model_settings(evidence, name, "levels", "ratios")) for pair in pairs for name in pair}
    values = tuple(
        exactly(f"bound of {first} below that of {second}", bounds[second] - bounds[first], "bit/symbol")
        for first, second in pairs
    )
    note = ", ".join(f"{name}: {value:.5f}" for name, value in bounds.items())
    return Finding(values, (evidence.results.config,), f"r^T log2 q: {note}")


def soft_quantizer(evidence: Evidence, expected: object) -> Finding:
    """The largest difference between equation (4) and the soft quantizer at equal weights and sigma = sqrt(2)/2."""
    path, identities = evidence.identities
    found = identities.soft_quantizer
    levels = f"Q = {found.levels[0]} to {found.levels[-1]}"
    values = (
        exactly(f"largest difference of soft values over {found.points} latents, {levels}", found.largest_difference),
        exactly("latents whose hard values differ", found.hard_differences),
    )
    return Finding(values, (path,), "the difference is a share of the range of the means")


def bound(levels: Sequence[int], ratios: Sequence[float]) -> float:
    """r^T log2 q of equation (7), bits per symbol."""
    return sum(ratio * math.log2(count) for ratio, count in zip(ratios, levels, strict=True))


def _model_settings(evidence: Evidence, experiment: str, *names: str) -> list[Any]:
    """Settings of an experiment's network.

    Raises:
        NotMeasured: its codec has no such setting.
    """
    own = evidence.configuration.experiments[experiment]
    model = own.model.plain()
    if missing := [name for name in names if name not in model]:
        raise NotMeasured(f"{experiment} is trained with {own.codec}, whose model has no {missing[0]}")
    return [model[name] for name in names]


def _compare(name: str, value: object, expected: object) -> tuple[Measured, ...]:
    if isinstance(expected, list):
        if not isinstance(value, list) or len(value) != len(expected):
            return (exactly(f"{name} has {len(expected)} entries (1: yes)", 0, expected=1.0),)
        return tuple(
            exactly(f"{name}, {position}", one, expected=float(other))
            for position, (one, other) in enumerate(zip(value, expected, strict=True), start=1)
        )
    return (exactly(name, value),)
