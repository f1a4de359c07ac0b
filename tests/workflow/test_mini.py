"""What the scale mini must show once `make mini` has run: training learns. `make mini-test` runs these."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from cvqn.lab.settings import configuration as config
from cvqn.compression import CvqnCodec
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.metrics import ms_ssim
from cvqn.model.cvqn import CVQN

RESULTS = config.ROOT / "results" / "mini"
RATE_POINTS = ["c16-seed1", "c32-seed1", "c48-seed1"]
pytestmark = pytest.mark.mini


@pytest.fixture(scope="module")
def images():
    return read_index(config.ROOT / "data" / "sets" / "packaged-evaluation" / "index.json")


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def mean(run, column):
    return np.mean([float(row[column]) for row in rows(RESULTS / "measurements" / "cvqn" / f"{run}.csv")])


def test_every_training_ran_to_its_end():
    resolved = config.read(RESULTS / "config.yaml")
    runs = config.runs(resolved)
    assert len(runs) == 12
    for run, settings in runs.items():
        record = json.loads((RESULTS / "runs" / run / "provenance.json").read_text())
        training = settings["training"]
        assert record["steps"] == training["epochs"] * training["epoch_steps"]
        assert rows(RESULTS / "runs" / run / "log.csv")[-1]["step"] == str(record["steps"])


@pytest.mark.parametrize("run", RATE_POINTS)
def test_files_are_smaller_than_fixed_length_symbols(run):
    assert mean(run, "bpp") < mean(run, "bound_bpp")


@pytest.mark.parametrize("run", RATE_POINTS)
def test_training_beats_the_untrained_model(run, images):
    stored = CvqnCodec(RESULTS / "runs" / run / "model").stored
    torch.manual_seed(1)
    untrained = CVQN(stored.model.config).eval()
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
