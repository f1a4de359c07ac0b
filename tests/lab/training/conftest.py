"""A run that takes seconds: two photographs, a one-block network, eighteen steps."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cvqn.lab.settings import configuration as config
from cvqn.cli import main

QUICK = {
    "experiments": {"c16": {"model": {"channels": 4, "levels": [3, 5], "ratios": [0.5, 0.5], "context": {"width": 4}}}},
    "training": {"batch": 2, "patch": 64, "epochs": 6, "epoch_steps": 3, "monitor_every": 2, "log_every": 3},
}


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A data folder with the packaged photographs, and a pack of those to train on."""
    root = tmp_path_factory.mktemp("data")
    assert main(["data", "fetch", "packaged-train", "packaged-evaluation", "--root", str(root)]) == 0
    train, evaluation = (root / "sets" / f"packaged-{part}" / "index.json" for part in ("train", "evaluation"))
    arguments = ["--sets", str(train), "--exclude", str(evaluation), "--output", str(root / "train.npy")]
    assert main(["data", "pack", *arguments]) == 0
    return root


@pytest.fixture
def command(images, tmp_path):
    """The arguments of a quick training into tmp_path/run; keywords change its configuration."""

    def make(folder: str = "run", **changes) -> list[str]:
        overlay = tmp_path / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(config.merge(QUICK, changes)))
        resolved = config.resolve([config.ROOT / "workflow" / "scales" / "tiny.yaml", overlay])
        config.write(resolved, tmp_path / "config.yaml")
        return [
            "train", "--config", str(tmp_path / "config.yaml"), "--run", "c16-seed1",
            "--pack", str(images / "train.npy"),
            "--monitor", str(images / "sets" / "packaged-evaluation" / "index.json"),
            "--output", str(tmp_path / folder),
        ]  # fmt: skip

    return make


def start(arguments: list[str]) -> subprocess.Popen:
    """The command `cvqn` in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "cvqn", *arguments], stderr=subprocess.PIPE, text=True)


def results(folder: Path) -> dict:
    """What must not depend on interruptions: weights of both models, and the log without its speeds."""
    rows = (folder / "log.csv").read_text().splitlines()
    return {
        "model": (folder / "model" / "model.safetensors").read_bytes(),
        "best": (folder / "best" / "model.safetensors").read_bytes(),
        "about": json.loads((folder / "model" / "model.json").read_text()),
        "log": [row.rsplit(",", 1)[0] for row in rows],
        "monitor": (folder / "monitor.csv").read_text(),
    }
