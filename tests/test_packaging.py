import re
import tomllib

import yaml

from cvqn.lab.settings.configuration import ROOT


def name_of(requirement):
    return re.split(r"[=<>!;\[ ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def pins_of_constraints():
    lines = (ROOT / "constraints.txt").read_text().split("\n")
    return {name_of(line): line.split("==")[1] for line in lines if line}


def test_every_direct_dependency_has_the_pin_of_the_lock():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = pins_of_constraints()
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        pinned = requirement.split(";")[0].strip()
        assert pinned.split("==")[1] == locked[name_of(requirement)], requirement


def test_lock_pins_exactly():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


def test_makefile_and_conda_environment_use_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["--constraint constraints.txt", "--editable .[dev]"]
    assert "--constraint constraints.txt --editable '.[dev]'" in (ROOT / "Makefile").read_text()
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert python == "python=3.11"
    assert project["requires-python"].startswith(">=3.11")
