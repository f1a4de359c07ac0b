"""A batch whose work stops while it writes, for tests that end it there; run as a program of its own."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from cvqn.cli import main, parser
from cvqn.cli.batch import Batch
from cvqn.files import atomic_write


class SlowWork(NamedTuple):
    """Writes one byte of each output and waits, or kills its process."""

    killed: bool

    def prepare(self) -> None:
        pass

    def options(self) -> dict:
        return {}

    def __call__(self, source: Path, target: Path) -> None:
        with atomic_write(target) as file:
            file.write(b"x")
            file.flush()
            if self.killed:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(100)


def run(given: str, out: str, killed: bool) -> int:
    """The batch under the program's own handling of signals."""
    arguments = argparse.Namespace(
        names=[given], output=out, recursive=False, force=False, jobs=2, quiet=True, json=False
    )

    class Parser:
        def parse_args(self, _):
            work = SlowWork(killed)
            arguments.handler = lambda _: Batch(arguments, "wait", {".png"}, ".out", lambda _: None).run(work)
            return arguments

    parser.parser = Parser
    return main([])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:] == ["killed"]))
