"""Measures of claims about trainings: memory and stability."""

import numpy as np

from cvqn.lab.evaluation.statistics import bootstrap_interval, image_weights, pooled_spread, widen
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured, exactly
from cvqn.lab.report.sources import read_table, with_numbers


def training_memory(evidence: Evidence, expected: object, experiment: str, other: str) -> Finding:
    """By how much the peak memory of the training device is higher with `other`, percent."""
    (path, own), (other_path, theirs) = evidence.provenance(experiment), evidence.provenance(other)
    if own.peak_memory_bytes is None or theirs.peak_memory_bytes is None:
        raise NotMeasured("the trainings did not run on a device that counts its memory")
    what = f"peak memory of {other} above {experiment}"
    return Finding(
        (exactly(what, 100 * (theirs.peak_memory_bytes / own.peak_memory_bytes - 1), "%"),), (path, other_path)
    )


def training_stability(evidence: Evidence, expected: object, experiment: str, other: str) -> Finding:
    """By how much the loss of `other` jumps more from one logged step to the next, percent of its level."""
    paths = [evidence.log(name) for name in (experiment, other)]
    jumps = [loss_jumps(path) for path in paths]
    resampled = []
    for values in jumps:
        weights = image_weights(len(values), evidence.resamplings)
        resampled.append(np.log(weights @ values))
    log_ratio = bootstrap_interval(resampled[1] - resampled[0])
    spread = pooled_spread(
        [np.log([loss_jumps(path).mean() for path in logs]) for logs in evidence.logs().values() if len(logs) > 1]
    )
    interval = widen(log_ratio, spread.margin(1, 1))
    what = f"log ratio of the mean jump of the loss, {other} over {experiment}"
    return Finding(
        (Measured(what, interval),),
        tuple(paths),
        "jump: change of the logarithm of the loss between logged steps",
    )


def loss_jumps(path: str) -> np.ndarray:
    """|log loss - log previous loss| between the logged steps of a training."""
    losses = with_numbers(read_table(path, ("loss",)), ("loss",))["loss"].to_numpy(float)
    if len(losses) < 3:
        raise NotMeasured(f"{path} has too few steps")
    return np.abs(np.diff(np.log(losses)))
