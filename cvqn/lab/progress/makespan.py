"""Estimates of the wall time of trainings on a number of GPUs."""

import heapq
import math
from collections.abc import Iterable


def makespan(seconds: Iterable[float], gpus: int) -> float:
    """Seconds until the last training ends, if each in turn takes the GPU that is free first (list scheduling)."""
    free = [0.0] * gpus
    for length in seconds:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def duration(seconds: float | None) -> str:
    """Hours and minutes, `?` for None."""
    if seconds is None:
        return "?"
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
