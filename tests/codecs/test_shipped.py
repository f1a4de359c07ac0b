import json
import shutil

import numpy as np
import pytest

from cvqn.cli import main
from cvqn.codecs import container, shipped
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from cvqn.errors import CvqnError
from cvqn.images import read_picture, write_png
from cvqn.lab.evaluation.metrics import ms_ssim, psnr_db
from cvqn.lab.record.ship import ship
from cvqn.lab.settings.configuration import resolve, write
from tests import ROOT
from tests.provenance import made_up_provenance
from tests.trained import make_model, photograph


@pytest.fixture
def coffee():
    from skimage import data

    return np.ascontiguousarray(data.coffee()[80:336, 150:470])


@pytest.mark.parametrize("quality", shipped.qualities())
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
    measured = []
    for quality in shipped.qualities():
        stored = load_model(shipped.folder_of_quality(quality))
        data = compress(stored, coffee)
        decoded = decompress(stored, data)
        measured.append((len(data), ms_ssim(coffee, decoded), psnr_db(coffee, decoded)))
    assert len(measured) == 5
    for column in zip(*measured, strict=True):
        assert list(column) == sorted(set(column))


@pytest.mark.parametrize("quality", shipped.qualities())
def test_every_part_has_been_trained(quality):
    """At the start means are whole numbers or halves, weights equal and variances one half."""
    for quantizer in load_model(shipped.folder_of_quality(quality)).model.network.controller.quantizers:
        halves = 2 * quantizer.means.detach()
        assert ((halves - halves.round()).abs() > 0.01).any()
        assert quantizer.log_weights.std() > 0.01
        assert quantizer.log_sigmas.std() > 0.01


@pytest.mark.parametrize("quality", shipped.qualities())
def test_neither_borders_nor_blocks_nor_small_pictures_are_worse_than_the_rest(quality):
    from skimage import data

    stored = load_model(shipped.folder_of_quality(quality))

    def errors(picture):
        return np.abs(decompress(stored, compress(stored, picture)).astype(float) - picture).mean(axis=2)

    whole = np.ascontiguousarray(data.coffee())
    found = errors(whole)
    middle = found[64:-64, 64:-64].mean()
    frame = np.concatenate([found[:2].ravel(), found[-2:].ravel(), found[:, :2].ravel(), found[:, -2:].ravel()])
    assert frame.mean() < 1.5 * middle
    blocks = found[:400, :592].reshape(25, 16, 37, 16).mean(axis=(1, 3))
    assert blocks.max() < 6 * middle
    for height, width in ((1, 1), (16, 16), (17, 33), (64, 64)):
        for grey in (0, 128, 255):
            assert errors(np.full((height, width, 3), grey, np.uint8)).mean() < 2 * middle
        for top, left in ((100, 100), (200, 300), (300, 200)):
            assert errors(np.ascontiguousarray(whole[top : top + height, left : left + width])).mean() < 2.1 * middle


def test_shipped_models_are_small_and_say_what_they_were_trained_on():
    sizes = []
    for quality in shipped.qualities():
        folder = shipped.folder_of_quality(quality)
        sizes.append(sum(path.stat().st_size for path in folder.iterdir()))
        about = json.loads((folder / "model.json").read_text())["about"]
        (images,) = about["training_images"]["sets"]
        assert images["name"] == "photos"
        assert len(images["manifest_sha256"]) == 64
        assert about["training_seconds"] > 60
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
    assert "1, 2, 3, 4" in capsys.readouterr().err
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
        (training / "provenance.json").write_text(json.dumps(made_up_provenance(seconds=61.2)))
        table = results / "measurements" / "cvqn" / f"{name}-seed1.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"image,bpp\na,0.{name[1:]}\nb,0.{name[1:]}\n")

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
    for quality, name in ((1, "c16"), (2, "c32")):  # by rate, whatever the order of the curve
        stored = load_model(shipped.folder_of_quality(quality))
        assert stored.model_id == load_model(tmp_path / "results" / "runs" / f"{name}-seed1" / "last").model_id
        assert stored.about["training_images"]["count"] == 7
        assert "CC0" in stored.about["training_images"]["sets"][0]["licence"]
        assert shipped.folder_of_model(stored.model_id) == folders[quality - 1]
        about = (stored.about["training_seconds"], stored.about["training_machine"], stored.about["torch"])
        assert about == (61, "a processor", "2.13.0")


def test_info_says_what_a_shipped_model_is_and_which_made_a_file(tmp_path, capsys):
    assert main(["info", "quality-2"]) == 0
    said = capsys.readouterr().out
    assert "c16-seed1 of scale small, 20000 steps" in said
    assert "468: photos (by image, from CC0" in said
    assert main(["info", str(shipped.folder_of_quality(2))]) == 0
    assert capsys.readouterr().out == said
    write_png(tmp_path / "photo.png", photograph(40, 50))
    main(["compress", str(tmp_path / "photo.png"), str(tmp_path / "photo.cvqn"), "--quality", "2"])
    capsys.readouterr()
    main(["info", str(tmp_path / "photo.cvqn")])
    assert "(quality 2 of this program, experiment c16)" in capsys.readouterr().out


def test_the_commands_work_without_any_shipped_model(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    assert main(["info", "quality-1"]) == 2
    assert "quality-1" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["compress", "--help"])
    assert ended.value.code == 0


def test_odd_folders_beside_the_shipped_models_are_in_nobodys_way(tmp_path, monkeypatch, capsys):
    models = tmp_path / "models"
    shutil.copytree(shipped.FOLDER, models)
    for name in ("quality-old", "quality-", "quality-01", "quality-1.bak", "quality-²", "quality--1", "quality-0"):
        shutil.copytree(models / "quality-2", models / name)
    (models / "quality-7").mkdir()  # without model.json
    (models / "quality-3" / "model.json").write_text('{"about": 1}')
    monkeypatch.setattr(shipped, "FOLDER", models)
    assert shipped.qualities() == [1, 2, 3, 4, 5]
    write_png(tmp_path / "photo.png", photograph(40, 50))
    names = [str(tmp_path / name) for name in ("photo.png", "photo.cvqn", "back.png")]
    assert main(["compress", *names[:2], "--quality", "2"]) == 0
    assert main(["decompress", *names[1:]]) == 0
    assert main(["info", names[1]]) == 0
    assert "(quality 2 of this program, experiment c16)" in capsys.readouterr().out
    assert main(["compress", *names[:2], "--quality", "3", "--force"]) == 2
    assert "quality-3" in capsys.readouterr().err
    with pytest.raises(CvqnError, match=r"not built in.*quality-3.model.json.*not the description"):
        shipped.folder_of_model(b"none")


def test_a_damaged_shipped_model_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "quality-1").mkdir()
    (tmp_path / "quality-1" / "model.json").write_text("{")
    (tmp_path / "quality-1" / "model.safetensors").write_bytes(b"")
    (tmp_path / "photo.cvqn").write_bytes(b"CVQN")
    assert main(["info", "quality-1"]) == 2
    assert str(tmp_path / "quality-1" / "model.json") in capsys.readouterr().err
