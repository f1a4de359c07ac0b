"""Tables as files: CSV to compute with, Markdown to read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cvqn.files import atomic_write


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, floats with ten significant digits."""
    with atomic_write(path, "w") as file:
        table.to_csv(file, index=False, float_format="%.10g", lineterminator="\n")


def markdown_table(rows: Sequence[Mapping[str, object]], right: Sequence[str] = ()) -> str:
    """A pipe table with a column a key of the first row; the columns in `right` are aligned to the right."""
    columns = list(rows[0])
    lines = [
        "| " + " | ".join(columns) + " |",
        "| " + " | ".join("---:" if column in right else "---" for column in columns) + " |",
    ]
    lines += ["| " + " | ".join(_cell(row[column]) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
