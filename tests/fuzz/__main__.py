"""`python -m tests.fuzz`: counts of every target, and what is wrong; exit code 1 where anything is."""

import argparse
import sys

from tests.fuzz.runner import HEAD, fuzz
from tests.fuzz.targets import TARGETS

FILES = ("container", "picture")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default all)")
    parser.add_argument("--files", type=int, default=20_000, metavar="N", help=f"cases of {' and '.join(FILES)}")
    parser.add_argument("--others", type=int, default=500, metavar="N", help="cases of every other target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, metavar="N", help="only this case, as a fault names it")
    arguments = parser.parse_args()
    print(HEAD, flush=True)
    faults = []
    for name in arguments.targets or TARGETS:
        count = arguments.files if name in FILES else arguments.others
        cases = range(count) if arguments.case is None else range(arguments.case, arguments.case + 1)
        report = fuzz(name, arguments.seed, cases)
        print(report.row(), flush=True)
        faults += [f"{name}, case {one.case}: {one.verdict}\n{one.detail}" for one in report.faults]
    print(*faults, sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
