"""What the tests see of the test cluster and of a training on it."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parent
STATE = Path(os.environ.get("CVQN_SLURM_DIR", Path(os.environ.get("TMPDIR", "/tmp")) / "cvqn-slurm"))


def shell(*command: str) -> str:
    """What a command prints; it must succeed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def wait_for(what: str, condition: Callable, seconds: float = 600):
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"no {what} after {seconds} s"
        time.sleep(0.1)
    return value


def show(number: str) -> dict[str, str]:
    """Fields of a job, as `scontrol show job` names them."""
    fields = shell("scontrol", "--oneliner", "show", "job", number).split(" ")
    return dict(field.split("=", 1) for field in fields if "=" in field)


class Run:
    """One training of the scale tiny in a project folder, as it looks from outside."""

    def __init__(self, project: Path, experiment: str):
        self.project, self.name = project, f"{experiment}-seed1"
        results = project / "results" / "tiny"
        self.folder = results / "runs" / self.name
        self.log_path = results / "logs" / "train" / f"{self.name}.log"

    def saved_job(self) -> dict[str, str]:
        """The running job, once it has saved its state."""
        wait_for(f"state of {self.name}", lambda: list(self.folder.glob("state-*.pt")))
        return wait_for(f"job of {self.name}", self._job)

    def state(self) -> dict:
        return torch.load(next(self.folder.glob("state-*.pt")), weights_only=True)

    def claim(self) -> str:
        """Host, process and token of the trainer that holds the run."""
        path = self.folder / "writer"
        return path.read_text() if path.exists() else ""

    def trainer(self) -> int:
        return int(self.claim().split(":")[1])

    def log(self) -> str:
        return self.log_path.read_text()

    def record(self) -> dict:
        return json.loads((self.folder / "provenance.json").read_text())

    def _job(self) -> dict[str, str]:
        for line in shell("squeue", "--noheader", "--states=RUNNING", "--format=%i|%Z|%k").splitlines():
            number, folder, comment = line.split("|", 2)
            if (folder, comment) == (str(self.project), f"rule_train_wildcards_{self.name}"):
                return show(number)
        return {}
