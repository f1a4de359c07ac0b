"""Runs the files of a batch, one after another or in several processes."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from cvqn.cli.record import Record
from cvqn.cli.work import Outcome, Pair, Work
from cvqn.errors import CvqnError

_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def one_by_one(work: Work, record: Record, pairs: Iterator[Pair]) -> Iterator[tuple[Pair, Outcome | str]]:
    """Make each target from its source; yields each pair with its outcome, or with an error message."""
    prepared = False
    for source, target in pairs:
        if not prepared:
            work.prepare()
            prepared = True
        yield (source, target), make(work, record, source, target)


def in_processes(count: int, work: Work, record: Record, pairs: Iterator[Pair]) -> Iterator[tuple[Pair, Outcome | str]]:
    """Like `one_by_one`, in `count` processes.

    However the generator ends, the processes end first and remove what they have half written.

    Raises:
        CvqnError: `work` cannot be prepared, or a process was killed.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, _begin, (work, record))
    pending: dict[Future, Pair] = {}
    try:
        for pair in pairs:
            # Processes inherit the blocked signals. A terminal sends Ctrl-C to all of them; only this one handles it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            try:
                pending[pool.submit(_task, *pair)] = pair
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if len(pending) == count:  # more would queue in a process that may be told to end
                yield from _finished(pending)
        while pending:
            yield from _finished(pending)
    except BrokenProcessPool as error:
        raise CvqnError("a process of the batch was killed, perhaps for lack of memory; use fewer --jobs") from error
    finally:
        if pending:
            for process in multiprocessing.active_children():
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def make(work: Work, record: Record, source: Path, target: Path) -> Outcome | str:
    """Make a target and record it; returns its outcome, or an error message if it cannot be made."""
    from cvqn.files import sha256_file

    try:
        digest = sha256_file(source)
        outcome = work(source, target)
        record.add(target, digest)
        return outcome
    except CvqnError as error:
        return str(error)
    except OSError as error:
        return f"{source}: {error}"
    except MemoryError:
        return f"{source}: not enough memory"


def _finished(pending: dict[Future, Pair]) -> Iterator[tuple[Pair, Outcome | str]]:
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        yield pending.pop(future), future.result()


_given: tuple[Work, Record] | None = None
_prepared = _writing = False


def _begin(work: Work, record: Record) -> None:
    """Set up a worker process; it ends on SIGTERM, and when its parent ends."""
    global _given
    _given = work, record
    sys.stderr.isatty = lambda: False  # no bars within files: the batch has one
    signal.signal(signal.SIGTERM, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end(number: int, _: object) -> None:
    """End the process, after removing a half-written file."""
    signal.signal(number, signal.SIG_IGN)  # the pool sends it too, and would interrupt the removal
    if _writing:
        sys.exit(128 + number)
    os._exit(128 + number)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _task(source: Path, target: Path) -> Outcome | str:
    global _prepared, _writing
    assert _given
    work, record = _given
    if not _prepared:
        work.prepare()
        _prepared = True
    try:
        _writing = True
        return make(work, record, source, target)
    except SystemExit as ended:  # the pool would continue with the next file
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    finally:
        _writing = False
