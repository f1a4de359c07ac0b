"""A running cluster."""

import shutil
import subprocess

import pytest

from tests.slurm.cluster import FOLDER, STATE


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
