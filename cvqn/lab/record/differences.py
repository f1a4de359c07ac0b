"""Finds where two versions of a file differ, in words: line and column, key, pixels, tensor, member of an archive."""

import contextlib
import csv
import io
import json
import math
import re
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize

from cvqn.errors import CvqnError
from cvqn.images import decode_picture
from cvqn.lab.settings.strict_yaml import parse_yaml

MOST = 10
"""The most places that are named; further ones are only counted."""
NOTHING = "(?!)"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def differences(
    before: Path, after: Path, tolerance: float = 0.0, exact: Collection[str] = (), ignored: str = NOTHING
) -> list[str]:
    """The places in which two files of one kind differ by more than a tolerance; empty if they agree.

    Args:
        tolerance: for numbers in tables, JSON, YAML and SVG, relative above 1 and absolute below; for a PNG's levels, a
            fraction of 255; in arrays, also the share of values that may differ by more. Other text must be equal.
        exact: columns in which numbers must be equal.
        ignored: pattern of places to ignore.
    """
    first, second = before.read_bytes(), after.read_bytes()
    return [] if first == second else places(first, second, before.suffix, tolerance, exact, ignored)


def places(
    first: bytes,
    second: bytes,
    suffix: str,
    tolerance: float = 0.0,
    exact: Collection[str] = (),
    ignored: str = NOTHING,
) -> list[str]:
    """Like `differences`, for the contents of two files whose names end in `suffix`.

    If no place differs, as with another order of keys, and there is no tolerance, the first different byte is named.
    """
    values = _KINDS.get(suffix, _lines)
    try:
        if suffix == ".png":
            found = _pixels(first, second, tolerance)
        else:
            found = list(_differing(values(first), values(second), tolerance, exact, ignored))
    except (ValueError, KeyError, CvqnError, SafetensorError, tarfile.TarError, OSError, csv.Error, RecursionError):
        if values is _leaves_of_yaml:
            return places(first, second, "", tolerance, exact, ignored)
        found = []  # one of the files is damaged: name only the first different byte
        tolerance = 0.0
    if not found and not tolerance:
        found = [f"byte {_first_byte(first, second)}"]
    more = len(found) - MOST
    return [*found[:MOST], f"and {more} more places"] if more > 0 else found


def _differing(
    first: Mapping[str, object],
    second: Mapping[str, object],
    tolerance: float,
    exact: Collection[str],
    ignored: str,
) -> Iterator[str]:
    for place in dict.fromkeys([*first, *second]):
        value, other = first.get(place), second.get(place)
        if re.search(ignored, place):
            continue
        if isinstance(value, bytes | np.ndarray) or isinstance(other, bytes | np.ndarray):
            if not _same_data(value, other, tolerance):
                yield place
        elif value != other and not _close(value, other, 0.0 if place.rpartition(", ")[2] in exact else tolerance):
            yield f"{place}: {_short(value)} became {_short(other)}"


def _cells(data: bytes) -> dict[str, object]:
    rows = enumerate(csv.DictReader(io.StringIO(data.decode())), start=2)
    return {f"line {number}, {column}": cell for number, row in rows for column, cell in row.items()}


def _leaves_of_json(data: bytes) -> dict[str, object]:
    return dict(_leaves(json.loads(data)))


def _leaves_of_yaml(data: bytes) -> dict[str, object]:
    return dict(_leaves(parse_yaml(data.decode(), "")))


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value in nested mappings and lists by its key, such as `claims[0].verdict`."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _leaves(part, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list) and value:
        for position, part in enumerate(value):
            yield from _leaves(part, f"{key}[{position}]")
    else:
        yield key, value


class _Line(str):
    """A line of text, which is compared as text even if it looks like a number."""


def _lines(data: bytes) -> dict[str, object]:
    return {f"line {number}": _Line(line) for number, line in enumerate(data.decode().split("\n"), start=1)}


def _numbers_of_svg(data: bytes) -> dict[str, object]:
    """The text between numbers, and the numbers, each by its line."""
    found: dict[str, object] = {}
    for number, line in enumerate(data.decode().split("\n"), start=1):
        found[f"line {number}"] = _NUMBER.sub("#", line)
        found |= {f"line {number}, number {place}": value for place, value in enumerate(_NUMBER.findall(line), 1)}
    return found


def _members(data: bytes) -> dict[str, object]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        members = {f"member {one.name}": archive.extractfile(one).read() for one in archive if one.isreg()}
        return {"comment": archive.pax_headers.get("comment", ""), **members}


def _tensors(data: bytes) -> dict[str, object]:
    return {f"tensor {name}": repr((one["dtype"], one["shape"])).encode() + one["data"]
            for name, one in deserialize(data)}  # fmt: skip


def _arrays(data: bytes) -> dict[str, object]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {f"array {name}": arrays[name] for name in arrays.files}


_KINDS: dict[str, Callable[[bytes], dict[str, object]]] = {
    ".csv": _cells, ".json": _leaves_of_json, ".yaml": _leaves_of_yaml, ".svg": _numbers_of_svg, ".tar": _members,
    ".safetensors": _tensors, ".npz": _arrays,
}  # fmt: skip


def _pixels(first: bytes, second: bytes, tolerance: float) -> list[str]:
    before, after = (decode_picture(data, Path("picture")).astype(int) for data in (first, second))
    if before.shape != after.shape:
        return [f"{before.shape[1]}x{before.shape[0]} pixels became {after.shape[1]}x{after.shape[0]}"]
    rows, columns = np.nonzero((abs(before - after) > 255 * tolerance).any(axis=2))
    if not len(rows):
        return []
    box = f"from ({columns.min()}, {rows.min()}) to ({columns.max()}, {rows.max()})"
    return [f"{len(rows)} pixels {box}"]


def _same_data(value: object, other: object, tolerance: float) -> bool:
    if isinstance(value, np.ndarray) and isinstance(other, np.ndarray):
        if value.shape != other.shape or value.dtype.kind in "US":
            return np.array_equal(value, other)
        close = np.isclose(value.astype(float), other.astype(float), rtol=tolerance, atol=tolerance, equal_nan=True)
        return 1 - float(close.mean()) <= tolerance
    return value == other


def _close(first: object, second: object, tolerance: float) -> bool:
    if isinstance(first, _Line):
        return False
    with contextlib.suppress(TypeError, ValueError):
        return math.isclose(float(first), float(second), rel_tol=tolerance, abs_tol=tolerance)  # type: ignore[arg-type]
    return False


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _first_byte(first: bytes, second: bytes) -> int:
    shorter = min(len(first), len(second))
    return next((place for place in range(shorter) if first[place] != second[place]), shorter)
