"""What the scale mini must show once `make mini` has run: training learns. `make mini-test` runs these."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from cvqn.codecs.store import load_model
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.metrics import ms_ssim
from cvqn.lab.settings import configuration
from cvqn.model.cvqn import CVQN
from tests import ROOT

RESULTS = ROOT / "results" / "mini"
RATE_POINTS = ["c16-seed1", "c32-seed1", "c48-seed1"]
pytestmark = pytest.mark.mini


@pytest.fixture(scope="module")
def images():
    return read_index(ROOT / "data" / "sets" / "packaged-evaluation" / "index.json")


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def mean(run, column):
    return np.mean([float(row[column]) for row in rows(RESULTS / "measurements" / "cvqn" / f"{run}.csv")])


def test_every_training_ran_to_its_end():
    resolved = configuration.read(RESULTS / "config.yaml")
    runs = resolved.runs()
    assert len(runs) == 12
    for run in runs:
        record = json.loads((RESULTS / "runs" / run.training / "provenance.json").read_text())
        training = resolved.experiments[run.experiment].training
        assert record["steps"] == training.epochs * training.epoch_steps
        assert rows(RESULTS / "runs" / run.training / "log.csv")[-1]["step"] == str(record["steps"])


@pytest.mark.parametrize("run", RATE_POINTS)
def test_files_are_smaller_than_fixed_length_symbols(run):
    assert mean(run, "bpp") < mean(run, "bound_bpp")


@pytest.mark.parametrize("run", RATE_POINTS)
def test_training_beats_the_untrained_model(run, images):
    stored = load_model(RESULTS / "runs" / run / "last")
    torch.manual_seed(1)
    untrained = CVQN(stored.model.network.settings).eval()
    scores = []
    for image in images:
        picture = image.read()
        height, width = (side // 16 * 16 for side in picture.shape[:2])
        picture = np.ascontiguousarray(picture[:height, :width])
        with torch.no_grad():
            decoded = untrained(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255).reconstruction[0]
        scores.append(ms_ssim(picture, (decoded.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()))
    assert mean(run, "ms_ssim") > np.mean(scores)


@pytest.mark.parametrize("run", RATE_POINTS)
def test_training_beats_a_copy_sixteen_times_smaller(run, images):
    scores = []
    for image in images:
        picture = Image.fromarray(image.read())
        small = picture.resize((-(-picture.width // 16), -(-picture.height // 16)), Image.Resampling.BOX)
        scores.append(ms_ssim(np.asarray(picture), np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC))))
    assert mean(run, "ms_ssim") > np.mean(scores)


def test_quality_rises_with_channels():
    scores = [mean(run, "ms_ssim") for run in RATE_POINTS]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


def test_rate_rises_with_channels():
    rates = [mean(run, "bpp") for run in RATE_POINTS]
    assert rates == sorted(rates)
