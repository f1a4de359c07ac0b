"""Learned codecs at equal numbers of steps: which runs are compared, and what is said of their budgets."""

import contextlib

import numpy as np
import pytest
from made_up import MadeUp
from scipy.interpolate import PchipInterpolator

from cvqn.lab.report.audit.audit import audit
from cvqn.lab.report.audit.measure_curves import above_codec

POINTS = {"mentzer-low": (0.90, 0.1), "mentzer-med": (0.94, 0.2), "mentzer-hi": (0.96, 0.33)}
CURVE = {"c8": 0.056, "c16": 0.111, "c24": 0.167, "c32": 0.225, "c48": 0.33}


def claim(made: MadeUp, name: str = "central.equal-steps.mentzer") -> dict:
    with contextlib.chdir(made.folder):
        return next(one for one in audit(made.evidence(extras=False))["claims"] if one["id"] == name)


@pytest.fixture
def made(tmp_path) -> MadeUp:
    """Scale small: rate points of 18,000 steps, one experiment of 9,000 as the other codec's."""
    made = MadeUp(tmp_path, "small")
    for name, rate in CURVE.items():
        made.provenance(f"{name}-seed1", images=468, steps=18000)
        made.experiment(name, (0.92 + rate / 6, rate, 27))
    for name, (quality, rate) in POINTS.items():
        made.provenance(f"{name}-seed1", images=468, steps=9000, cpu_seconds=7200.0)
        made.experiment(name, (quality, rate, 25))
    return made


def test_it_is_not_measured_until_there_is_a_training_of_as_many_steps(made):
    assert claim(made)["verdict"] == "not measured"
    assert claim(made)["reason"] == "no training of cvqn with 9,000 steps and 72,000 crops of 468 images was measured"
    assert (
        claim(made, "central.equal-steps.factorized")["reason"] == "no run of factorized in report.learned was measured"
    )


def test_the_method_is_compared_with_the_curve_of_the_same_number_of_steps(made):
    made.provenance("predefined-seed1", images=468, steps=9000, cpu_seconds=3600.0)
    made.experiment("predefined", (0.946, 0.22, 26))
    for other in ("c32-random", "one-group", "mentzer-med-fitted"):  # trained otherwise, for as long
        made.provenance(f"{other}-seed1", images=468, steps=9000)
        made.experiment(other, (0.99, 0.21, 30))
    for name in POINTS:  # another checkpoint, which the curve does not have
        made.run(name, 1, (0.99, 0.2, 30), "best")
    found = claim(made)
    assert found["verdict"] == "not evaluated at this scale"
    quality, rate = np.array(list(POINTS.values())).T
    expected = -10 * np.log10(1 - 0.946) - PchipInterpolator(np.log(rate), -10 * np.log10(1 - quality))(np.log(0.22))
    [value] = found["measured"]
    assert value["what"] == "cvqn above mentzer-2018 at the rate of predefined, 0.2200 bpp"
    assert value["value"] == pytest.approx(expected, abs=1e-6)
    assert "predefined: 9,000 steps, 468 images, 72,000 crops, 1.00 CPU hours" in found["note"]
    assert "mentzer-hi: 9,000 steps, 468 images, 72,000 crops, 2.00 CPU hours" in found["note"]
    assert not any("best" in file or "fitted" in file for file in found["evidence"])


def test_a_single_point_is_compared_with_the_methods_curve(tmp_path):
    made = MadeUp(tmp_path)
    for name, values in (("c16", (0.938, 0.129, 26)), ("c32", (0.9653, 0.2576, 28)), ("c48", (0.976, 0.382, 29))):
        made.experiment(name, values, (1e-6, 1e-6, 1e-4))
    made.experiment("mentzer-low", (0.9653, 0.30, 27))
    found = claim(made)
    rates, quality = np.log([0.129, 0.2576, 0.382]), -10 * np.log10(1 - np.array([0.938, 0.9653, 0.976]))
    expected = PchipInterpolator(rates, quality)(np.log(0.30)) + 10 * np.log10(1 - 0.9653)
    assert found["measured"][0]["value"] == pytest.approx(expected, abs=1e-6)
    assert found["verdict"] == "reproduced"
    made.experiment("mentzer-low", (0.985, 0.30, 27))
    assert claim(made)["verdict"] == "not reproduced"
    made.experiment("mentzer-low", (0.985, 0.45, 27))
    assert claim(made)["reason"] == "cvqn and mentzer-2018 share no rate: mentzer-low at 0.4500 bpp"


def test_the_curve_of_a_learned_codec_has_no_other_experiment_and_no_other_checkpoint(made):
    with contextlib.chdir(made.folder):
        before = above_codec(made.evidence(), None, "mentzer-2018")
        made.experiment("mentzer-med-fitted", (0.99, 0.15, 30))
        for name in POINTS:
            made.run(name, 1, (0.99, 0.2, 30), "best")
        assert above_codec(made.evidence(), None, "mentzer-2018") == before


def test_each_start_stands_in_a_table_with_its_budget(made):
    starts = {"predefined": 0.946, "c32-random": 0.93, "mentzer-med-fitted": 0.945}
    for name, quality in starts.items():
        for seed in made.seeds(name):
            made.provenance(f"{name}-seed{seed}", images=468, steps=9000, gpu={"name": "a GPU"}, seconds=360.0)
        made.experiment(name, (quality, 0.2, 26))
    assert made.table("starts") == 0
    rows = {row["experiment"]: row for row in made.rows("starts")}
    assert {name: row["initialization"] for name, row in rows.items()} == {
        "predefined": "components", "c32-random": "variance", "mentzer-med-fitted": "components", "mentzer-med": "torch"
    }  # fmt: skip
    assert {row["steps"] for row in rows.values()} == {"9000"}
    assert (rows["c32-random"]["crops"], rows["c32-random"]["gpu_hours"]) == ("72000", "0.1")
    assert float(rows["c32-random"]["ms_ssim"]) == pytest.approx(0.93)
    assert "no second initialization" in made.page("starts").replace("\n", " ")
