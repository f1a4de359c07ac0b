"""A running cluster."""

import shutil
import subprocess

import pytest

from tests.projects import Project
from tests.slurm.cluster import FOLDER, MODELS, STATE, TINY, copy_of


@pytest.fixture(scope="session", autouse=True)
def running_cluster():
    """The test cluster; stopped at the end if it was not up before."""
    was_up = shutil.which("scontrol") and subprocess.run(["scontrol", "ping"], capture_output=True).returncode == 0
    try:
        started = subprocess.run([FOLDER / "up.sh"], stderr=subprocess.PIPE, text=True)
        if started.returncode:
            pytest.exit(f"no SLURM to test on: {FOLDER / 'up.sh'} failed; logs: {STATE / 'log'}\n{started.stderr}", 1)
        yield
    finally:
        if not was_up:
            subprocess.run([FOLDER / "down.sh"], check=True)


@pytest.fixture(scope="session")
def prepared(sources, tmp_path_factory) -> Project:
    """A project with data and two trainings long enough to be killed in, which ran undisturbed on this machine."""
    project = copy_of(sources, tmp_path_factory.mktemp("prepared") / "project")
    project.replace(TINY, "  epochs: 4\n", "  epochs: 40\n")
    project.snakemake(*MODELS)
    return project


@pytest.fixture
def fresh(prepared, tmp_path) -> Project:
    """The same with its data alone, on the cluster."""
    project = copy_of(prepared.folder, tmp_path / "project")
    shutil.rmtree(project.folder / "results")
    return project
