import json

import pytest
import yaml

from cvqn import config, shipped
from cvqn.cli import main
from cvqn.codec.errors import WrongModelError
from cvqn.errors import CvqnError


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of a scale with a rate curve of two points, and nothing shipped yet."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "models")
    settings = config.resolve([config.ROOT / "workflow" / "scales" / "tiny.yaml"])
    settings["report"]["rate_curve"] = ["c16", "c32"]
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    for number, name in enumerate(["c16", "c32"]):
        run = folder / "runs" / f"{name}-seed{settings['seeds'][0]}"
        (run / "model").mkdir(parents=True)
        (run / "model" / "model.safetensors").write_bytes(bytes([number]))
        (run / "model" / "model.json").write_text(json.dumps({"model_id": f"0000000{number}", "about": {"run": name}}))
        origin = {"training_images": {"count": 7, "sets": [{"name": "packaged-train"}]}}
        (run / "provenance.json").write_text(json.dumps(origin))
    return folder


def test_the_rate_curve_becomes_the_shipped_models(results, capsys):
    stale = shipped.FOLDER / "quality-7"
    stale.mkdir(parents=True)
    (stale / "model.json").write_text("{}")
    assert main(["ship", str(results)]) == 0
    assert shipped.qualities() == [1, 2]
    assert not stale.exists()
    folder = shipped.folder_of_model(bytes.fromhex("00000001"))
    assert folder == shipped.folder_of_quality(2)
    assert (folder / "model.safetensors").read_bytes() == b"\1"
    about = json.loads((folder / "model.json").read_text())["about"]
    assert about["run"] == "c32"
    assert about["training_images"]["sets"][0]["licence"]


def test_an_unfinished_curve_ships_nothing(results):
    (results / "runs" / "c32-seed1" / "model" / "model.safetensors").unlink()
    with pytest.raises(CvqnError, match="c32-seed1"):
        shipped.ship(results)
    assert not shipped.FOLDER.exists()


def test_unknown_qualities_and_models_are_refused(results):
    with pytest.raises(CvqnError, match="quality 1: there are none"):
        shipped.folder_of_quality(1)
    shipped.ship(results)
    with pytest.raises(CvqnError, match="quality 3: there are 1, 2"):
        shipped.folder_of_quality(3)
    with pytest.raises(WrongModelError, match="0a0b0c0d"):
        shipped.folder_of_model(bytes.fromhex("0a0b0c0d"))
