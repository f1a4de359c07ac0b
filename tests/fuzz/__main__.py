"""`python -m tests.fuzz`: counts of every target, and what is wrong; exit code 1 where anything is."""

import argparse
import os
import sys
import time

from tests.fuzz.runner import HEAD, Report, fuzz
from tests.fuzz.targets import TARGETS

FILES = ("container", "picture")
EVERY = 10.0  # seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default all)")
    parser.add_argument("--files", type=int, default=20_000, metavar="N", help=f"cases of {' and '.join(FILES)}")
    parser.add_argument("--others", type=int, default=500, metavar="N", help="cases of every other target")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes at a time (default: one per core)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, metavar="N", help="only this case, as a fault names it")
    arguments = parser.parse_args()
    print(HEAD, flush=True)
    faults = []
    for name in arguments.targets or TARGETS:
        count = arguments.files if name in FILES else arguments.others
        cases = range(count) if arguments.case is None else range(arguments.case, arguments.case + 1)
        report = fuzz(name, arguments.seed, cases, max(1, min(arguments.jobs, len(cases))), Running())
        print(report.row(), flush=True)
        faults += [f"{name}, case {one.case}: {one.verdict}\n{one.detail}" for one in report.faults]
    print(*faults, sep="\n")
    return int(bool(faults))


class Running:
    """Says now and then how far a target is, on stderr."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, report: Report) -> None:
        if time.monotonic() - self.last >= EVERY:
            self.last = time.monotonic()
            print(f"{report.row()} so far", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
