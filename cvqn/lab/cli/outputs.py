"""What a command may replace without --force: an older output of the same kind, recognized by its content."""

import argparse
import csv
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, is_stream, read_json

Kind = Callable[[Path], bool]
"""Tells whether a file is of a kind, by its content; raises an error if the file cannot be read as such."""


def add_force(command: argparse.ArgumentParser) -> None:
    """Permission to replace any file."""
    command.add_argument(
        "--force", action="store_true", help="overwrite the output even if it is not an older one of this command"
    )


def check_replaceable(arguments: argparse.Namespace, is_ours: Kind, first: str | Path, *others: str | Path) -> None:
    """Refuse to replace files that are not an older output of the same kind.

    Args:
        is_ours: judges the first file; the others, which are written together with it, count as the same kind.

    Raises:
        CvqnError: one of the files exists and is something else.
    """
    if arguments.force:
        return
    there = [path for path in map(Path, (first, *others)) if path.exists() and not is_stream(path)]
    if not there or (there[0] == Path(first) and there[0].is_file() and _tells(is_ours, there[0])):
        return
    if there[0].is_dir():
        raise CvqnError(f"{there[0]}: a folder; name a file")
    raise CvqnError(f"{there[0]}: not an older output of this command; choose another name, or --force replaces it")


def _tells(is_ours: Kind, path: Path) -> bool:
    try:
        return is_ours(path)
    except (CvqnError, OSError, ValueError, KeyError, csv.Error, tarfile.TarError):
        return False


def table_of(*columns: str) -> Kind:
    """CSV files that begin with these columns."""

    def is_ours(path: Path) -> bool:
        with open(path, newline="", encoding="utf-8") as file:
            return next(csv.reader(file), [])[: len(columns)] == list(columns)

    return is_ours


def json_with(*keys: str) -> Kind:
    """JSON files that hold an object with these keys."""
    return lambda path: has_keys(read_json(path), *keys)


def has_keys(content: Any, *keys: str) -> bool:
    """Whether plain values are a mapping with these keys."""
    return isinstance(content, dict) and all(key in content for key in keys)


def put(files: Sequence[Path], folder: Path) -> None:
    """Copy files into a folder, each whole or not at all."""
    for path in files:
        with open(path, "rb") as made, atomic_write(folder / path.name) as file:
            shutil.copyfileobj(made, file)
