"""A function over many items on all cores, with a progress bar."""

import collections
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm


def parallel(function: Callable, items: Sequence, label: str, workers: int | None = None) -> Iterator:
    """Yield `function(item)` in the order of the items; `workers` defaults to the cores this process may use.

    Threads, since decoders and checksums let go of Python's lock. At most two results per worker wait to be taken.
    What `function` raises is passed on, and what is left is not begun.
    """
    workers = workers or len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(workers)
    waiting = collections.deque()
    try:
        for item in tqdm(items, desc=label, unit="image", disable=None):
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
