"""One measured number, and tables of them."""

import csv
import operator
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import atomic_write

SENSES = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Row:
    """A median and what it is compared with.

    Attributes:
        what: what was measured.
        median: in `unit`.
        ratio: to what `of` names, in the same run; None where there is nothing to compare with.
        goal: such as `>= 0.65`, of the ratio, or `< 5 ms`, of the median; empty where there is none.
        limit: what keeps the number from being better.
    """

    what: str
    median: float
    unit: str
    ratio: float | None = None
    of: str = ""
    goal: str = ""
    limit: str = ""

    def verdict(self) -> str:
        """`held` or `missed`; empty without a goal."""
        if not self.goal:
            return ""
        sense, number, *unit = self.goal.split()
        judged = self.median if unit else self.ratio
        return "held" if SENSES[sense](judged, float(number)) else "missed"

    def text(self) -> list[str]:
        """The cells of a table: what, median, ratio, goal, limit."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3g} of {self.of}"
        goal = f"{self.goal}: {self.verdict()}" if self.goal else ""
        return [self.what, f"{self.median:.3g} {self.unit}", ratio, goal, self.limit]


def write_csv(path: Path, machine: str, measured: Sequence[tuple[str, Row]]) -> None:
    """One line per row, with the benchmark's name before it and the machine after it."""
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["benchmark", *Row.__dataclass_fields__, "machine"])
        for name, row in measured:
            cells = [f"{value:.6g}" if isinstance(value, float) else value for value in asdict(row).values()]
            writer.writerow([name, *cells, machine])


def read_csv(path: Path) -> tuple[str, list[tuple[str, Row]]]:
    """Machine and rows of a file of `write_csv`."""
    measured, machine = [], ""
    with open(path, encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file):
            name, machine = cells.pop("benchmark"), cells.pop("machine")
            numbers = {"median": float(cells["median"]), "ratio": float(cells["ratio"]) if cells["ratio"] else None}
            measured.append((name, Row(**cells | numbers)))
    return machine, measured


def markdown(machine: str, measured: Sequence[tuple[str, Row]]) -> str:
    """The machine in a sentence and a table."""
    lines = [f"Measured on {machine}.", "", "| what | median | ratio | goal | limited by |", "|---|---|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row.text())} |" for _, row in measured])


def replace_section(page: str, name: str, section: str) -> str:
    """`page` with `section` between the lines `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        CvqnError: the page has no such two lines.
    """
    pattern = re.compile(rf"(<!-- {name} -->\n).*(\n<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(page):
        raise CvqnError(
            f"the page needs the lines <!-- {name} --> and <!-- end of {name} -->, for the table between them"
        )
    return pattern.sub(lambda found: found[1] + section + found[2], page)
