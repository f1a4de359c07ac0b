"""Measures of claims about the experiments' own settings, and of what follows from settings alone."""

import math
from collections.abc import Sequence

from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.verdicts import Comparison, Measured, NotMeasured, exactly


def setting(evidence: Evidence, expected: object, key: str) -> Measured:
    """A number or a list of numbers under a dotted key of the resolved configuration."""
    value: object = evidence.config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise NotMeasured(f"the configuration has no {key}")
        value = value[part]
    return Measured(_compare(key, value, expected), (evidence.config_path,))


def widths(evidence: Evidence, expected: Sequence[int], experiment: str, part: str) -> Measured:
    """Channels of the stages of `part`, encoder or decoder, with the scale's factor."""
    model = evidence.config["experiments"][experiment]["model"]
    values = [round(width * model["width"]) for width in model[f"{part}_widths"]]
    return Measured(_compare(f"{part} widths of {experiment}", values, expected), (evidence.config_path,))


def groups(evidence: Evidence, expected: int, experiment: str) -> Measured:
    """The number of groups, G."""
    levels = evidence.config["experiments"][experiment]["model"]["levels"]
    return Measured((exactly(f"groups of {experiment}", len(levels)),), (evidence.config_path,))


def rate_points(evidence: Evidence, expected: int, what: str) -> Measured:
    """Of the rate-distortion curve: the `count` of points, or C of the `first` or the `last`."""
    channels = [
        evidence.config["experiments"][name]["model"]["channels"] for name in evidence.config["report"]["rate_curve"]
    ]
    value = {"count": len(channels), "first": min(channels), "last": max(channels)}[what]
    name = "rate points" if what == "count" else f"C of the {what} rate point"
    return Measured((exactly(name, value),), (evidence.config_path,))


def seeds(evidence: Evidence, expected: int) -> Measured:
    """Runs of each experiment of the tables."""
    report = evidence.config["report"]
    runs = [evidence.experiment(name) for name in dict.fromkeys([*report["table1"], *report["table2"]])]
    comparisons = tuple(exactly(f"runs of {one.name}", len(one.seeds)) for one in runs)
    return Measured(comparisons, tuple(file for one in runs for file in one.files))


def training_images(evidence: Evidence, expected: int, experiment: str) -> Measured:
    """How many images the training drew its crops from."""
    path, record = evidence.provenance(experiment)
    return Measured((exactly("training images", record["training_images"]["count"]),), (path,))


def optimizer(evidence: Evidence, expected: str, experiment: str) -> Measured:
    """Whether the training recorded the optimizer that the paper names: 1 or 0."""
    path, record = evidence.provenance(experiment)
    if "optimizer" not in record:
        raise NotMeasured(f"{path} does not name the optimizer")
    same = exactly(f"the optimizer is {expected} (1: yes)", record["optimizer"] == expected, expected=1.0)
    return Measured((same,), (path,), f"recorded: {record['optimizer']}")


def bound_order(evidence: Evidence, expected: object, pairs: Sequence[Sequence[str]]) -> Measured:
    """For each pair by how much the first's bound r^T log2 q, equation (7), lies below the second's, bits a symbol."""
    bounds = {name: bound(evidence.config["experiments"][name]["model"]) for pair in pairs for name in pair}
    comparisons = tuple(
        exactly(f"bound of {first} below that of {second}", bounds[second] - bounds[first], "bit/symbol")
        for first, second in pairs
    )
    note = ", ".join(f"{name}: {value:.5f}" for name, value in bounds.items())
    return Measured(comparisons, (evidence.config_path,), f"r^T log2 q: {note}")


def soft_quantizer(evidence: Evidence, expected: object) -> Measured:
    """The largest difference between equation (4) and the soft quantizer at equal weights and sigma = sqrt(2)/2."""
    if evidence.identities is None:
        raise NotMeasured("the identities were not checked")
    path, identities = evidence.identities
    found = identities["soft_quantizer"]
    levels = f"Q = {found['levels'][0]} to {found['levels'][-1]}"
    comparisons = (
        exactly(
            f"largest difference of soft values over {found['points']} latents, {levels}", found["largest_difference"]
        ),
        exactly("latents whose hard values differ", found["hard_differences"]),
    )
    return Measured(comparisons, (path,), "the difference is a share of the range of the means")


def bound(model: dict) -> float:
    """r^T log2 q of equation (7), bits a symbol, of the section `model` of an experiment."""
    return sum(ratio * math.log2(levels) for ratio, levels in zip(model["ratios"], model["levels"], strict=True))


def _compare(name: str, value: object, expected: object) -> tuple[Comparison, ...]:
    if isinstance(expected, list):
        if not isinstance(value, list) or len(value) != len(expected):
            return (exactly(f"{name} has {len(expected)} entries (1: yes)", 0, expected=1.0),)
        return tuple(
            exactly(f"{name}, {position}", one, expected=float(other))
            for position, (one, other) in enumerate(zip(value, expected, strict=True), start=1)
        )
    return (exactly(name, value),)
