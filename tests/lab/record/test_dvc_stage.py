"""What of DVC's private interface is used. Where a new version fails here, dvc_stage.py is to be adapted."""

import subprocess
import sys
from pathlib import Path

import pytest

from cvqn.errors import CvqnError
from cvqn.lab.record.dvc_stage import read_stage

STAGES = """
stages:
  scale:
    foreach:
      tiny: snakemake all --configfile a.yaml b.yaml --cores 1
    do:
      cmd: ${item}
      outs:
        - results/${key}/runs: {persist: true}
        - results/${key}/tables: {cache: false, persist: true}
"""


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "--quiet", *arguments], check=True)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one stage, whose outputs are there."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    dvc("init", "--no-scm")
    Path("dvc.yaml").write_text(STAGES)
    for path in ("results/tiny/runs/a/model", "results/tiny/tables/table1.csv"):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text(path)
    return folder


def test_a_stage_with_its_command_outputs_and_files(project):
    stage = read_stage("tiny")
    assert (stage.name, stage.overlays) == ("scale@tiny", ["a.yaml", "b.yaml"])
    assert stage.command.startswith("snakemake all")
    assert stage.outputs == (("results/tiny/runs", True), ("results/tiny/tables", False))
    assert stage.files() == ["results/tiny/runs/a/model", "results/tiny/tables/table1.csv"]
    (project / "results/tiny/tables").rename(project / "elsewhere")
    with pytest.raises(CvqnError, match="results/tiny/tables: not there"):
        stage.files()


def test_a_scale_that_has_no_stage(project):
    with pytest.raises(CvqnError, match=r"name a scale of dvc\.yaml"):
        read_stage("mini")


def test_the_default_remote_must_be_there(project):
    with pytest.raises(CvqnError, match="no default remote"):
        read_stage("tiny").require_remote()
    remote = project.parent / "remote"
    dvc("remote", "add", "--default", "beside", str(remote))
    with pytest.raises(CvqnError, match="remote is not there"):
        read_stage("tiny").require_remote()
    remote.mkdir()
    read_stage("tiny").require_remote()


def test_what_the_cache_holds_is_compared_with_its_checksums(project):
    dvc("commit", "--force", "scale@tiny")
    stage = read_stage("tiny")
    stage.require_sound_cache()
    held = [path for path in stage.cache.rglob("*") if path.is_file()]
    assert len(held) == 2  # the model, and the list of the folder
    model = next(path for path in held if path.read_text().endswith("model"))
    model.chmod(0o644)
    model.write_text("damaged")
    with pytest.raises(CvqnError, match="damaged, its MD5 is"):
        stage.require_sound_cache()
    model.unlink()
    with pytest.raises(CvqnError, match="cache lacks this file"):
        stage.require_sound_cache()
