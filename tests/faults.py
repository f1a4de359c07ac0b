"""Faults at each call by which files are written: a full disk, and signals that end the process."""

import builtins
import errno
import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from cvqn.cli import main, parser

CALLS = ("open", "mkdir", "fsync", "fchmod", "posix_fallocate", "link", "utime", "replace", "rename", "unlink", "rmdir")
NEVER_FULL = ("unlink", "fchmod", "utime", "rmdir")
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP, "SIGKILL": signal.SIGKILL}
Fault = Callable[[int, str], None]


@contextmanager
def watched(before: Fault) -> Iterator[None]:
    """Within it `before` is called, with number and name, before each call of `CALLS` and each write to a file."""
    count, real = 0, {name: getattr(os, name) for name in (*CALLS, "fdopen")}

    def through(name, function):
        def call(*arguments, **options):
            nonlocal count
            count += 1
            before(count, name)
            return function(*arguments, **options)

        return call

    class Raw(io.FileIO):
        write = through("write", io.FileIO.write)

    def fdopen(descriptor, mode="r", **text):
        if "w" not in mode:
            return real["fdopen"](descriptor, mode, **text)
        buffered = io.BufferedWriter(Raw(descriptor, "wb"))
        return io.TextIOWrapper(buffered, **text) if text else buffered

    def opened(file, mode="r", *arguments, **options):
        if set(mode) & set("wxa+") and not isinstance(file, int):
            return counted(file, mode, *arguments, **options)
        return plain(file, mode, *arguments, **options)

    plain = builtins.open
    counted = through("open", plain)
    try:
        for name in CALLS:
            setattr(os, name, through(name, real[name]))
        os.fdopen, builtins.open = fdopen, opened
        yield
    finally:
        builtins.open = plain
        for name, function in real.items():
            setattr(os, name, function)


def in_child(work: Callable[[], int], folder: Path, before: Fault) -> tuple[int, str]:
    """Exit code, negative after a signal, and what it says on stderr, of `work` in a process of its own."""
    said = folder.parent / "stderr"
    child = os.fork()
    if not child:
        code = 99
        try:
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            with open(2, "w", closefd=False) as sys.stderr, open(1, "w", closefd=False) as sys.stdout, watched(before):
                code = int(work())  # what is none must not get out: the child would go on as a second test run
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), said.read_text()


def handled(work: Callable[[], None], monkeypatch) -> int:
    """Exit code of the command line with `work` for what a command does."""

    class Parser:
        def parse_args(self, _):
            return type("Arguments", (), {"handler": staticmethod(lambda _: work())})

    monkeypatch.setattr(parser, "parser", Parser)
    return main([])


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, but for locks, which hold nothing."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder): path.read_bytes() for path in files}


def strikes(names: list[str], most: int) -> list[tuple[int, str]]:
    """Every call with every fault, or about `most` of them: as many of each fault, over the whole of the calls."""
    kinds = ("full", *SIGNALS)
    chosen = []
    for place, fault in enumerate(kinds):
        own = [number for number, name in enumerate(names, 1) if fault != "full" or name not in NEVER_FULL]
        step = -(-len(own) * len(kinds) // most)
        chosen += [(number, fault) for number in own[place * step // len(kinds) :: step]]
    return sorted(chosen)


def check_no_loss(
    work: Callable[[], int],
    out: Path,
    scratch: Path,
    most: int = 24,
    may_go: Callable[[Path], bool] = lambda path: False,
    may_stay: Callable[[Path], bool] = lambda path: False,
) -> None:
    """Strike a command, time and again from the same start, and look at every file below its folder, the current one.

    Each is as it was or as the command would have left it, and no other is there; only after SIGKILL a part may be,
    and the command called again then does what it would have done.

    Args:
        most: how many strikes.
        may_go: files, relative to `out`, that may be missing though they were there.
        may_stay: files that may be left over though nothing asked for them: an interrupted download.
    """
    kept, calls = scratch / "kept", scratch / "calls"
    shutil.copytree(out, kept, symlinks=True)
    before = contents(out)

    def begin() -> None:
        shutil.rmtree(out)
        shutil.copytree(kept, out, symlinks=True)
        os.chdir(out)

    code, said = in_child(work, scratch / "any", lambda number, name: calls.open("a").write(f"{name}\n"))
    assert code == 0, said
    after = contents(out)
    assert after != before
    names = calls.read_text().split()
    assert len(names) >= 4
    struck: Collection[str] = set()
    for number, fault in strikes(names, most):
        begin()

        def strike(now, _, number=number, fault=fault):
            if now == number:
                if fault == "full":
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.kill(os.getpid(), SIGNALS[fault])

        code, said = in_child(work, scratch / "any", strike)
        what = f"{fault} at call {number}, {names[number - 1]}: exit code {code}, {said}"
        assert code in {"full": (0, 74), "SIGKILL": (-9,)}.get(fault, (0, 128 + SIGNALS.get(fault, 0))), what
        assert said.count("cvqn: ") == (code > 0), what
        assert "Traceback" not in said, what
        struck |= {fault} if code else set()
        found = contents(out)
        changed = [path for path, data in found.items() if data not in (before.get(path), after.get(path))]
        parts = [path for path in changed if ".part" in str(path)]
        assert set(changed) <= set(parts) | set(filter(may_stay, changed)), (what, changed)
        assert fault == "SIGKILL" or all(map(may_stay, parts)), (what, parts)
        lost = [path for path in before if path in after and path not in found and not may_go(path)]
        assert not lost, (what, lost)
        if code == 0:
            assert found == after, what
        if fault == "SIGKILL":
            assert in_child(work, scratch / "any", lambda *_: None)[0] == 0, what
            again = {path: data for path, data in contents(out).items() if ".part" not in str(path)}
            assert again == after, (what, set(again) ^ set(after))
    assert {"SIGKILL", "SIGTERM"} <= struck
