import json

import numpy as np
import pytest

from cvqn.cli import main
from cvqn.codecs import container, shipped
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from cvqn.errors import CvqnError
from cvqn.images import read_picture, write_png
from cvqn.lab.evaluation.metrics import ms_ssim
from cvqn.lab.record.ship import ship
from cvqn.lab.settings.configuration import resolve, write
from tests import ROOT
from tests.trained import make_model, photograph


@pytest.fixture
def coffee():
    from skimage import data

    return np.ascontiguousarray(data.coffee()[80:336, 150:470])


@pytest.mark.parametrize("quality", range(1, 6))
def test_a_picture_goes_through_a_file_straight_after_installation(tmp_path, coffee, quality):
    write_png(tmp_path / "photo.png", coffee)
    main(["compress", str(tmp_path / "photo.png"), str(tmp_path / "photo.cvqn"), "--quality", str(quality)])
    main(["decompress", str(tmp_path / "photo.cvqn"), str(tmp_path / "back.png")])
    back = read_picture(tmp_path / "back.png")
    stored = load_model(shipped.folder_of_quality(quality))
    assert (tmp_path / "photo.cvqn").read_bytes() == compress(stored, coffee)
    assert np.array_equal(back, decompress(stored, compress(stored, coffee)))
    assert ms_ssim(coffee, back) > 0.75


def test_higher_quality_is_more_bytes_and_nearer_to_the_picture(coffee):
    sizes, likeness = [], []
    for quality in shipped.qualities():
        stored = load_model(shipped.folder_of_quality(quality))
        data = compress(stored, coffee)
        sizes.append(len(data))
        likeness.append(ms_ssim(coffee, decompress(stored, data)))
    assert len(sizes) == 5
    assert sizes == sorted(sizes)
    assert likeness == sorted(likeness)


def test_shipped_models_are_small_and_say_what_they_were_trained_on():
    sizes = []
    for quality in shipped.qualities():
        folder = shipped.folder_of_quality(quality)
        sizes.append(sum(path.stat().st_size for path in folder.iterdir()))
        about = json.loads((folder / "model.json").read_text())["about"]
        (images,) = about["training_images"]["sets"]
        assert images["name"] == "photos"
        assert len(images["manifest_sha256"]) == 64
        assert "CC0" in images["licence"]
    assert max(sizes) <= 10e6
    assert sum(sizes) <= 50e6


def test_default_quality_is_the_middle_one(tmp_path):
    write_png(tmp_path / "photo.png", photograph(40, 50))
    main(["compress", str(tmp_path / "photo.png"), str(tmp_path / "photo.cvqn")])
    model_id = container.inspect((tmp_path / "photo.cvqn").read_bytes()).model_id
    assert shipped.folder_of_model(model_id) == shipped.folder_of_quality(3)


def test_unknown_qualities_and_models_are_refused(tmp_path, model_settings, capsys):
    write_png(tmp_path / "photo.png", photograph(20, 20))
    assert main(["compress", str(tmp_path / "photo.png"), str(tmp_path / "photo.cvqn"), "--quality", "9"]) == 2
    assert "1, 2, 3, 4, 5" in capsys.readouterr().err
    folder = make_model(tmp_path / "model", model_settings())
    data = compress(load_model(folder), photograph(20, 20))
    (tmp_path / "own.cvqn").write_bytes(data)
    assert main(["decompress", str(tmp_path / "own.cvqn"), str(tmp_path / "own.png")]) == 2
    assert "--model" in capsys.readouterr().err
    assert not (tmp_path / "own.png").exists()
    assert main(["decompress", str(tmp_path / "own.cvqn"), str(tmp_path / "own.png"), "--model", str(folder)]) == 0


@pytest.fixture
def curve(tmp_path, model_settings, monkeypatch):
    """A function that writes the configuration of some results whose rate curve is of these experiments."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "models")
    results = tmp_path / "results"
    for name in ("c16", "c32"):
        training = results / "runs" / f"{name}-seed1"
        make_model(training / "last", model_settings(), seed=int(name[1:]))
        make_model(training / "best", model_settings(), seed=100)
        content = {"training_images": {"count": 7, "sets": [{"name": "photos"}]}}
        (training / "provenance.json").write_text(json.dumps(content))

    def write_results(*experiments):
        (tmp_path / "overlay.yaml").write_text(f"report: {{rate_curve: [{', '.join(experiments)}]}}")
        write(resolve([tmp_path / "overlay.yaml"]), results / "config.yaml")
        return results

    return write_results


def test_shipping_takes_the_rate_curve_or_nothing(curve, tmp_path):
    with pytest.raises(CvqnError, match="c48-seed1"):
        ship(curve("c16", "c32", "c48"), ROOT / "data" / "manifests")
    assert shipped.qualities() == []
    stale = shipped.FOLDER / "quality-7"
    stale.mkdir(parents=True)
    (stale / "model.json").write_text("{}")
    folders = ship(curve("c32", "c16"), ROOT / "data" / "manifests")
    assert [folder.name for folder in folders] == ["quality-1", "quality-2"]
    assert not stale.exists()
    for quality, name in ((1, "c32"), (2, "c16")):
        stored = load_model(shipped.folder_of_quality(quality))
        assert stored.model_id == load_model(tmp_path / "results" / "runs" / f"{name}-seed1" / "last").model_id
        assert stored.about["training_images"]["count"] == 7
        assert "CC0" in stored.about["training_images"]["sets"][0]["licence"]
        assert shipped.folder_of_model(stored.model_id) == folders[quality - 1]
