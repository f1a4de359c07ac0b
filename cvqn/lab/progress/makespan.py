"""Estimates of the wall time of trainings on a number of GPUs."""

import csv
import heapq
import math
from collections.abc import Iterable
from pathlib import Path


def makespan(seconds: Iterable[float], gpus: int) -> float:
    """Seconds until the last training ends, if each in turn takes the GPU that is free first (list scheduling)."""
    free = [0.0] * gpus
    for length in seconds:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def logged_seconds(log: Path, batch: int) -> float:
    """How long a finished training took in all its pieces, by its log.csv."""
    seconds, last_step = 0.0, 0
    with open(log, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            seconds += (int(row["step"]) - last_step) * batch / float(row["images_per_s"])
            last_step = int(row["step"])
    return seconds


def duration(seconds: float | None) -> str:
    """Hours and minutes, `?` for None."""
    if seconds is None:
        return "?"
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
