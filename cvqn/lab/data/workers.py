"""Applies a function to many items on all cores, with a progress bar."""

import collections
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm


def parallel(function: Callable, items: Sequence, label: str, workers: int | None = None) -> Iterator:
    """Yield `function(item)` in the order of the items; `workers` defaults to the cores this process may use.

    The workers are threads, since decoders and checksums release Python's lock. At most two results per worker wait to
    be consumed. An exception of `function` is passed on, and items not yet begun are dropped.
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
