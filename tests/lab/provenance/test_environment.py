import subprocess
import sys
from importlib.metadata import version

import pytest

from cvqn.files import sha256_file
from cvqn.lab.provenance import environment
from tests import ROOT


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Another folder in place of the clone that this runs from."""
    monkeypatch.setattr(environment, "source_tree", lambda: tmp_path)
    return tmp_path


def test_lock_names_what_is_installed_otherwise(tree):
    pins = tree / "constraints.txt"
    pins.write_text(f"numpy==0.0.1\nno-such-package==1.0\npytest=={version('pytest')}\n")
    found = environment.lock()
    assert set(found["differing"]) == {"numpy"}
    assert found["sha256"] == sha256_file(pins)


def test_this_installation_is_the_pinned_one():
    assert environment.source_tree() == ROOT
    assert environment.lock()["differing"] == {}


def test_code_version_sees_uncommitted_changes(tree):
    assert environment.code_version() == {"commit": None, "dirty": None}
    (tree / "a.py").write_text("1")
    identity = ["-c", "user.name=t", "-c", "user.email=t"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "-qm", "m"]):
        subprocess.run(["git", "-C", tree, *command], check=True)
    found = environment.code_version()
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tree / "a.py").write_text("2")
    assert environment.code_version() == found | {"dirty": True}


def test_an_installed_wheel_has_no_commit_even_inside_a_clone(tmp_path):
    """As in a virtual environment within the clone, whose own commit says nothing of the wheel's code."""
    package = tmp_path / "site-packages" / "cvqn"
    package.parent.mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["cp", "-r", ROOT / "cvqn", package], check=True)
    code = "from cvqn.lab.provenance import environment as e; print(e.source_tree(), e.lock(), e.code_version())"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=package.parent, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert run.stdout.strip() == "None None {'commit': None, 'dirty': None}"


@pytest.mark.slow
def test_a_training_says_what_it_was_made_from(job, images):
    made = job()
    assert made.run() == 0
    record = made.provenance
    assert record["command"]
    assert record["optimizer"] == "Adam"
    assert record["seed"] == 1
    assert record["lock"]["sha256"] == sha256_file(ROOT / "constraints.txt")
    assert record["libraries"]["torch"]
    assert record["began"] <= record["ended"]
    assert record["peak_host_memory_bytes"] > 50e6
    assert set(record["source"]) == {"commit", "dirty"}
    assert "cvqn.model.quantizer" in record["code"]
    trained = record["training_images"]
    assert trained["pack_sha256"] == sha256_file(images / "train.npy")
    index = sha256_file(images / "sets" / "train" / "index.json")
    assert trained["sets"] == [{"name": "train", "manifest_sha256": "0" * 64, "index_sha256": index}]
    index = sha256_file(images / "sets" / "evaluation" / "index.json")
    selecting = {"count": 2, "name": "evaluation", "manifest_sha256": "0" * 64, "index_sha256": index}
    assert record["selecting_images"] == {"best": selecting}
