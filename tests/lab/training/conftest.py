"""A training that takes seconds: two photographs, a one-block network, eighteen steps."""

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from skimage import data

from cvqn.cli import main
from cvqn.images import write_png
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.data.pack import pack
from cvqn.lab.provenance.plan import make_plan
from cvqn.lab.settings.configuration import merge, resolve
from cvqn.lab.training.store import Entry
from tests import ROOT

RUN = "c16-seed1"
QUICK = {
    "experiments": {"c16": {"model": {"channels": 4, "levels": [3, 5], "ratios": [0.5, 0.5], "context": {"width": 4}}}},
    "training": {"batch": 2, "patch": 64, "epochs": 6, "epoch_steps": 3, "monitor_every": 2, "log_every": 3},
}
IN_A_PROCESS = """
import sys
from cvqn.lab.training import store
store.WAIT_SECONDS = 0.1
from cvqn.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A folder with a pack of two photographs, and a set of two small ones to evaluate on."""
    root = tmp_path_factory.mktemp("data")
    crops = {
        "train": [data.astronaut()[:256, :300], data.cat()[:280, :256]],
        "evaluation": [data.coffee()[100:292, 200:400], data.chelsea()[40:240, 100:300]],
    }
    for name, pictures in crops.items():
        for number, picture in enumerate(pictures):
            write_png(root / "sets" / name / f"{number}.png", np.ascontiguousarray(picture))
        members = [describe(root / "sets" / name / f"{number}.png", "CC0 1.0") for number in range(2)]
        write_index(root / "sets" / name / "index.json", name, "0" * 64, members)
    pack([root / "sets" / "train" / "index.json"], root / "train.npy", workers=1)
    return root


@dataclass
class Job:
    """The command `cvqn train` of a run in a folder of its own."""

    folder: Path
    arguments: list[str]

    def run(self, *more: str) -> int:
        """The exit code of the command in this process."""
        with contextlib.chdir(self.folder):
            return main([*self.arguments, *more])

    def start(self, *more: str) -> subprocess.Popen:
        """The command in a process of its own."""
        command = [sys.executable, "-c", IN_A_PROCESS, *self.arguments, *more]
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True)

    @property
    def outputs(self) -> Path:
        return self.folder / "results" / "tiny" / "runs" / RUN

    @property
    def entries(self) -> list[Entry]:
        """What the store holds."""
        folders = sorted((self.folder / "results" / "tiny" / "trainings").glob("*"))
        return [Entry(path.parent, *path.name.rsplit("-", 1)) for path in folders]

    @property
    def entry(self) -> Entry:
        """The one training in the store."""
        (entry,) = self.entries
        return entry

    @property
    def provenance(self) -> dict:
        return json.loads((self.outputs / "provenance.json").read_text())

    def results(self) -> dict:
        """What must not depend on interruptions: every model, and the log without its speeds."""
        rows = (self.outputs / "log.csv").read_text().splitlines()
        models = sorted(self.outputs.glob("*/model.safetensors"))
        return {
            **{path.parent.name: path.read_bytes() for path in models},
            "about": [path.with_suffix(".json").read_text() for path in models],
            "log": [row.rsplit(",", 1)[0] for row in rows],
            "monitor": (self.outputs / "monitor.csv").read_text(),
        }


@pytest.fixture
def job(images, tmp_path):
    """A function that makes a quick training in tmp_path/<folder>; keywords change its configuration."""

    def make(folder: str = "run", **changes) -> Job:
        (tmp_path / folder).mkdir(exist_ok=True)
        overlay = tmp_path / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(merge(QUICK, changes)))
        plan = tmp_path / folder / "plan.json"
        make_plan(resolve([ROOT / "workflow" / "scales" / "tiny.yaml", overlay])).write(plan)
        arguments = [
            "train", "--plan", str(plan), "--run", RUN, "--pack", str(images / "train.npy"),
            "--monitor", str(images / "sets" / "evaluation" / "index.json"),
        ]  # fmt: skip
        return Job(tmp_path / folder, arguments)

    return make
