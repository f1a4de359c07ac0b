"""Crops for figure 4: the nearest file of each codec, decoded, cut where the configuration says."""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cvqn.codecs import registry
from cvqn.codecs.store import save_model
from cvqn.compression import StoredCodec
from cvqn.errors import CvqnError
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.evaluation.crops import cut_crops
from cvqn.lab.evaluation.encode import encode_set
from cvqn.lab.evaluation.measure import measure
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.configuration import resolve
from tests import ROOT
from tests.baselines.learned.conftest import built, crops, small_experiment
from tests.trained import ABOUT, make_model

BOX = [30, 20, 64, 48]


def figure(tmp_path, report=None, **changes) -> Plan:
    """The plan of the scale tiny with changes in the report and its figure 4."""
    shown = {"experiment": "c16", "codecs": ["jpeg-420"], "images": [{"name": "face", "box": BOX}]} | changes
    (tmp_path / "overlay.yaml").write_text(json.dumps({"report": {**(report or {}), "figure4": shown}}))
    return Plan(resolve([ROOT / "workflow" / "scales" / "tiny.yaml", tmp_path / "overlay.yaml"]), {})


@pytest.fixture
def results(model_settings, tmp_path, monkeypatch):
    """The results of a set of one image, encoded and measured by an untrained model and by JPEG at three qualities."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()[40:230, 100:300]).save(tmp_path / "face.png")
    write_index(tmp_path / "index.json", "one", "0", [describe(tmp_path / "face.png", "")])
    paths = figure(tmp_path).results
    make_model(tmp_path / paths.model("c16-seed1", "last"), model_settings())
    jpeg, own = registry.conventional("jpeg-420"), StoredCodec(paths.model("c16-seed1", "last"))
    archives = [paths.archive("jpeg-420", str(quality)) for quality in (5, 40, 90)]
    for quality, archive in zip((5, 40, 90), archives, strict=True):
        encode_set(jpeg, quality, "index.json", archive)
    measure(jpeg, "index.json", archives, paths.measurements("jpeg-420"))
    encode_set(own, None, "index.json", paths.archive("cvqn", "c16-seed1"))
    measure(own, "index.json", [paths.archive("cvqn", "c16-seed1")], paths.measurements("cvqn", "c16-seed1"))
    return paths


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_crops_are_cut_from_the_files_nearest_in_rate(results, tmp_path):
    cut_crops(figure(tmp_path), "index.json", "crops")
    table = {row["codec"]: row for row in rows(tmp_path / "crops" / "crops.csv")}
    assert list(table) == ["original", "jpeg-420", "cvqn"]
    left, top, width, height = BOX
    original = np.asarray(Image.open(tmp_path / "face.png"))
    own = float(table["cvqn"]["bpp"])
    jpeg = rows(results.measurements("jpeg-420"))
    nearest = min(jpeg, key=lambda row: abs(float(row["bpp"]) - own))
    assert table["jpeg-420"]["setting"] == nearest["setting"]
    assert table["jpeg-420"]["ms_ssim"] == nearest["ms_ssim"]
    assert table["jpeg-420"]["bitstreams"] == results.archive("jpeg-420", nearest["setting"])
    codec = registry.conventional("jpeg-420")
    decoded = codec.decode(codec.encode(original, float(nearest["setting"])))
    expected = {"original": original, "jpeg-420": decoded}
    for name, picture in expected.items():
        cut = np.asarray(Image.open(tmp_path / "crops" / table[name]["file"]))
        np.testing.assert_array_equal(cut, picture[top : top + height, left : left + width])
    assert table["cvqn"]["bitstreams"].endswith("cvqn/c16-seed1.tar")
    with tarfile.open(table["cvqn"]["bitstreams"]) as archive:
        stored = archive.extractfile(archive.next()).read()
    whole = StoredCodec(results.model("c16-seed1", "last")).decode(stored)
    cut = np.asarray(Image.open(tmp_path / "crops" / table["cvqn"]["file"]))
    np.testing.assert_array_equal(cut, whole[top : top + height, left : left + width])


def test_another_learned_codec_is_shown_by_its_file_nearest_in_rate(results, tmp_path):
    plan = figure(tmp_path, {"learned": ["mentzer-low", "mentzer-hi"]}, codecs=["mentzer-2018"])
    measured = {}
    for run, channels in (("mentzer-low-seed1", 4), ("mentzer-hi-seed1", 40)):
        network = built(small_experiment("mentzer-low", {"channels": channels}))
        folder, archive = results.model(run, "last"), results.archive("mentzer-2018", run)
        tensors = network.eval().export(crops())
        save_model(Path(folder), "mentzer-2018", network.settings, tensors, ABOUT | {"run": run})
        encode_set(StoredCodec(folder), None, "index.json", archive)
        measure(StoredCodec(folder), "index.json", [archive], results.measurements("mentzer-2018", run))
        [measured[run]] = rows(results.measurements("mentzer-2018", run))
    cut_crops(plan, "index.json", "crops")
    table = {row["codec"]: row for row in rows(tmp_path / "crops" / "crops.csv")}
    assert list(table) == ["original", "mentzer-2018", "cvqn"]
    own = float(table["cvqn"]["bpp"])
    nearest = min(measured, key=lambda run: abs(float(measured[run]["bpp"]) - own))
    assert table["mentzer-2018"]["setting"] == nearest
    assert table["mentzer-2018"]["ms_ssim"] == measured[nearest]["ms_ssim"]
    with tarfile.open(results.archive("mentzer-2018", nearest)) as archive:
        whole = StoredCodec(results.model(nearest, "last")).decode(archive.extractfile(archive.next()).read())
    left, top, width, height = BOX
    cut = np.asarray(Image.open(tmp_path / "crops" / table["mentzer-2018"]["file"]))
    np.testing.assert_array_equal(cut, whole[top : top + height, left : left + width])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": [{"name": "nobody", "box": BOX}]}, "has no image nobody"),
        ({"images": [{"name": "face", "box": [190, 0, 64, 64]}]}, r"does not fit 200x190 pixels"),
        ({"experiment": "c32"}, "c32-seed1/last: not a model folder"),
        ({"codecs": ["webp"]}, r"measurements/webp\.csv: cannot be read"),
    ],
)
def test_what_is_missing_is_named(results, tmp_path, changed, message):
    with pytest.raises(CvqnError, match=message):
        cut_crops(figure(tmp_path, **changed), "index.json", "crops")
    assert not (tmp_path / "crops" / "crops.csv").exists()


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(path.read_bytes()[:100]), lambda path: path.unlink()])
def test_a_damaged_or_missing_archive_is_named(results, tmp_path, harm):
    harm(tmp_path / results.archive("cvqn", "c16-seed1"))
    with pytest.raises(CvqnError, match=r"c16-seed1\.tar: not an archive of .cvqn encode., or damaged"):
        cut_crops(figure(tmp_path), "index.json", "crops")


def test_an_archive_without_the_image_is_named(results, tmp_path):
    with tarfile.open(tmp_path / results.archive("cvqn", "c16-seed1")) as archive:
        comment, member = dict(archive.pax_headers), archive.next()
        data = archive.extractfile(member).read()
    member.name = "other.cvqn"
    with tarfile.open(tmp_path / results.archive("cvqn", "c16-seed1"), "w", pax_headers=comment) as archive:
        archive.addfile(member, io.BytesIO(data))
    with pytest.raises(CvqnError, match=r"c16-seed1\.tar: holds no file of face; encode again"):
        cut_crops(figure(tmp_path), "index.json", "crops")
