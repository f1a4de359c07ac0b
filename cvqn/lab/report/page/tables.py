"""Reads the tables of the page from the Markdown that `cvqn table` wrote beside each CSV."""

import re
from pathlib import Path
from typing import NamedTuple

CELL = re.compile(r"(?<!\\)\|")


class Part(NamedTuple):
    """A heading, a paragraph or a table of a page; a table has `header` and `rows`."""

    kind: str
    text: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def parts(path: Path) -> list[Part]:
    """The headings, paragraphs and pipe tables of a Markdown file, in order."""
    found = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        if block.startswith("|"):
            header, _, *rows = [_cells(line) for line in block.splitlines()]
            found.append(Part("table", header=header, rows=tuple(rows)))
        elif block.startswith("#"):
            found.append(Part("heading", block.lstrip("# ")))
        else:
            found.append(Part("paragraph", block))
    return found


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("\\|", "|") for cell in CELL.split(line.strip())[1:-1])
