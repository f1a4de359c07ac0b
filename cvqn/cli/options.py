"""Options that several commands on pictures share, each defined once: parsers to be given as `parents`."""

import argparse
import math
import sys
from collections.abc import Sequence


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1 is needed")
    return int(text)


def positive_rate(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0 is needed")
    return value


def batch(given: str, made: str) -> argparse.ArgumentParser:
    """Inputs, outputs, and how a command goes through them; what is given and made, for the help."""
    parser = _Parent()
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"{given}; last, without --output, {made}")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="all names are inputs; write here, files of folders under the same relative paths",
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="also the folders inside a folder")
    parser.add_argument(
        "-f", "--force", action="store_true", help="replace outputs that exist already; make again what is made"
    )
    parser.add_argument(
        "-j", "--jobs", type=positive, default=1, metavar="N", help="files done at once, each by a process (default 1)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    return parser


def as_json() -> argparse.ArgumentParser:
    """--json."""
    parser = _Parent()
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    return parser


def transforms() -> argparse.ArgumentParser:
    """How a model runs, and on how large a picture."""
    parser = _Parent()
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the transforms run (default cpu)"
    )
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="CPU threads of each process (default: one for each core, divided among --jobs)",
    )
    parser.add_argument("--max-pixels", type=positive, metavar="N", help="refuse larger pictures (default 2^27)")
    return parser


def names_anywhere(command: argparse.ArgumentParser) -> None:
    """Let a command take its names before, between and after its options, where argparse takes them in one piece."""
    plain = command.parse_known_args

    def parse(arguments: Sequence[str] | None = None, namespace: argparse.Namespace | None = None) -> object:
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        if "--" in arguments:  # what follows are names; those that look like options are made to look like paths
            place = arguments.index("--")
            after = [f"./{one}" if one.startswith("-") and one != "-" else one for one in arguments[place + 1 :]]
            arguments[place:] = after
        command.parse_known_args = plain  # which the next line calls
        try:
            return command.parse_known_intermixed_args(arguments, namespace)
        finally:
            command.parse_known_args = parse

    command.parse_known_args = parse


class _Parent(argparse.ArgumentParser):
    def __init__(self) -> None:
        super().__init__(add_help=False)
