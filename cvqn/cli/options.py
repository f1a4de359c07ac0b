"""Options that several commands share: types, and parsers to pass to argparse as `parents`."""

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
    """Inputs and outputs of a command, and how it processes a batch; `given` and `made` name them in the help."""
    parser = _Parent()
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help=f"{given}. Without --output, give two names: an input and {made}"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="folder to write into; every NAME is then an input, and files from folders keep their relative paths",
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="also process folders inside a folder")
    parser.add_argument(
        "-f", "--force", action="store_true", help="replace existing outputs, and make finished ones again"
    )
    parser.add_argument(
        "-j", "--jobs", type=positive, default=1, metavar="N", help="processes, one file each (default: %(default)s)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only, and what --json prints")
    return parser


def as_json() -> argparse.ArgumentParser:
    """The option --json."""
    parser = _Parent()
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    return parser


def transforms() -> argparse.ArgumentParser:
    """Device and threads of a model, and the largest picture that it takes."""
    parser = _Parent()
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the transforms run (default: %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="CPU threads of each process (default: one per core, divided among --jobs)",
    )
    parser.add_argument(
        "--max-pixels",
        type=positive,
        metavar="N",
        help="refuse larger pictures (at most 2^27)",
    )
    return parser


def names_anywhere(command: argparse.ArgumentParser) -> None:
    """Let a command's names be mixed with its options; argparse alone takes them only in one piece."""
    plain = command.parse_known_args

    def parse(arguments: Sequence[str] | None = None, namespace: argparse.Namespace | None = None) -> object:
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        if "--" in arguments:  # only names follow; ./ keeps those that begin with - from being read as options
            place = arguments.index("--")
            after = [f"./{one}" if one.startswith("-") and one != "-" else one for one in arguments[place + 1 :]]
            arguments[place:] = after
        command.parse_known_args = plain  # the next line calls it
        try:
            return command.parse_known_intermixed_args(arguments, namespace)
        finally:
            command.parse_known_args = parse

    command.parse_known_args = parse


class _Parent(argparse.ArgumentParser):
    def __init__(self) -> None:
        super().__init__(add_help=False)
