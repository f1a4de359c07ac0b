import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import version

import numpy as np
import pytest
import skimage.data
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from PIL import Image

from tests import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins_of_constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split("\n")
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines if line}


def requirements(*groups: str) -> list[Requirement]:
    """Those of the library, and of extras."""
    lines = PROJECT["dependencies"] + [line for group in groups for line in PROJECT["optional-dependencies"][group]]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", requirements("pipeline", "docs", "dev"), ids=lambda one: one.name)
def test_the_lock_pins_every_direct_dependency_within_its_range(requirement):
    if requirement.name == "cvqn":
        assert requirement.extras == {"docs", "pipeline"}
        return
    pin = Version(pins_of_constraints()[canonicalize_name(requirement.name)])
    assert requirement.specifier.contains(pin)
    exact = {one.operator for one in requirement.specifier} & {"==", "==="}
    assert not exact, "the project's ranges are ranges, the lock has the pins"


def test_the_library_asks_for_nothing_of_the_lab():
    names = {canonicalize_name(one.name) for one in requirements()}
    assert {"torch", "numpy", "pillow", "safetensors", "constriction"} <= names
    assert len(names) <= 8
    assert not names & {
        canonicalize_name(Requirement(one).name) for one in PROJECT["optional-dependencies"]["pipeline"]
    }


def test_lock_pins_exactly():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


def test_makefile_and_conda_environment_use_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["--constraint constraints.txt", "--editable .[dev]"]
    assert "--constraint constraints.txt --editable '.[dev]'" in (ROOT / "Makefile").read_text()
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    assert python == "python=3.11"
    assert PROJECT["requires-python"].startswith(">=3.11")


def test_the_citation_is_of_this_version():
    """cffconvert 2.0.0 accepted the file; its own pins do not go with the project's, so it is no part of the tests."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_the_licence_of_every_package_is_listed():
    rows = re.findall(r"^\| (\S+) +\| (.+?) +\|", (ROOT / "THIRD_PARTY.md").read_text(), re.MULTILINE)
    listed = {canonicalize_name(name) for name, _ in rows[1:]}
    assert listed == set(pins_of_constraints()), "make licences"


def test_installed_packages_fit_each_other():
    """All but CompressAI, whose wheel asks for what it does not need (docs/compressai.md)."""
    run = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    lines = run.stdout.splitlines()
    assert [
        line for line in lines if not line.startswith("compressai ") and line != "No broken requirements found."
    ] == []


OUTSIDE = """
import os, sys
import cvqn
assert cvqn.__file__.startswith(sys.argv[1]), cvqn.__file__
import numpy as np
from cvqn.cli import main
from cvqn.codecs.shipped import folder_of_quality, qualities
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from cvqn.images import write_png
write_png("picture.png", np.full((20, 30, 3), 99, np.uint8))
assert len(qualities()) >= 4
assert main(["compress", "picture.png", "picture.cvqn"]) == 0
assert main(["decompress", "picture.cvqn", "back.png"]) == 0
assert main(["config", "--output", "config.yaml"]) == 0
from cvqn.codecs import registry
registry.learned("cvqn"), registry.conventional("webp")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution."""
    work = tmp_path_factory.mktemp("dist")
    program = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    source = work / "source"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        if name.startswith(("cvqn/", "baselines/")) or ("/" not in name and (ROOT / name).is_file()):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-c", program, str(work)], cwd=source, check=True, capture_output=True)
    (archive,) = work.glob("cvqn-*.tar.gz")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(work), str(archive)]
    subprocess.run(pip, check=True)
    (built,) = work.glob("cvqn-*.whl")
    return built


@pytest.mark.slow
def test_a_wheel_works_outside_a_clone(wheel, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    options = ["--no-deps", "--no-index", "--no-compile", "--quiet", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    work.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", OUTSIDE, str(site)],
        cwd=work, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert yaml.safe_load((work / "config.yaml").read_text())["scale"] == "paper"
    packaged = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    data = [path for path in [*(ROOT / "cvqn").rglob("*"), *(ROOT / "baselines").rglob("*")] if path.is_file()]
    sources = {path.relative_to(ROOT).as_posix() for path in data if "__pycache__" not in path.parts}
    sources = {re.sub("^baselines/", "cvqn_baselines/", path) for path in sources}
    assert sources - packaged == set()


@pytest.mark.slow
def test_the_wheel_in_an_empty_environment_compresses_a_photograph(wheel, tmp_path):
    """With the pins and without bytecode, which pip would add in a few seconds and which takes 150 MB more."""
    venv.create(tmp_path / "venv", symlinks=True, with_pip=True)  # as python -m venv does
    python, work = tmp_path / "venv" / "bin" / "python", tmp_path / "work"
    work.mkdir()
    Image.fromarray(skimage.data.coffee()).save(work / "photograph.png")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command, code=0):
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt", wheel)
    run(*pip, "check")
    files = (path for path in (tmp_path / "venv").rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(path.stat().st_size for path in files)
    if "+cpu" in version("torch"):
        assert size < 900e6
    command = python.with_name("cvqn")
    run(command, "compress", "photograph.png", "photograph.cvqn")
    run(command, "decompress", "photograph.cvqn", "back.png")
    original, back = (np.asarray(Image.open(work / name), float) for name in ("photograph.png", "back.png"))
    assert np.mean((original - back) ** 2) < 255**2 / 10**2.2, "22 dB at least"
    assert ".[pipeline]" in run(command, "config", code=2)
