"""Results that were cut, changed, removed or are of another version, in pairs, through tables, audit and page."""

import json
import random
from pathlib import Path

import pytest
from made_up import MadeUp, whole_paper

from cvqn.cli import main
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings import configuration

ROOT = "results/mini"
PLANNED = ["--plan", "plan.json"]
COMMANDS = {
    "rate-distortion": ["table", "rate-distortion", *PLANNED, "--output", f"{ROOT}/tables/rate-distortion.csv"],
    "table1": ["table", "table1", *PLANNED, "--output", f"{ROOT}/tables/table1.csv"],
    "runs": ["table", "runs", *PLANNED, "--output", f"{ROOT}/tables/runs.csv"],
    "audit": ["audit", "--extras", *PLANNED, "--output", f"{ROOT}/audit.json"],
    "page": ["page", ROOT],
}
INPUTS = ("config.yaml", "measurements", "analysis", "runs")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\x00" * 100)


def missing(path: Path) -> None:
    path.unlink()


def other_version(path: Path) -> None:
    """Without one of its columns or keys."""
    if path.suffix == ".csv":
        lines = [f"{line},,".split(",", 2) for line in path.read_text().splitlines()]
        path.write_text("".join(f"{first},{rest}\n" for first, _, rest in lines))
    elif path.suffix == ".json":
        content = json.loads(path.read_text())
        content.pop(next(iter(content)))
        path.write_text(json.dumps(content))
    else:
        path.write_text(path.read_text().split("\n", 1)[1])


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> MadeUp:
    """Made-up results of scale mini with what reports say of them whole."""
    made = whole_paper(tmp_path_factory.mktemp("made"), scale="mini")
    made.config["report"]["bootstrap"] = 20
    configuration.write(made.configuration, made.path(made.results.config))
    Plan(made.configuration, {}).write(made.path("plan.json"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        for command in COMMANDS.values():
            assert main(command) == 0
    return made


def outputs() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(ROOT).rglob("*")
            if path.is_file() and path.relative_to(ROOT).parts[0] not in INPUTS}  # fmt: skip


def pairs() -> list[tuple[int, str, str]]:
    """A seed for the choice of two files, and what is done to them."""
    kinds = [one.__name__ for one in (cut, no_text, missing, other_version)]
    return [(seed, first, second) for seed, (first, second) in enumerate((a, b) for a in kinds for b in kinds)]


@pytest.mark.parametrize(("seed", "first", "second"), pairs())
def test_two_damaged_files_are_named_and_nothing_is_replaced(made, monkeypatch, capsys, seed, first, second):
    monkeypatch.chdir(made.folder)
    files = sorted(path for name in INPUTS for path in [Path(ROOT, name), *Path(ROOT, name).rglob("*")]
                   if path.is_file())  # fmt: skip
    harmed = dict(zip(random.Random(seed).sample(files, 2), (first, second), strict=True))
    whole, before, refused = {path: path.read_bytes() for path in harmed}, outputs(), 0
    try:
        for path, kind in harmed.items():
            globals()[kind](path)
        for name, command in COMMANDS.items():
            code = main(command)
            said = capsys.readouterr().err
            assert code in (0, 2), name
            if code:
                refused += 1
                assert said.startswith("cvqn: error: "), name
                assert said.count("\n") == 1, name
                assert any(str(path) in said for path in harmed), (name, said)
                assert outputs() == before, name
            else:
                before = outputs()  # of what is missing, a report says so; what it does not read does not concern it
    finally:
        for path, content in whole.items():
            path.write_bytes(content)
    assert refused or "missing" in (first, second)
