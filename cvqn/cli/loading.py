"""Models, libraries and files that the commands on pictures load, each as late as possible."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cvqn.bitstream.errors import BitstreamError
from cvqn.errors import CvqnError

if TYPE_CHECKING:
    from cvqn.codecs.store import Stored

LARGEST_FILE = 1 << 30  # bytes of a .cvqn file; more than the largest picture takes
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def set_threads(threads: int | None, jobs: int) -> int | None:
    """Set how many threads the numeric libraries of each process will use; to be called before they are loaded.

    Returns the number for PyTorch: `threads` if given, else the cores divided among several jobs, else None, which
    leaves the libraries' own defaults.
    """
    if threads is None and jobs > 1:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = max(1, cores // jobs)
    if threads is not None:
        os.environ |= dict.fromkeys(_THREADS, str(threads))
    return threads


def prepare(folders: Iterable[Path], device: str, threads: int | None) -> None:
    """Load PyTorch and these models, and set PyTorch's threads unless None.

    Raises:
        CvqnError: PyTorch finds no GPU, or a model is damaged.
    """
    with deferred_signals():
        import torch

        import cvqn.compression  # noqa: F401

    if threads is not None:
        torch.set_num_threads(threads)
    for folder in folders:
        load(folder, device)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """While active, signals that end the program wait, because libraries abort if one arrives while they load."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def load(folder: Path, device: str) -> "Stored":
    """The model in a folder, loaded once per process.

    Raises:
        CvqnError: PyTorch finds no GPU, or the model is damaged.
    """
    with deferred_signals():
        import torch

        from cvqn.codecs.store import load_model

    if device == "cuda" and not torch.cuda.is_available():
        raise CvqnError("--device cuda: PyTorch finds no GPU; omit --device to run on the CPU")
    return load_model(folder, device)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put the file's name before the message of a BitstreamError."""
    try:
        yield
    except BitstreamError as error:
        raise type(error)(f"{path}: {error}") from error


def read_file(path: Path) -> bytes:
    """The bytes of a .cvqn file; of any other file only the first few, which suffice to refuse it.

    Raises:
        CvqnError: the file cannot be read, or has more than `LARGEST_FILE` bytes.
    """
    from cvqn.codecs.container import HEADER_SIZE, MAGIC

    try:
        with open(path, "rb") as file:
            data = file.read(HEADER_SIZE)
            if data.startswith(MAGIC):
                data += file.read(LARGEST_FILE)
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > LARGEST_FILE:
        raise CvqnError(f"{path}: more than {LARGEST_FILE:,} bytes; no .cvqn file is that large, so name another")
    return data


def named(name: str, stream: str) -> Path:
    """The path that an argument names; `-` stands for `stream`.

    Raises:
        CvqnError: the name is empty.
    """
    if not name:
        raise CvqnError("'': the name is empty; name a file, or - for a standard stream")
    return Path(stream if name == "-" else name)
