"""The files of a batch, one after another or in several processes."""

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
    """Make each target of its source; yields what was made, or what is wrong with it."""
    prepared = False
    for source, target in pairs:
        if not prepared:
            work.prepare()
            prepared = True
        yield (source, target), make(work, record, source, target)


def in_processes(count: int, work: Work, record: Record, pairs: Iterator[Pair]) -> Iterator[tuple[Pair, Outcome | str]]:
    """The same in `count` processes. They end before it does, whatever it ends by, and clear away what is half written.

    Raises:
        CvqnError: `work` cannot be prepared, or a process was killed.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, _begin, (work, record))
    pending: dict[Future, Pair] = {}
    try:
        for pair in pairs:
            # Processes inherit what is blocked: Ctrl-C, which a terminal sends to all of them, is for this one only.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            try:
                pending[pool.submit(_task, *pair)] = pair
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if len(pending) == count:  # no more, so that none waits in a process that is told to end
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
    """Make a target and note it; what is wrong with it where it cannot be made."""
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
    """In a process of its own: what it works with, and that it ends by SIGTERM, and with the program that began it."""
    global _given
    _given = work, record
    sys.stderr.isatty = lambda: False  # no bars within files: the batch has one
    signal.signal(signal.SIGTERM, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end(number: int, _: object) -> None:
    """End by a signal, after what is being written is cleared away."""
    signal.signal(number, signal.SIG_IGN)  # the pool sends it too, and would break off the clearing away
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
    except SystemExit as ended:  # the pool would go on with the next
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    finally:
        _writing = False
