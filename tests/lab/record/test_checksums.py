"""The committed list of checksums."""

import subprocess

import pytest

from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.lab.record.checksums import LIST, changed, not_listed, read_checksums, write_checksums
from tests import ROOT


def test_the_committed_list_is_that_of_this_tree(monkeypatch):
    monkeypatch.chdir(ROOT)
    listed = read_checksums()
    wrong = [path for path, checksum in listed.items() if changed(path, checksum)] + not_listed(listed)
    assert not wrong, "write the list again: cvqn checksums"
    for path in ("dvc.lock", "cvqn/models/quality-1/model.safetensors", "results/small/record/record.json",
                 "docs/figures/small-rate-distortion.png", "results/small/bitstreams/cvqn/c32-seed1.tar"):  # fmt: skip
        assert path in listed


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository with one shipped model and its list, committed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cvqn/models").mkdir(parents=True)
    (tmp_path / "cvqn/models/model.json").write_text('{"a": 1}\n')
    subprocess.run(["git", "init", "--quiet"], check=True)
    write_checksums()
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t", "commit", "-qm", "m"], check=True)
    return tmp_path


def test_sha256sum_reads_the_list(clone):
    subprocess.run(["sha256sum", "--check", "--quiet", LIST], check=True)
    assert read_checksums() == {"cvqn/models/model.json": sha256_file("cvqn/models/model.json")}


def test_changed_missing_and_new_files(clone):
    [(path, checksum)] = read_checksums().items()
    assert changed(path, checksum) == ""
    (clone / path).write_text('{"a": 2}\n')
    assert changed(path, checksum) == "a: 1 became 2"
    (clone / path).unlink()
    assert changed(path, checksum).startswith("missing")
    (clone / "cvqn/models/other.json").write_text("{}")
    assert not_listed(read_checksums()) == []
    subprocess.run(["git", "add", "."], check=True)
    assert not_listed(read_checksums()) == ["cvqn/models/other.json"]


def test_results_of_a_scale_that_is_not_recorded_are_not_listed(clone):
    for scale in ("small", "mine"):
        (clone / f"results/{scale}/record").mkdir(parents=True)
        (clone / f"results/{scale}/metrics.json").write_text("{}")
    (clone / "results/small/record/record.json").write_text("{}")
    write_checksums()
    listed = [path for path in read_checksums() if path.startswith("results/")]
    assert listed == ["results/small/metrics.json", "results/small/record/record.json"]


def test_a_damaged_list(clone):
    LIST.write_text("abc  file\n")
    with pytest.raises(CvqnError, match="SHA256SUMS, line 1: not a checksum and a path"):
        read_checksums()
    LIST.unlink()
    with pytest.raises(CvqnError, match="get it again with git checkout"):
        read_checksums()
