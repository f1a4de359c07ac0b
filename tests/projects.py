"""Fixtures: copies of the project's tree in which workflows can run without touching the real results."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests import ROOT

PARTS = (
    "Snakefile",
    "params.yaml",
    "workflow",
    "cvqn",
    "baselines",
    "data/manifests",
    "pyproject.toml",
    "constraints.txt",
    "slurm",
)


class Project:
    """A folder with the project's sources, whose modules are the ones that run in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {"PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}

    def snakemake(self, *arguments: str, profile: str = "workflow/profiles/local", check: bool = True) -> str:
        """Output of snakemake with the local profile and the scale tiny, unless arguments say otherwise."""
        command = ["snakemake", "--profile", profile, "--cores", "2", "--nocolor", *arguments]
        if "--configfile" not in arguments and profile.endswith("local"):
            command += ["--configfile", "workflow/scales/tiny.yaml"]
        run = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert not check or run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
        return run.stdout + run.stderr

    def shell(self, command: str, *, check: bool = True) -> tuple[int, str]:
        """Exit code and output of a command in the project's folder."""
        run = subprocess.run(command, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert not check or run.returncode == 0, run.stdout + run.stderr
        return run.returncode, run.stdout + run.stderr

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs of each rule that a dry run would start."""
        output = self.snakemake("--dry-run", *arguments)
        if "Nothing to be done" in output:
            return {}
        table = output.split("Job stats:")[1].split("\n\n")[0].splitlines()[3:]
        counts = {line.split()[0]: int(line.split()[1]) for line in table if len(line.split()) == 2}
        counts.pop("total")
        return counts

    def replace(self, file: str, old: str, new: str) -> None:
        """Change one place of a source file."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made once for all workers of a test run, who must not change it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, whole = shared / name, shared / f"{name}.whole"
    with FileLock(shared / f"{name}.lock"):
        if not whole.exists():
            folder.mkdir()  # an earlier failure to make it is not tried again
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> Path:
    """A pristine copy of the sources."""
    folder = tmp_path_factory.mktemp("sources")
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target)
    (folder / "cvqn_baselines").symlink_to("baselines")  # the name by which it is imported, see pyproject.toml
    return folder


@pytest.fixture
def project(sources, tmp_path) -> Project:
    """A project in which nothing has run."""
    shutil.copytree(sources, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(sources, tmp_path_factory) -> Project:
    """A project in which the scale tiny has run. Tests that change it work on a copy (`finished_copy`)."""

    def make(folder: Path) -> None:
        shutil.copytree(sources, folder / "project", symlinks=True)
        Project(folder / "project").snakemake("all")

    return Project(once(tmp_path_factory, "finished", make) / "project")


@pytest.fixture
def finished_copy(finished, tmp_path) -> Project:
    """A copy of the finished project, file times and Snakemake's records included."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")
