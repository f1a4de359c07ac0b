"""A project's folder in which nothing has run but the data, two tiny photographs, is there."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cvqn.images import write_png
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.data.pack import pack
from cvqn.lab.progress import status
from cvqn.lab.progress.scale import Scale, entry_name
from cvqn.lab.provenance.plan import Plan, make_plan
from cvqn.lab.settings.runs import Run
from cvqn.lab.training.store import Entry
from tests.provenance import made_up_provenance


@dataclass
class Made:
    """Results of the scale tiny, to be filled by hand."""

    root: Path
    plan: Plan

    def entry(self, training: str, plan: Plan | None = None) -> Entry:
        """The entry that a plan wants for a training."""
        scale = Scale(self.root)
        name = entry_name(plan or self.plan, Run.parse(training), scale.pack, scale.images)
        entry = Entry(self.root / "trainings", training, name.rpartition("-")[2])
        entry.folder.mkdir(parents=True, exist_ok=True)
        return entry

    def log(self, training: str, rows: list[tuple]) -> Entry:
        """An entry whose log has these steps and images per second."""
        entry = self.entry(training)
        entry.log_path.write_text("step,images_per_s\n" + "".join(f"{step},{speed}\n" for step, speed in rows))
        return entry

    def finish(self, training: str, publish: bool = True) -> Entry:
        """A finished training, and its outputs where `publish`."""
        entry = self.entry(training)

        def write(folder: Path) -> None:
            for file in ("last/model.json", "last/model.safetensors", "best/model.json", "best/model.safetensors"):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text("model")
            (folder / "log.csv").write_text("step,images_per_s\n10,2\n20,4\n")
            (folder / "monitor.csv").write_text("")
            (folder / "provenance.json").write_text(json.dumps(made_up_provenance(key=entry.folder.name, seconds=15.0)))

        entry.finish(write)
        if publish:
            entry.publish(self.root / "runs" / training)
        return entry

    def training(self, name: str) -> status.Row:
        return next(row for row in status.Status(self.root).trainings() if row.name == name)

    def evaluation(self, name: str) -> status.Row:
        return next(row for row in status.Status(self.root).evaluations() if row.name == name)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "data"
    for number, name in enumerate(("packaged-train", "packaged-evaluation")):
        image = folder / "sets" / name / f"{name}.png"
        write_png(image, np.full((32, 32, 3), 50 * number, np.uint8))
        write_index(image.parent / "index.json", name, "0" * 64, [describe(image, "CC0 1.0")])
    pack([folder / "sets/packaged-train/index.json"], folder / "packs/packaged-train.npy", workers=1)
    return folder


@pytest.fixture
def made(tmp_path, tiny, data, monkeypatch) -> Made:
    """What a workflow has planned and not begun, without a queue."""
    (tmp_path / "data").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(status, "queue", lambda project: [])
    plan = make_plan(tiny)
    plan.write()
    return Made(Path("results/tiny"), plan)
