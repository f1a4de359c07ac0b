"""Whatever a command would write over: an older output of its own is replaced, all else needs --force."""

import contextlib
import shutil
from pathlib import Path

import pytest

from cvqn.cli import main
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.configuration import resolve

pytestmark = pytest.mark.workflow

OVERLAY = "workflow/scales/tiny.yaml"
INDEX = "data/sets/packaged-evaluation/index.json"
PLAN = ["--plan", "plan.json"]
IMAGES = ["--images", INDEX]
COMMANDS = {  # by name: arguments, and what they write, where more than one file is, all of it
    "config": (["config", OVERLAY, "--output", "new/a.yaml"], ["a.yaml"]),
    "plan": (["plan", OVERLAY, "--write", "new/a.json"], ["a.json"]),
    "encode": (
        ["encode", "--codec", "webp", "--quality", "1", *IMAGES, "--output", "new/a.tar"],
        ["a.tar", "a.csv"],
    ),
    "measure": (
        ["measure", "--codec", "webp", *IMAGES, "--bitstreams", "results/tiny/bitstreams/webp/1.tar", "--output",
         "new/a.csv"],
        ["a.csv", "a.json"],
    ),
    "crops": (
        ["crops", *PLAN, *IMAGES, "--output", "new"],
        ["crops.csv", *(f"china-{codec}.png" for codec in ("original", "webp", "cvqn"))],
    ),
    "complexity": (["complexity", *PLAN, "--output", "new/a.csv"], ["a.csv"]),
    "identities": (["identities", "--output", "new/a.json"], ["a.json"]),
    "table": (["table", "table1", *PLAN, "--output", "new/a.csv"], ["a.csv", "a.md"]),
    "figure": (["figure", "figure3-maps", *PLAN, "--output", "new/a.svg"], ["a.csv", "a.svg", "a.png"]),
    "curves": (["curves", *PLAN, "--output", "new"], ["cvqn.csv", "jpeg-420.csv", "jpeg2000.csv", "webp.csv"]),
    "metrics": (["metrics", *PLAN, "--output", "new/a.json"], ["a.json"]),
    "audit": (["audit", *PLAN, "--output", "new/a.json"], ["a.json", "a.md", "a.html"]),
    "page": (["page", "results/tiny", "--embed", "new/a.html"], ["a.html"]),
    "data pack": (["data", "pack", "--sets", INDEX, "--output", "new/a.npy"], ["a.npy", "a.json"]),
}  # fmt: skip
OF_THE_USER = (b"notes\n", b"", b"{}", b"scale: mine\nexperiments: {}\n", b"image,codec\n1,2\n", b"experiment,rate\n",
               b'{"image": 3, "bpp": 1}', b"\x89PNG\r\n\x1a\n", b"<html><title>mine</title></html>")  # fmt: skip


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """A finished project in which the tests write into the folder `new` only."""
    folder = tmp_path_factory.mktemp("replacing") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    with contextlib.chdir(folder):
        Plan(resolve([OVERLAY]), {}).write("plan.json")
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_of_the_command_is_kept(folder, monkeypatch, capsys, command):
    called, names = COMMANDS[command]
    monkeypatch.chdir(folder)
    new = Path("new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    assert main(called) == 0
    assert set(contents(new)) == set(names)
    assert main(called) == 0  # over its own

    of_others = [*OF_THE_USER, Path(OVERLAY).read_bytes()]
    for number, name in enumerate(names):
        for text in of_others if number == 0 else of_others[:1]:
            shutil.rmtree(new)
            new.mkdir()
            (new / name).write_bytes(text)
            capsys.readouterr()
            assert main(called) == 2, (name, text)
            said = capsys.readouterr().err.strip()
            assert said.count("\n") == 0
            assert f"new/{name}: " in said
            assert "--force" in said
            assert contents(new) == {name: text}
    assert main([*called, "--force"]) == 0
    assert set(contents(new)) == set(names)
    assert contents(new)[name] != text

    first = new / names[0]
    first.unlink()
    first.mkdir()
    (first / "inside").touch()
    assert main(called) == 2
    assert (first / "inside").exists()


def test_outputs_of_one_command_are_not_those_of_another(folder, monkeypatch):
    monkeypatch.chdir(folder)
    new = Path("new")
    made = {
        ".json": ["plan.json", "results/tiny/metrics.json", "results/tiny/audit.json", INDEX],
        ".csv": ["results/tiny/measurements/webp.csv", "results/tiny/bitstreams/webp/1.csv",
                 "results/tiny/crops/crops.csv", "results/tiny/tables/table2.csv"],
        ".yaml": ["results/tiny/config.yaml"],
    }  # fmt: skip
    own = {"plan": {"plan.json"}, "metrics": {"results/tiny/metrics.json"}, "audit": {"results/tiny/audit.json"},
           "measure": {"results/tiny/measurements/webp.csv"}, "config": {"results/tiny/config.yaml"},
           "table": {"results/tiny/tables/table2.csv"}, "crops": {"results/tiny/crops/crops.csv"}}  # fmt: skip
    for command, (called, names) in COMMANDS.items():
        for source in made.get(Path(names[0]).suffix, ()):
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            shutil.copyfile(source, new / names[0])
            assert main(called) == (0 if source in own.get(command, ()) else 2), (command, source)
