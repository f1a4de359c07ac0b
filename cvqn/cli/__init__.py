"""The command `cvqn`: one subcommand a job. Handlers import what they need, so that light commands start fast."""

import argparse
import sys
from collections.abc import Sequence

from cvqn import __version__
from cvqn.cli import analysis, audit, certify, data, evaluation, files, record, report, training
from cvqn.errors import CvqnError


def parser() -> argparse.ArgumentParser:
    """The argument parser with every subcommand."""
    top = argparse.ArgumentParser(
        prog="cvqn",
        description="Channel-Level Variable Quantization Network: train, compress, measure, report, audit.",
        epilog="cvqn COMMAND --help lists the options of a command. Commands on data, results and records run in the "
        "project's folder.",
    )
    top.add_argument("--version", action="version", version=f"cvqn {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for room in (files, data, training, evaluation, analysis, report, audit, record, certify):
        room.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code: 0, or the `exit_code` of a CvqnError after one line on stderr."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.handler(arguments) or 0
    except CvqnError as error:
        print(f"cvqn: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("cvqn: interrupted", file=sys.stderr)
        return 130
