"""The store of trainings, which keeps their progress where Snakemake does not delete it.

Snakemake deletes the outputs of a job that failed or is about to run. So a training works in an entry of the store,
`results/<scale>/trainings/<run>-<key>`, whose key is a hash of everything that the training depends on:

    claim           locked while a process trains, and names it
    state.pt        the state from which a training resumes
    log.csv         a row per logging step so far
    ended.json      how and why the last attempt ended, if it did not finish
    finished/       the trained models and all other outputs of the job; complete or absent

The outputs of a job are links to the files in `finished`. Only `cvqn prune` removes entries.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, Literal

from cvqn.documents import Strict, checked
from cvqn.errors import CvqnError, DiskFullError
from cvqn.files import atomic_write, place, read_json

WAIT_SECONDS = 5
UNLOCKABLE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class Paused(CvqnError):
    """The training was asked to stop, or its time was up; its state is saved, and the next attempt resumes from it."""

    exit_code = 75

    def __init__(self, message: str, time_was_up: bool = False):
        super().__init__(message)
        self.time_was_up = time_was_up


class Diverged(CvqnError):
    """The training has diverged; another attempt would diverge as well."""

    exit_code = 76


class Ended(Strict):
    """How an attempt ended, if it did not finish the training."""

    how: Literal["paused", "diverged", "disk full", "failed"]
    reason: str
    time_was_up: bool = False
    """Whether a pause was due to the job's time limit rather than a request."""

    @property
    def is_final(self) -> bool:
        """Whether another attempt, with nothing changed, would end the same way."""
        return self.how in ("diverged", "disk full")


def key_of(*parts: object) -> str:
    """Twelve hexadecimal digits of the SHA-256 of JSON-serializable parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


class Entry:
    """One training in the store.

    Args:
        store: the folder of the store.
        run: name of the run.
        key: hash of settings, seed, images and code.
    """

    def __init__(self, store: Path, run: str, key: str):
        self.folder = store / f"{run}-{key}"
        self.state_path = self.folder / "state.pt"
        self.log_path = self.folder / "log.csv"
        self.finished_path = self.folder / "finished"
        self._ended_path = self.folder / "ended.json"
        self._claim_path = self.folder / "claim"

    @property
    def finished(self) -> bool:
        """Whether the training has finished."""
        return self.finished_path.is_dir()

    @property
    def ended(self) -> Ended | None:
        """How the last attempt ended, if it did not finish."""
        path = self._ended_path
        return checked(Ended, read_json(path), str(path)) if path.exists() else None

    @property
    def claimant(self) -> str | None:
        """The process that is training now, in words, or None."""
        try:
            with open(self._claim_path, "r+", encoding="utf-8") as file:
                if _lock(file):
                    return None
                return file.read().strip() or "another process"
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def claim(self, time_limit: float | None = None) -> Iterator[None]:
        """While active, only this process trains; waits until no other does.

        If the body raises an exception, ended.json records it.

        Raises:
            Paused: the other process was still training after `time_limit` seconds.
            Diverged: an earlier attempt diverged.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self._claim_path, "a+", encoding="utf-8") as file:
            self._wait(file, time_limit)
            before = self.ended
            if before is not None and before.how == "diverged":
                raise Diverged(f"{before.reason}; change its settings, or delete {self._ended_path} to try again")
            file.truncate(0)
            file.write(f"process {os.getpid()} on {os.uname().nodename}{_slurm_job()}")
            file.flush()
            self._ended_path.unlink(missing_ok=True)
            try:
                yield
            except Paused as error:
                self._leave_word("paused", error)
                raise
            except Diverged as error:
                self._leave_word("diverged", error)
                raise
            except BaseException as error:
                with contextlib.suppress(CvqnError):  # if the disk is full, this fails too
                    self._leave_word("disk full" if isinstance(error, DiskFullError) else "failed", error)
                raise

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None if there is none.

        Raises:
            CvqnError: the state is damaged.
        """
        import torch

        if not self.state_path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.state_path, map_location="cpu", weights_only=True)
            return state
        except (RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
            raise CvqnError(f"{self.state_path}: damaged ({error}); delete it to start from the beginning") from error

    def save(self, state: dict[str, Any]) -> None:
        """Write the state; the previous one is kept until the new one is complete."""
        import torch

        with atomic_write(self.state_path) as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # torch hides the error of a full disk behind its own
                raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None

    def finish(self, write: Callable[[Path], None]) -> None:
        """Let `write` fill a folder, rename it to `finished`, and remove the state and the log beside it."""
        part = self.folder / f"finished.{os.getpid()}.part"
        shutil.rmtree(part, ignore_errors=True)
        try:
            write(part)
            part.rename(self.finished_path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self.state_path.unlink(missing_ok=True)
        self.log_path.unlink(missing_ok=True)

    def publish(self, output: Path) -> None:
        """Link the files of the finished training into the folder `output`, as the outputs of the job."""
        for path in sorted(self.finished_path.rglob("*")):
            if path.is_file():
                place(path, output / path.relative_to(self.finished_path))

    def _wait(self, file: IO[str], time_limit: float | None) -> None:
        began, told = time.monotonic(), False
        while not _lock(file):
            if not told:
                file.seek(0)
                print(f"{self.folder}: {file.read()} trains this; waiting for it", file=sys.stderr, flush=True)
                told = True
            if time_limit is not None and time.monotonic() - began > time_limit:
                raise Paused(f"{self.folder}: another process still trains this at the end of the time limit", True)
            time.sleep(WAIT_SECONDS)

    def _leave_word(self, how: Literal["paused", "diverged", "disk full", "failed"], error: BaseException) -> None:
        reason = str(error) if isinstance(error, CvqnError) else f"{type(error).__name__}: {error}"
        with atomic_write(self._ended_path, "w") as file:
            time_was_up = getattr(error, "time_was_up", False)
            json.dump(Ended(how=how, reason=reason, time_was_up=time_was_up).model_dump(), file)


def _lock(file: IO[str]) -> bool:
    """Lock the file unless another process has; on a file system without locks this always succeeds."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNLOCKABLE:
            raise
    return True


def _slurm_job() -> str:
    job = os.environ.get("SLURM_JOB_ID")
    return f", SLURM job {job}" if job else ""
