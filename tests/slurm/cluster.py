"""What the tests see of the test cluster and of a training on it."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch

from cvqn.lab.training.store import Entry
from tests.projects import Project

FOLDER = Path(__file__).resolve().parent
STATE = Path(os.environ.get("CVQN_SLURM_DIR", Path(os.environ.get("TMPDIR", "/tmp")) / "cvqn-slurm"))
PROFILE = FOLDER / "profile"
TINY = "workflow/scales/tiny.yaml"
MODELS = [f"results/tiny/runs/{run}-seed1/last/model.safetensors" for run in ("c16", "toy")]


def shell(*command: str) -> str:
    """What a command prints; it must succeed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def wait_for(what: str, condition: Callable, seconds: float = 900, pause: float = 0.1):
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"no {what} after {seconds} s"
        time.sleep(pause)
    return value


def show(number: str) -> dict[str, str]:
    """Fields of a job, as `scontrol show job` names them."""
    fields = shell("scontrol", "--oneliner", "show", "job", number).split(" ")
    return dict(field.split("=", 1) for field in fields if "=" in field)


def jobs_of(project: Project) -> list[list[str]]:
    """Every job that was submitted in a project's folder: comment, partition, what it was given, state."""
    table = shell("sacct", "-X", "-n", "-P", "--duplicates", "--format=WorkDir,Comment,Partition,AllocTRES,State")
    return [line.split("|")[1:] for line in table.splitlines() if line.startswith(f"{project.folder}|")]


def queued(project: Project) -> list[str]:
    """The numbers of a project's jobs in the queue."""
    lines = shell("squeue", "--noheader", "--format=%i|%Z").splitlines()
    return [line.split("|")[0] for line in lines if line.endswith(f"|{project.folder}")]


def copy_of(sources: Path, folder: Path) -> Project:
    """A project of one's own."""
    shutil.copytree(sources, folder, symlinks=True)
    return Project(folder)


def start(project: Project, *command: str, log: str = "snakemake.log") -> subprocess.Popen:
    """A command in the background in a project, with its output in a file there."""
    with open(project.folder / log, "a") as file:
        return subprocess.Popen(command, cwd=project.folder, env=project.environment, stdout=file, stderr=file)


class Run:
    """One training of the scale tiny in a project folder, as it looks from outside."""

    def __init__(self, project: Path, experiment: str):
        self.project, self.name = project, f"{experiment}-seed1"
        self.results = project / "results" / "tiny"
        self.folder = self.results / "runs" / self.name
        self.log_path = self.results / "logs" / "train" / f"{self.name}.log"

    @property
    def entry(self) -> Entry | None:
        """Its entry in the store, once there is one; it must be the only one."""
        folders = list((self.results / "trainings").glob(f"{self.name}-????????????"))
        assert len(folders) < 2, folders
        return Entry(folders[0].parent, self.name, folders[0].name[-12:]) if folders else None

    def saved_job(self) -> dict[str, str]:
        """The running job, once it has saved its state."""
        wait_for(f"state of {self.name}", lambda: self.entry and self.entry.state_path.exists())
        return self.job()

    def job(self) -> dict[str, str]:
        """The running job, once there is one."""
        return wait_for(f"job of {self.name}", self._job)

    def state(self) -> dict:
        return torch.load(self.entry.state_path, weights_only=True)

    def claim(self) -> str:
        """Process, node and job of the trainer that has, or had, the entry."""
        return (self.entry.folder / "claim").read_text()

    def trainer(self) -> int:
        return int(re.search(r"process (\d+)", self.claim())[1])

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def record(self) -> dict:
        return json.loads((self.folder / "provenance.json").read_text())

    def files(self) -> dict[str, bytes]:
        """What an uninterrupted training would give bit for bit."""
        names = ("last/model.safetensors", "best/model.safetensors", "monitor.csv")
        return {name: (self.folder / name).read_bytes() for name in names}

    def _job(self) -> dict[str, str]:
        for line in shell("squeue", "--noheader", "--states=RUNNING", "--format=%i|%Z|%k").splitlines():
            number, folder, comment = line.split("|", 2)
            if (folder, comment) == (str(self.project), f"rule_train_monitored_wildcards_{self.name}"):
                return show(number)
        return {}
