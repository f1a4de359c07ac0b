"""The process that runs the cases of a target, one after another, and watches what each of them does."""

import contextlib
import io
import os
import re
import resource
import shutil
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple

from cvqn.errors import CvqnError

SECONDS = 10.0  # of processor time that a case may take
MEMORY = 1 << 30  # bytes that the process may hold at any time of a case
SPARE = 4 << 30  # of address space beyond what the process has when it begins: ends what would take the machine's all
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
            "os.chown", "os.utime"}  # fmt: skip


class Outcome(NamedTuple):
    """What a case came to."""

    case: int
    verdict: str  # accepted, refused, or what is wrong
    detail: str
    seconds: float
    memory: int


def work(connection: Connection, scratch: Path, target_name: str, seed: int, cases: range) -> None:
    """Run cases in a folder; the number of each is sent before it, its outcome after it."""
    from tests.fuzz.targets import TARGETS

    sys.dont_write_bytecode = True
    guard = _Guard(scratch)
    target = TARGETS[target_name](guard.scratch / "valid")
    used = int(re.search(r"VmSize:\s+(\d+)", _status())[1]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, resource.RLIM_INFINITY))
    for case in cases:
        connection.send(case)
        connection.send(_run(target, guard, case, Random(f"{target_name} {seed} {case}")))


def _run(target, guard: "_Guard", case: int, random: Random) -> Outcome:
    folder = guard.scratch / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target.write(random, folder)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is measured from here
    began = time.process_time()
    verdict, detail = "accepted", ""
    progress = contextlib.redirect_stderr(io.StringIO())
    with progress, guard.watching(folder) as broken:
        try:
            target.read(folder)
        except CvqnError as error:
            verdict, detail = "refused", str(error)
        except BaseException as error:
            verdict, detail = f"escaped: {type(error).__name__}", traceback.format_exc()
    seconds = time.process_time() - began
    memory = int(re.search(r"VmHWM:\s+(\d+)", _status())[1]) << 10
    if broken:
        verdict, detail = "outside", "; ".join(broken)
    elif seconds > SECONDS:
        verdict, detail = "slow", f"{seconds:.1f} s"
    elif memory > MEMORY:
        verdict, detail = "memory", f"{memory >> 20} MB"
    elif verdict == "refused" and not detail.strip():
        verdict = "no message"
    return Outcome(case, verdict, detail, seconds, memory)


class _Guard:
    """Notices every change outside a folder, and keeps the network away."""

    def __init__(self, scratch: Path):
        self.scratch = scratch.resolve()
        self._allowed: str | None = None
        self._broken: list[str] = []
        sys.addaudithook(self._hook)

    @contextlib.contextmanager
    def watching(self, folder: Path) -> Iterator[list[str]]:
        """Within it what is changed outside the folder is noted in the list."""
        self._broken = []
        self._allowed = f"{folder}{os.sep}"
        try:
            yield self._broken
        finally:
            self._allowed = None

    def _hook(self, event: str, arguments: tuple) -> None:
        if self._allowed is None:
            return
        if event in ("socket.connect", "socket.getaddrinfo"):
            raise socket.gaierror("no network here")
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            self._broken.append(f"{event} {arguments[:2]}")
        if event in _CHANGES or (event == "open" and (arguments[2] or 0) & _WRITES):
            for path in arguments[:2] if event in ("os.rename", "os.link") else arguments[:1]:
                if isinstance(path, int) or os.fsdecode(path) == os.devnull:
                    continue
                folder, name = os.path.split(os.fsdecode(path))
                place = os.path.join(os.path.realpath(folder), name)
                if not os.path.join(place, "").startswith(self._allowed):
                    self._broken.append(f"{event} {os.fsdecode(path)}")


def _status() -> str:
    return Path("/proc/self/status").read_text()
