import json
import subprocess

import pytest

from cvqn.lab.settings import configuration as config
from cvqn.lab.data.manifest import read_manifest
from cvqn.files import sha256_file
from cvqn.lab.provenance import environment as provenance
from tests.training.conftest import start


def test_lock_names_what_is_installed_otherwise(tmp_path, monkeypatch):
    lock = tmp_path / "constraints.txt"
    lock.write_text("numpy==0.0.1\nno-such-package==1.0\n" + f"pytest=={pytest.__version__}\n")
    monkeypatch.setattr(provenance, "LOCK", lock)
    found = provenance.lock()
    assert set(found["differing"]) == {"numpy"}
    assert found["sha256"] == sha256_file(lock)


def test_this_installation_is_the_pinned_one():
    assert provenance.lock()["differing"] == {}


def test_code_version_sees_uncommitted_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.code_version() == {"commit": None, "dirty": None}
    (tmp_path / "a.py").write_text("1")
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t", "commit", "-qm", "m"],
    ):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    version = provenance.code_version()
    assert len(version["commit"]) == 40
    assert version["dirty"] is False
    (tmp_path / "a.py").write_text("2")
    assert provenance.code_version() == version | {"dirty": True}


@pytest.mark.slow
def test_a_training_says_what_it_was_made_from(command, images, tmp_path):
    process = start(command())
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    record = json.loads((tmp_path / "run/provenance.json").read_text())
    assert "train --config" in record["command"]
    assert record["optimizer"] == "Adam"
    assert record["configuration"]["seed"] == 1
    assert record["lock"]["sha256"] == sha256_file(provenance.LOCK)
    assert record["libraries"]["torch"]
    assert record["began"] <= record["ended"]
    assert record["peak_host_memory_bytes"] > 50e6
    assert set(record["code"]) == {"commit", "dirty"}
    trained, evaluated = record["training_images"], record["evaluation_images"]
    assert trained["pack_sha256"] == sha256_file(images / "train.npy")
    for name, [found] in (("packaged-train", trained["sets"]), ("packaged-evaluation", evaluated["sets"])):
        manifest = read_manifest(name, config.ROOT / "data/manifests").sha256
        index = sha256_file(images / "sets" / name / "index.json")
        assert found == {"name": name, "manifest_sha256": manifest, "index_sha256": index}
