"""A running cluster."""

import subprocess
from pathlib import Path

import pytest

from tests.slurm.cluster import FOLDER

NAMES = {"CVQN_SLURM_ACCOUNT": "ci", "CVQN_SLURM_PARTITION": "low", "CVQN_SLURM_GPU_PARTITION": "gpu"}


@pytest.fixture(scope="session", autouse=True)
def running_cluster():
    """The test cluster; stopped at the end if it was not up before."""
    was_up = Path("/etc/slurm/slurm.conf").exists()
    subprocess.run([FOLDER / "up.sh"], check=True)
    yield
    if not was_up:
        subprocess.run([FOLDER / "down.sh"], check=True)
