"""Tables as files: CSV in full precision, and Markdown for reading, rounded and naming the scale."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cvqn.files import atomic_write

NOT_MEASURED = "not measured"


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, floats with ten significant digits."""
    with atomic_write(path, "w") as file:
        table.to_csv(file, index=False, float_format="%.10g", lineterminator="\n")


def markdown_table(rows: Sequence[Mapping[str, object]], right: Sequence[str] = ()) -> str:
    """A pipe table with a column per key of the first row; the columns in `right` are aligned to the right."""
    table = pd.DataFrame(rows).map(_cell)
    sides = ["right" if column in right else "left" for column in table]
    return table.to_markdown(index=False, tablefmt="pipe", disable_numparse=True, colalign=sides)


def markdown_page(title: str, scale: str, *parts: str) -> str:
    """A page in Markdown, with a warning if its scale is not the paper's."""
    warning = [] if scale == "paper" else [f"Scale {scale}: a demonstration, not a reproduction."]
    return "\n\n".join([f"# {title}", *warning, *parts]) + "\n"


def number(value: float | None, digits: int) -> str:
    """A rounded number, or a dash for a missing one."""
    return "–" if absent(value) else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 2) -> str:
    """A rounded change in percent, or a dash for a missing one."""
    return "–" if absent(value) else f"{value:+.{digits}f} %"


def absent(value: object) -> bool:
    """Whether a value of a table is missing."""
    return value is None or pd.isna(value)


def one_seed(table: pd.DataFrame) -> str:
    """A sentence for the note if every experiment of a table has only one run, else empty."""
    return "One seed each. " if table.groupby("experiment")["run"].nunique().max() == 1 else ""


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
