"""Tables as files: CSV to compute with, Markdown to read, rounded and with the scale named."""

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
    """A page that names its scale where that is below the paper's."""
    warning = [] if scale == "paper" else [f"Scale {scale}: a demonstration, not a reproduction."]
    return "\n\n".join([f"# {title}", *warning, *parts]) + "\n"


def number(value: float | None, digits: int) -> str:
    """A rounded number, a dash where there is none."""
    return "–" if absent(value) else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 2) -> str:
    """A rounded change in percent, a dash where there is none."""
    return "–" if absent(value) else f"{value:+.{digits}f} %"


def absent(value: object) -> bool:
    """Whether a table has nothing in this place."""
    return value is None or pd.isna(value)


def one_seed(table: pd.DataFrame) -> str:
    """Says so where every experiment of a table has one run only."""
    return "One seed each. " if table.groupby("experiment")["run"].nunique().max() == 1 else ""


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
