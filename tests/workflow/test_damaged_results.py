"""Results of a finished scale, damaged one file at a time: named in one line, nothing replaced, no traceback."""

import contextlib
import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvqn.cli import main
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.configuration import resolve

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
READERS = {  # a command that reads it, and files of a kind
    ("table", "runs"): ("measurements/cvqn/c32-seed1.csv", "measurements/webp.csv"),
    ("table", "equation7"): ("analysis/cvqn/c16-seed1/groups.csv",),
    ("table", "importance"): ("analysis/cvqn/c32-seed1/importance.json",),
    ("figure", "figure4"): ("crops/crops.csv", "crops/china-webp.png"),
    ("figure", "figure3-maps"): ("analysis/cvqn/c32-seed1/maps.npz",),
    ("metrics",): ("tables/bd-rate.csv", "analysis/cvqn/c32-seed1/channels.csv"),
}
MAY_BE_MISSING = ("measurements/", "analysis/")  # is left out then, as where it was not measured yet


def damages(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Contents that no job writes, each with what is wrong."""
    data = path.read_bytes()
    yield "missing", None
    yield "empty", b""
    yield "cut", data[: len(data) // 2]
    yield "other bytes", b"\xff\x00\xfe" * 50
    if path.suffix == ".json":
        yield "a list", b"[]"
        yield "of no keys", b"{}"
        yield "a key twice", data.replace(b"{", b'{"x": 1, "x": 2, ', 1)
        yield "no number", data.replace(b"{", b'{"x": NaN, ', 1)
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(data.decode())))
        yield "no rows", _csv(rows[:1])
        yield "other columns", _csv([[f"{column} of old" for column in rows[0]], *rows[1:]])
        if "image" in rows[0]:
            yield "rows twice", _csv([*rows, *rows[1:]])
            number = rows[0].index("bpp" if "bpp" in rows[0] else "bits")
            for value in ("x", "nan", "1e400", "9" * 30):
                yield f"{value} for a number", _csv([*rows[:-1], [*rows[-1][:number], value, *rows[-1][number + 1 :]]])


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def test_damaged_results_are_named(finished_copy, capsys):
    with contextlib.chdir(finished_copy.folder):
        Plan(resolve(["workflow/scales/tiny.yaml"]), {}).write("plan.json")
        for command, files in READERS.items():
            output = Path("out.svg" if command[0] == "figure" else "out.csv" if command[0] == "table" else "out.json")
            called = [*command, "--plan", "plan.json", "--output", str(output), "--force"]
            assert main(called) == 0
            output.write_text("of before")
            for path in (Path(RESULTS, file) for file in files):
                whole = path.read_bytes()
                for wrong, data in damages(path):
                    path.unlink(missing_ok=True)  # it may be a link into the store
                    if data is not None:
                        path.write_bytes(data)
                    capsys.readouterr()
                    code = main(called)
                    said = capsys.readouterr().err.strip()
                    what = f"{' '.join(command)}, {path}, {wrong}: exit code {code}, {said}"
                    if data is None and str(path.relative_to(RESULTS)).startswith(MAY_BE_MISSING):
                        assert code in (0, 2), what
                        output.write_text("of before")
                    else:
                        assert code == 2, what
                        assert "\n" not in said, what
                        assert path.name in said, what
                        assert output.read_text() == "of before", what
                path.unlink(missing_ok=True)
                path.write_bytes(whole)
            assert main(called) == 0


@pytest.mark.parametrize("file", ["config.yaml", "plans", "runs/c16-seed1/provenance.json"])
def test_the_status_of_damaged_results_is_one_line(finished_copy, capsys, file):
    path = finished_copy.folder / RESULTS / file
    with contextlib.chdir(finished_copy.folder):
        main(["status", RESULTS])
    whole = capsys.readouterr().out
    for damaged in [*path.iterdir()] if path.is_dir() else [path]:
        os.unlink(damaged)
        damaged.write_bytes(b"\xff\x00")
    with contextlib.chdir(finished_copy.folder):
        main(["status", RESULTS])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert path.name in said.out or said.out == whole  # plans and config.yaml stand in for each other
