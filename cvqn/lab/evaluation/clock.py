"""CPU time that a codec takes, which other jobs on the machine do not lengthen, and where it ran."""

import resource
import time

from cvqn.codecs.interface import Codec


def cpu_seconds() -> float:
    """CPU seconds that this process and the programs that it ran have used so far; work on a GPU does not count."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def place(codec: Codec) -> dict[str, object]:
    """Where a codec computes: `device` and CPU `threads`. A conventional codec has one thread."""
    return {"device": getattr(codec, "device", "cpu"), "threads": getattr(codec, "threads", 1)}


def written(seconds: float, codec: Codec) -> str:
    """CPU seconds for a table; empty if the codec ran on another device, whose work they lack."""
    return f"{seconds:.6f}" if place(codec)["device"] == "cpu" else ""
