"""A network that learned nothing, coded and measured for good, reproduces nothing that a result could fail."""

import contextlib

import pytest
import torch
from made_up import MadeUp
from PIL import Image
from skimage import data

from cvqn.codecs import registry
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.evaluation.encode import encode_set
from cvqn.lab.evaluation.evaluate import evaluate_run
from cvqn.lab.evaluation.measure import measure
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.report.audit.audit import audit
from cvqn.lab.settings.configuration import merge
from cvqn.model.settings import ModelSettings
from tests.trained import made_model, store_model

SMALL = {"width": 0.125, "blocks": 1, "context": {"width": 24}}
PICTURES = {"kodim01": data.chelsea()[:176, :176], "kodim21": data.coffee()[:176, :176]}


@pytest.fixture(scope="module")
def claims(tmp_path_factory):
    """The audit of untrained models of every experiment, narrower than the records of their trainings say."""
    torch.set_num_threads(1)
    made = MadeUp(tmp_path_factory.mktemp("untrained"))
    made.config["seeds"] = [1, 2]
    made.config["report"] |= {
        "rate_curve": ["c16", "c32", "c48"],
        "table1": ["one-group", "c32"],  # whose channels' influence is measured
        "table2": ["one-group", "se", "re", "c32", "levels-456", "levels-258"],
        "every_seed": ["table2"],
        "learned": [],
        "figure1_image": "kodim01",
        "figure3_image": "kodim01",
    }
    made.config["codecs"] = {"jpeg2000": {"qualities": [0.1, 0.4, 0.8]}, "webp": {"qualities": [0, 20, 60]},
                             "bpg-444": {"qualities": [48, 40, 30]}}  # fmt: skip
    with contextlib.chdir(made.folder):
        for name, picture in PICTURES.items():
            Image.fromarray(picture).save(f"{name}.png")
        write_index("index.json", "kodak", "0", [describe(made.folder / f"{name}.png", "") for name in PICTURES])
        plan = Plan(made.configuration, {})
        for run in plan.configuration.runs():
            settings = ModelSettings.parse(merge(made.config["experiments"][run.experiment]["model"], SMALL))
            about = {"experiment": run.experiment, "seed": run.seed, "checkpoint": "last"}
            store_model(made.results.model(run.training, "last"), made_model(settings, run.seed), **about)
            made.provenance(run.training)
            evaluate_run(plan, run, "index.json", "cpu")
        for name, qualities in plan.configuration.measured_codecs().items():
            codec, archives = registry.conventional(name), []
            for quality in qualities:
                archives.append(made.results.archive(name, f"{quality:g}"))
                encode_set(codec, quality, "index.json", archives[-1])
            measure(codec, "index.json", archives, made.results.measurements(name))
        made.identities()
        return {claim["id"]: claim for claim in audit(made.evidence(extras=False))["claims"]}


def test_it_reproduces_nothing_but_identities_and_settings(claims):
    assert [name for name, claim in claims.items() if claim["verdict"] == "reproduced"] == []
    verdicts = {claim["verdict"] for claim in claims.values()}
    assert {"not reproduced", "identity", "setting used"} <= verdicts
    assert claims["table1.c32.ms_ssim"]["verdict"] == "not reproduced"


def test_what_is_true_of_it_too_is_not_reproduced_by_it(claims):
    for name in ("eq7.diversity", "section2.alike"):
        assert {one["verdict"] for one in claims[name]["measured"]} == {"reproduced"}
        assert claims[name]["verdict"] == "not reproduced"
        assert "so it does not count as trained" in claims[name]["reason"]
