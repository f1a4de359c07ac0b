"""Time that a codec takes, by a measure that other jobs on the machine do not lengthen."""

import resource
import time


def cpu_seconds() -> float:
    """CPU seconds that this process and the programs that it ran have used so far; work on a GPU is not in it."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
