"""What docs/audit.md and docs/dvc.md promise is there."""

import configparser
import re
from pathlib import Path

import pytest
import yaml

from cvqn.cli.parser import parser
from cvqn.lab.record.compare import TOLERANCES
from cvqn.lab.settings.configuration import resolve
from tests import ROOT

PAGES = [ROOT / "docs" / name for name in ("audit.md", "dvc.md", "publishing.md")]
CHECKLISTS = {
    "ACM artifact review and badging, version 1.1": 9,
    "Machine learning reproducibility checklist, version 2.0": 21,
}
SUFFIXES = {".md", ".yaml", ".yml", ".toml", ".txt", ".cff", ".py", ".json", ".csv"}
NAMES = {"LICENSE", "Makefile", "Snakefile"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_the_page_are_there(page):
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    assert all((page.parent / link).exists() for link in links)
    named = re.findall(r"`((?:cvqn|baselines|tests|workflow|docs|data|benchmarks)/[\w./*-]*)`", text)
    assert named
    missing = [name for name in named if not list(ROOT.glob(name.rstrip("/")))]
    assert not missing


@pytest.mark.parametrize("checklist", CHECKLISTS)
def test_every_item_of_the_checklists_has_a_file(checklist):
    items = items_of(checklist)
    assert len(items) == CHECKLISTS[checklist]
    for item, where in items.items():
        files = files_in(where)
        assert files, f"{item}: names no file"
        missing = [name for name in files if not name.startswith("results/") and not list(ROOT.glob(name.rstrip("/")))]
        assert not missing, f"{item}: {missing}"


def items_of(checklist: str) -> dict[str, str]:
    """Items of a checklist in docs/audit.md and where they are answered."""
    section = PAGES[0].read_text().split(f"## {checklist}\n")[1].split("\n## ")[0]
    rows = re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \|$", section)
    return dict(row for row in rows[1:] if not row[0].startswith("**"))


def files_in(text: str) -> list[str]:
    """Files and folders that a text names, in backticks or as links to pages of docs, relative to the project."""
    named = re.findall(r"`([\w.<>*/-]+)`", text)
    paths = [name for name in named if "/" in name or Path(name).suffix in SUFFIXES or name in NAMES]
    return paths + [f"docs/{link}" for link in re.findall(r"\]\(([^)#]+)\)", text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_page_are_known(page):
    commands = set(re.findall(r"(?m)(?:^ *|`|&& )cvqn ([a-z-]+)\b", page.read_text()))
    known = parser()._subparsers._group_actions[0].choices
    assert commands
    assert commands <= set(known)


def test_every_tolerance_is_documented():
    rows = dict(re.findall(r"(?m)^\| ([^|]+) \| (.+) \|$", PAGES[1].read_text()))
    for tolerance in TOLERANCES:
        size, _, judged = rows[tolerance.kind].partition(" | ")
        relative = size.endswith("%")
        assert float(size.rstrip("%")) == pytest.approx(100 * tolerance.relative if relative else tolerance.absolute)
        assert relative == bool(tolerance.relative)
        assert judged.startswith(tolerance.wanted)


def test_telemetry_is_off_and_downloads_are_compared():
    settings = configparser.ConfigParser()
    settings.read(ROOT / ".dvc" / "config")
    assert settings["core"]["analytics"] == "false"
    remote = settings[f"'remote \"{settings['core']['remote']}\"'"]
    assert remote["url"].startswith("../../")
    assert remote["verify"] == "true"


def test_a_stage_for_each_scale_that_certifies():
    content = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    scales = content["stages"]["scale"]["foreach"]
    assert set(scales) == {"small"}
    for scale in scales:
        assert scales[scale].startswith("cvqn not-by-dvc snakemake ")
        named = scales[scale].partition(" --configfile ")[2].split()
        assert resolve([ROOT / overlay for overlay in named]).scale == scale
        assert f"results/{scale}/metrics.json" in content["metrics"]
        assert f"results/{scale}/config.yaml" in content["params"]
        assert f"/results/{scale}/" not in (ROOT / ".gitignore").read_text().splitlines()
        [codecs] = [plot[f"{scale}-codecs"] for plot in content["plots"] if f"{scale}-codecs" in plot]
        assert {ROOT / path for path in codecs["y"]} == set((ROOT / "results" / scale / "curves").iterdir())
    outputs = content["stages"]["scale"]["do"]["outs"]
    assert all(next(iter(output.values()))["persist"] for output in outputs)
    kept = {next(iter(output)).removeprefix("results/${key}") for output in outputs}
    ignored = {line.removeprefix("/results/*") for line in (ROOT / ".gitignore").read_text().split()}
    in_dvc = {path for path in kept if f"{path}/" in ignored}
    assert in_dvc == {"/runs", "/figures", "/report"}
    assert in_dvc == {
        next(iter(output)).removeprefix("results/${key}")
        for output in outputs
        if next(iter(output.values())).get("cache", True)
    }
