"""Where two tables or two JSON files differ by more than a tolerance.

Columns of seconds (`_s`) and of reasons (`_reason`) never count.
"""

import csv
import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path


def table_difference(before: Path, after: Path, tolerance: float, exact: Collection[str] = ()) -> str:
    """The first cell of two CSVs that differs, in words; nothing when they agree.

    Args:
        tolerance: of numbers, relative above 1 and absolute below.
        exact: columns in which numbers must be equal.
    """
    (columns, first), (others, second) = _table(before), _table(after)
    if columns != others or len(first) != len(second):
        return f"{len(first)} rows of {', '.join(columns)} became {len(second)} of {', '.join(others)}"
    for number, (row, other) in enumerate(zip(first, second, strict=True), start=2):
        for column, value, now in zip(columns, row, other, strict=True):
            close = value == now or (column not in exact and _close(value, now, tolerance))
            if not close and not column.endswith(("_s", "_reason")):
                return f"line {number}, {column}: {value} became {now}"
    return ""


def json_difference(before: Path, after: Path, tolerance: float) -> str:
    """The first number or verdict of two JSON files that differs, in words; other texts do not count."""
    first, second = _judged(before), _judged(after)
    for key in dict.fromkeys([*first, *second]):
        value, other = first.get(key), second.get(key)
        if value != other and not _close(value, other, tolerance):
            return f"{key}: {value} became {other}"
    return ""


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def _judged(path: Path) -> dict[str, object]:
    """The values of a JSON file but for texts that are no verdicts."""
    values = leaves(json.loads(path.read_text(encoding="utf-8")))
    return {key: value for key, value in values if not isinstance(value, str) or key.endswith("verdict")}


def _close(first: object, second: object, tolerance: float) -> bool:
    try:
        return math.isclose(float(first), float(second), rel_tol=tolerance, abs_tol=tolerance)
    except (TypeError, ValueError):
        return False


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value in nested mappings and lists by its key, such as `claims[0].verdict`."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from leaves(part, f"{key}[{position}]")
    else:
        yield key, value
