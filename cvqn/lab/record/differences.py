"""Where two tables or two JSON files differ by more than a tolerance.

Columns of seconds (`_s`) and of reasons (`_reason`) never count.
"""

import csv
import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path


def difference(before: Path, after: Path, tolerance: float, exact: Collection[str] = ()) -> str:
    """The first cell of two CSVs, or the first number or verdict of two JSON files, that differs, in words.

    Args:
        tolerance: of numbers, relative above 1 and absolute below.
        exact: columns in which numbers must be equal.
    """
    first, second = _values(before), _values(after)
    for place in dict.fromkeys([*first, *second]):
        value, other = first.get(place), second.get(place)
        close = place[-1] not in exact and _close(value, other, tolerance)
        if value != other and not close and not str(place[-1]).endswith(("_s", "_reason")):
            return f"{', '.join(map(str, place))}: {value} became {other}"
    return ""


def _values(path: Path) -> dict[tuple[str, ...], object]:
    """Everything in a table that is compared, by line and column, or in a JSON file, by its key."""
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            rows = enumerate(csv.DictReader(file), start=2)
            return {(f"line {number}", column): cell for number, row in rows for column, cell in row.items()}
    values = _leaves(json.loads(path.read_text(encoding="utf-8")))
    return {(key,): value for key, value in values if not isinstance(value, str) or key.endswith("verdict")}


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value in nested mappings and lists by its key, such as `claims[0].verdict`."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from _leaves(part, f"{key}[{position}]")
    else:
        yield key, value


def _close(first: object, second: object, tolerance: float) -> bool:
    try:
        return math.isclose(float(first), float(second), rel_tol=tolerance, abs_tol=tolerance)
    except (TypeError, ValueError):
        return False
