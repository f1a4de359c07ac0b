"""The job that evaluates a run, and the job that cuts crops, struck as they replace older files of another model."""

import time

import pytest
from PIL import Image
from skimage import data

from cvqn.cli import main
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.configuration import resolve
from tests import ROOT
from tests.faults import check_no_loss
from tests.trained import make_model

OVERLAY = """\
report:
  figure1_image: second
  figure3_image: second
  figure4: {experiment: toy, codecs: [], images: [{name: first, box: [10, 20, 30, 40]}]}
"""
JOBS = {
    "evaluate": ["evaluate", "--run", "toy-seed1"],
    "crops": ["crops", "--output", "results/tiny/crops"],
}


@pytest.mark.parametrize("job", JOBS)
def test_what_a_job_replaces_is_whole(tmp_path, monkeypatch, model_settings, job):
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(time, "process_time", lambda: 0.0)  # recorded times would differ between runs
    for name, picture in {"first": data.coffee()[:70, :90], "second": data.chelsea()[:64, :80]}.items():
        Image.fromarray(picture).save(f"{name}.png")
    write_index("index.json", "two", "0", [describe(folder / f"{name}.png", "") for name in ("first", "second")])
    (folder / "overlay.yaml").write_text(OVERLAY)
    plan = Plan(resolve([ROOT / "workflow" / "scales" / "tiny.yaml", "overlay.yaml"]), {})
    plan.write("plan.json")

    def call(job):
        return main([*JOBS[job], "--plan", "plan.json", "--images", "index.json"])

    for seed in (0, 1):
        make_model(folder / plan.results.model("toy-seed1", "last"), model_settings(), seed=seed)
        if seed == 0 or job == "crops":
            assert call("evaluate") == 0
        if seed == 0:
            assert call("crops") == 0
    check_no_loss(lambda: call(job), folder, tmp_path, most=14)
