"""Measures of claims about trainings: memory and stability."""

import numpy as np

from cvqn.lab.evaluation.statistics import bootstrap_interval, image_weights, pooled_spread, widen
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured, exactly
from cvqn.lab.report.sources import read_table, with_numbers


def training_memory(evidence: Evidence, expected: object, experiment: str, other: str) -> Finding:
    """How much higher the peak memory of the training device is with `other`, MB, without the training images."""
    (path, own), (other_path, theirs) = evidence.provenance(experiment), evidence.provenance(other)
    if own.peak_memory_bytes is None or theirs.peak_memory_bytes is None:
        raise NotMeasured("the trainings did not run on a device that counts its memory")
    if own.gpu_name != theirs.gpu_name:
        raise NotMeasured(f"the trainings ran on different GPUs, {own.gpu_name} and {theirs.gpu_name}")
    peaks = own.peak_memory_bytes, theirs.peak_memory_bytes
    value = exactly(f"peak memory of {other} above {experiment}", (peaks[1] - peaks[0]) / 1e6, "MB")
    note = f"{peaks[0] / 1e9:.2f} and {peaks[1] / 1e9:.2f} GB on {own.gpu_name}"
    return Finding((value,), (path, other_path), note, (experiment, other))


def training_stability(evidence: Evidence, expected: object, experiment: str, other: str) -> Finding:
    """Logarithm of the ratio of mean jumps of the loss between logged steps, `other` over `experiment`."""
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
        (experiment, other),
    )


def loss_jumps(path: str) -> np.ndarray:
    """|log loss - log previous loss| between the logged steps of a training."""
    losses = with_numbers(read_table(path, ("loss",)), ("loss",))["loss"].to_numpy(float)
    if len(losses) < 3:
        raise NotMeasured(f"{path} has too few steps")
    return np.abs(np.diff(np.log(losses)))
