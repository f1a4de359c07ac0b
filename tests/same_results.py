"""Whether two folders of results say the same: `python tests/same_results.py BEFORE AFTER`.

For comparing the code of two commits on one configuration: trained tensors, symbols (the payload of every file; the
header names the model by an id that hashes the form of its settings), decoded pictures, and every number of
measurements, analyses, tables, figures and metrics must be equal. Seconds, names of files and columns that only one
side has do not count. Prints what differs; exit code 1 if anything does.
"""

import csv
import json
import math
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

HEADER = 18  # bytes of a learned codec's file before its payload
RENAMED = {"model": "last"}  # folders of checkpoints in older results
FIRST_CODEC = "cvqn"  # whose analyses lay right under analysis/ in older results
UNCOUNTED = {"file", "bitstreams", "measurements", "row", "lines", "run_file"}
ESTIMATES = 1e-6  # relative: float sums of training and monitoring may associate differently


def main(before: Path, after: Path) -> int:
    compared, differing = 0, []
    for name, difference in differences(before, after):
        compared += 1
        if difference:
            differing.append(f"{name}: {difference}")
    print("\n".join([*differing, f"{compared} compared, {len(differing)} differ"]))
    return int(bool(differing) or not compared)


def differences(before: Path, after: Path) -> Iterator[tuple[str, str]]:
    """Each file of `before` that holds results, with how its counterpart differs; nothing where it does not."""
    for path in sorted(before.rglob("*")):
        compare = KINDS.get(path.suffix)
        name = path.relative_to(before)
        if compare is None or name.parts[0] in ("logs", "benchmarks", "config.yaml", "plans", "trainings"):
            continue
        if name.parts[0] == "runs" and len(name.parts) == 4:
            name = Path(*name.parts[:2], RENAMED.get(name.parts[2], name.parts[2]), name.parts[3])
        if name.parts[0] == "analysis" and len(name.parts) == 3 and not (after / name).exists():
            name = Path("analysis", FIRST_CODEC, *name.parts[1:])
        if path.suffix == ".csv" and path.with_suffix(".tar").exists():
            continue  # seconds
        other = after / name
        yield str(name), compare(path, other) if other.exists() else "missing"


def tensors(before: Path, after: Path) -> str:
    old, new = load_file(before), load_file(after)
    if set(old) != set(new):
        return f"other tensors: {sorted(set(old) ^ set(new))[:3]}"
    return next((f"{name} differs" for name in old if not np.array_equal(old[name], new[name])), "")


def payloads(before: Path, after: Path) -> str:
    old, new = (dict(_members(path)) for path in (before, after))
    if set(old) != set(new):
        return f"other members: {sorted(set(old) ^ set(new))[:3]}"
    return next((f"{name} differs" for name in old if old[name] != new[name]), "")


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            data = archive.extractfile(member).read()
            yield member.name, data[HEADER:] if member.name.endswith(".cvqn") else data


def pictures(before: Path, after: Path) -> str:
    if "crops" not in before.parts:  # figures are compared by their numbers
        return ""
    old, new = (np.asarray(Image.open(path)) for path in (before, after))
    return "" if np.array_equal(old, new) else "pixels differ"


def arrays(before: Path, after: Path) -> str:
    old, new = np.load(before), np.load(after)
    return next((f"{name} differs" for name in old if not np.array_equal(old[name], new[name])), "")


def tables(before: Path, after: Path) -> str:
    old, new = (list(csv.DictReader(path.open(newline="", encoding="utf-8"))) for path in (before, after))
    if len(old) != len(new):
        return f"{len(old)} rows became {len(new)}"
    for line, (row, other) in enumerate(zip(old, new, strict=True), start=2):
        for column in row.keys() & other.keys():
            counts = column not in UNCOUNTED and not column.endswith("_s")
            if counts and not _equal(row[column], other[column]):
                return f"line {line}, {column}: {row[column]} became {other[column]}"
    return ""


def numbers(before: Path, after: Path) -> str:
    if before.name not in ("metrics.json", "importance.json", "identities.json"):
        return ""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (before, after))
    return next((f"{key}: {old[key]} became {new.get(key)}" for key in old if not _equal(old[key], new.get(key))), "")


def _equal(old: object, new: object) -> bool:
    try:
        return math.isclose(float(old), float(new), rel_tol=ESTIMATES, abs_tol=1e-9)
    except (TypeError, ValueError):
        return old == new


KINDS = {
    ".safetensors": tensors, ".tar": payloads, ".png": pictures, ".npz": arrays, ".csv": tables, ".json": numbers,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
