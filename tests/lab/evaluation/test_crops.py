"""Crops for figure 4: the nearest file of each codec, decoded, cut where the configuration says."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import baselines
from cvqn.compression import CvqnCodec
from cvqn.lab.data.index import describe, write_index
from cvqn.errors import CvqnError
from cvqn.lab.evaluation.crops import cut_crops
from cvqn.lab.evaluation.encode import encode_set
from cvqn.lab.evaluation.measure import measure
from cvqn.model.export import export_model
from cvqn.model.cvqn import CVQN
from cvqn.codecs.store import save_model

BOX = [30, 20, 64, 48]


@pytest.fixture
def measured(model_config, tmp_path):
    """A set of one image, encoded and measured by an untrained model and by JPEG at three qualities."""
    Image.fromarray(data.astronaut()[40:230, 100:300]).save(tmp_path / "face.png")
    index = tmp_path / "index.json"
    write_index(index, "one", "0", [describe(tmp_path / "face.png", "")])
    torch.manual_seed(0)
    model = CVQN(model_config).eval()
    save_model(tmp_path / "model", model, export_model(model, torch.rand(2, 3, 64, 64)), {"run": "c16-seed1"})
    codecs = {"jpeg-420": baselines.codec("jpeg-420"), "cvqn": CvqnCodec(tmp_path / "model")}
    archives = {"cvqn": [tmp_path / "bitstreams/cvqn/c16-seed1.tar"]}
    archives["jpeg-420"] = [tmp_path / f"bitstreams/jpeg-420/{quality}.tar" for quality in (5, 40, 90)]
    for name, paths in archives.items():
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            encode_set(codecs[name], None if name == "cvqn" else float(path.stem), index, path)
        measure(codecs[name], index, paths, tmp_path / f"{name}.csv")
    return {
        "pictures": [{"name": "face", "box": BOX}],
        "run": "c16-seed1",
        "codecs": codecs,
        "index": index,
        "measurements": [tmp_path / "cvqn.csv", tmp_path / "jpeg-420.csv"],
        "bitstreams": [path for paths in archives.values() for path in paths],
        "output": tmp_path / "crops",
    }


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_crops_are_cut_from_the_files_nearest_in_rate(measured, tmp_path):
    cut_crops(**measured)
    table = {row["codec"]: row for row in rows(tmp_path / "crops" / "crops.csv")}
    assert list(table) == ["original", "jpeg-420", "cvqn"]
    left, top, width, height = BOX
    original = np.asarray(Image.open(tmp_path / "face.png"))
    own = float(table["cvqn"]["bpp"])
    jpeg = rows(tmp_path / "jpeg-420.csv")
    nearest = min(jpeg, key=lambda row: abs(float(row["bpp"]) - own))
    assert table["jpeg-420"]["setting"] == nearest["setting"]
    assert table["jpeg-420"]["ms_ssim"] == nearest["ms_ssim"]
    codec = baselines.codec("jpeg-420")
    decoded = codec.decode(codec.encode(original, float(nearest["setting"])))
    expected = {"original": original, "jpeg-420": decoded}
    for name, picture in expected.items():
        cut = np.asarray(Image.open(tmp_path / "crops" / table[name]["file"]))
        np.testing.assert_array_equal(cut, picture[top : top + height, left : left + width])
    assert table["cvqn"]["bitstreams"].endswith("cvqn/c16-seed1.tar")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pictures": [{"name": "nobody", "box": BOX}]}, "has no image nobody"),
        ({"pictures": [{"name": "face", "box": [190, 0, 64, 64]}]}, r"does not fit 200x190 pixels"),
        ({"run": "c32-seed1"}, "0 measurements, there must be one"),
        ({"bitstreams": []}, "give it with --bitstreams"),
        ({"measurements": []}, "0 measurements"),
    ],
)
def test_what_is_missing_is_named(measured, tmp_path, changed, message):
    with pytest.raises(CvqnError, match=message):
        cut_crops(**(measured | changed))
    assert not (tmp_path / "crops" / "crops.csv").exists()


def test_a_damaged_archive_is_named(measured):
    for path in measured["bitstreams"]:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CvqnError, match="holds no readable file of face"):
        cut_crops(**measured)
