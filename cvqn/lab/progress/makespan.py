"""Expected wall time of a scale's trainings on a number of GPUs."""

import csv
import heapq
from collections.abc import Iterable
from pathlib import Path

from cvqn.lab.settings import configuration


def makespan(seconds: Iterable[float], gpus: int) -> float:
    """When the last training ends if each, in this order, takes the GPU that is free first (list scheduling)."""
    free = [0.0] * gpus
    for length in seconds:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def recorded_seconds(config: dict, results: Path) -> dict[str, float | None]:
    """How long each training took by its log.csv, all pieces together; None for those that have not ended."""
    return {
        run: _seconds(results / "runs" / run / "log.csv", settings["training"]["batch"])
        for run, settings in configuration.runs(config).items()
    }


def _seconds(log: Path, batch: int) -> float | None:
    if not log.exists():
        return None
    seconds, last_step = 0.0, 0
    with open(log, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            seconds += (int(row["step"]) - last_step) * batch / float(row["images_per_s"])
            last_step = int(row["step"])
    return seconds
