"""The job that evaluates a trained run, against its parts one by one."""

import csv
import json
import tarfile

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cvqn.compression import StoredCodec
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.evaluation.evaluate import evaluate_run
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.configuration import resolve
from cvqn.lab.settings.runs import Run
from tests import ROOT
from tests.trained import make_model


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """The plan of a configuration that shows the image `second`, in a folder with a set of two images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overlay.yaml").write_text("report: {figure1_image: second, figure3_image: second}")
    pictures = {"first": data.coffee()[:70, :90], "second": data.chelsea()[:64, :80]}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(f"{name}.png")
    write_index(tmp_path / "index.json", "two", "0", [describe(tmp_path / f"{name}.png", "") for name in pictures])
    return Plan(resolve([ROOT / "workflow" / "scales" / "tiny.yaml", tmp_path / "overlay.yaml"]), {})


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("experiment", "influence"), [("c32", True), ("c16", False), ("toy", True)])
def test_a_run_is_encoded_measured_and_analysed(plan, model_settings, tmp_path, experiment, influence):
    run, paths = Run(experiment, 1), plan.results
    make_model(paths.model(run.training, "last"), model_settings())
    evaluate_run(plan, run, "index.json", "cpu")
    codec = StoredCodec(paths.model(run.training, "last"))
    with tarfile.open(paths.archive("cvqn", run.name)) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    assert set(files) == {"first.cvqn", "second.cvqn"}
    for row in rows_of(paths.measurements("cvqn", run.name)):
        picture = np.array(Image.open(f"{row['image']}.png"))
        assert files[f"{row['image']}.cvqn"] == codec.encode(picture)
        assert int(row["bytes"]) == len(files[f"{row['image']}.cvqn"])
        assert row["setting"] == run.name
        files_of_model = (tmp_path / paths.model(run.training, "last")).iterdir()
        assert int(row["model_bytes"]) == sum(len(path.read_bytes()) for path in files_of_model)
    channels, *_, maps, importance = paths.analysis_files("cvqn", run.name)
    assert ("psnr_loss_db" in rows_of(channels)[0]) == influence
    with np.load(maps, allow_pickle=False) as content:
        assert str(content["image"]) == "second"
    with open(importance) as file:
        assert json.load(file)["order"] == [channel + 1 for channel in codec.stored.model.layout.order]


def test_of_the_best_checkpoint_no_channels_are_looked_into(plan, model_settings, tmp_path):
    run, paths = Run("c16", 1, "best"), plan.results
    make_model(paths.model(run.training, "best"), model_settings())
    evaluate_run(plan, run, "index.json", "cpu")
    assert len(rows_of(paths.measurements("cvqn", "c16-seed1-best"))) == 2
    assert not (tmp_path / paths.analysis("cvqn", run.name)).exists()
