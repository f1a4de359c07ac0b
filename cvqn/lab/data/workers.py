"""A function over many items on all cores, with a progress bar."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection

from tqdm import tqdm

from cvqn.errors import CvqnError

FEW = 16  # items that are not worth starting processes for


def parallel(function: Callable, items: Sequence, label: str, workers: int | None = None) -> Iterator:
    """Yield `function(item)` in the order of the items; `workers` defaults to the cores this process may use.

    Raises:
        CvqnError: a worker was killed. What `function` raises is passed on, and what is left is not begun.
    """
    workers = workers or len(os.sched_getaffinity(0))
    with tqdm(desc=label, total=len(items), unit="image", disable=None) as bar:
        if workers == 1 or len(items) <= FEW:
            for item in items:
                yield function(item)
                bar.update()
            return
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        pool = ProcessPoolExecutor(min(workers, len(items)), context, initializer=_begin)
        try:
            for result in pool.map(function, items):
                yield result
                bar.update()
        except BrokenProcessPool as error:
            raise CvqnError(f"{label}: a worker was killed, out of memory perhaps; run again with fewer") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
