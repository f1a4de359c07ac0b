"""Verdicts from intervals, and that every claim can get each of them from made-up results."""

import contextlib
import math
import re
from collections import Counter
from fnmatch import fnmatch

import numpy as np
import pytest
from made_up import PAPER, MadeUp, falling_influence, whole_paper
from scipy.stats import t as student

from cvqn.lab.evaluation.statistics import Interval
from cvqn.lab.report.audit import measures
from cvqn.lab.report.audit.audit import audit, write_audit
from cvqn.lab.report.audit.claims import expected_number, paper
from cvqn.lab.report.audit.verdicts import (
    IDENTITY,
    INCONCLUSIVE,
    NOT_EVALUATED,
    NOT_MEASURABLE,
    NOT_MEASURED,
    NOT_REPRODUCED,
    REPRODUCED,
    SETTING_USED,
    VERDICTS,
    combine,
    judge,
)
from cvqn.lab.report.tables import bd_rate
from cvqn.lab.settings.paths import Results
from cvqn_baselines.published import curves
from tests import ROOT

TOLERANCES = {claim.tolerance.name: claim.tolerance for claim in paper() if claim.tolerance}
IDENTITIES = {"table2.bound-order", "section3.2.soft-quantizer", "eq7.bound", "eq7.entropy"}
TOO_CLOSE = {  # the paper's curves differ by less than our images spread
    "central.above-balle",
    "figure3.above.li",
    "figure3.above.mentzer",
    "figure3.above.rippel",
}
ALIKE = {  # whose accepted range holds another row of the table
    claim.id
    for claim in paper()
    if claim.place.startswith("Table") and claim.arguments.get("metric") in ("ms_ssim", "psnr_db")
}
SETTINGS = {claim.id for claim in paper() if claim.id.startswith(("training.", "protocol."))} | {
    "section2.channels",
    "section2.levels",
}
EXTRAS = {"authors.ms_ssim", "authors.bpp", "authors.psnr"}
NEVER_MEASURED = {"section2.significant-channels", "section2.negligible-channels", "figure4.spire"}


def judged(made: MadeUp, extras: bool = True) -> dict[str, dict]:
    """The audit of made-up results, by claim."""
    with contextlib.chdir(made.folder):
        return {claim["id"]: claim for claim in audit(made.evidence(extras))["claims"]}


@pytest.mark.parametrize("name", TOLERANCES)
def test_each_tolerance_tells_three_cases_apart(name):
    tolerance = TOLERANCES[name]
    low, high = tolerance.ends(2.0)
    width = high - low if math.isfinite(high) else 1.0
    inside = low + width / 2
    assert judge(Interval(inside, inside, inside), (low, high)) == REPRODUCED
    for outside in (low - 0.01 * (width or 1), high + 0.01 * (width or 1)):
        if math.isfinite(outside):
            assert judge(Interval(outside, outside, outside), (low, high)) == NOT_REPRODUCED
    assert judge(Interval(inside, low - 1, high + 1), (low, high)) == INCONCLUSIVE
    assert judge(Interval(inside, -math.inf, math.inf), (low, high)) in (INCONCLUSIVE, REPRODUCED)


def test_the_ends_of_an_accepted_range_belong_to_it_but_no_difference_is_no_order():
    assert TOLERANCES["exact"].ends(32) == (32, 32)
    assert TOLERANCES["bpp"].ends(0.25) == pytest.approx((0.249175, 0.250825))
    assert judge(Interval(0, 0, 0), TOLERANCES["order"].ends(None)) == NOT_REPRODUCED
    assert judge(Interval(0.85, 0.85, 0.85), TOLERANCES["almost-all"].ends(None)) == REPRODUCED


def test_one_failure_decides_and_one_doubt_keeps_a_claim_open():
    assert combine([REPRODUCED, REPRODUCED]) == REPRODUCED
    assert combine([REPRODUCED, INCONCLUSIVE]) == INCONCLUSIVE
    assert combine([INCONCLUSIVE, NOT_REPRODUCED, REPRODUCED]) == NOT_REPRODUCED
    with pytest.raises(ValueError, match="without a measurement"):
        combine([])


def test_results_that_agree_with_the_paper_reproduce_every_claim(tmp_path):
    claims = judged(whole_paper(tmp_path))
    names = {verdict: {name for name, claim in claims.items() if claim["verdict"] == verdict} for verdict in VERDICTS}
    assert names[NOT_MEASURABLE] == NEVER_MEASURED
    assert names[INCONCLUSIVE] == TOO_CLOSE | ALIKE
    assert names[IDENTITY] == IDENTITIES
    assert names[SETTING_USED] == SETTINGS
    assert not names[NOT_REPRODUCED] | names[NOT_EVALUATED] | names[NOT_MEASURED]
    for name, claim in claims.items():
        if name not in NEVER_MEASURED:
            assert claim["measured"], name
            assert claim["evidence"], name
            assert claim["tolerance"]["reason"], name
        assert (claim["power"] is None) == (name in NEVER_MEASURED | SETTINGS | IDENTITIES)


def contrary(folder) -> MadeUp:
    """Results that contradict the paper in everything that it says, of trainings with its settings."""
    made = MadeUp(folder)
    values = {name: (ms_ssim - 0.03, bpp * 1.1, psnr - 3) for name, (ms_ssim, bpp, psnr) in PAPER.items()}
    base = values["one-group"][1]
    values |= {
        "se": (0.940, base * 1.02, 23.0),
        "re": (0.938, base * 1.05, 22.0),
        "c32": (0.930, base * 1.09, 20.0),
        "levels-456": (0.940, base * 1.03, 23.0),
        "levels-258": (0.945, base * 1.12, 24.8),
    }
    for name, means in values.items():
        made.experiment(name, means, (1e-6, 1e-6, 1e-4))
    made.experiment("levels-4", (0.95, base * 0.8, 24))
    made.experiment("levels-6", (0.96, base * 1.2, 26))
    made.config["report"]["learned"] = ["mentzer-low", "factorized-low"]
    for name in made.config["report"]["learned"]:
        made.experiment(name, (0.98, base, 28))
    for name in ("strided", "soft-quantizer", "beta-0", "authors"):
        made.experiment(name, (0.95, base, 24))
    for codec in ("jpeg2000", "webp", "bpg-444"):
        made.codec(codec, {str(at): (0.982 + 0.003 * at, rate) for at, rate in enumerate((0.05, 0.3, 0.9))})
    flat = np.ones((32, 24)) + 0.1 * np.random.default_rng(1).random((32, 24))
    made.analyse("toy-seed1", flat)
    for name in ("one-group", "levels-456", "c32", "levels-258"):
        for seed in made.seeds(name):
            rising = falling_influence(32, 24, seed)
            single = [[1.0] + [0.0] * (levels - 1) for levels in made.config["experiments"][name]["model"]["levels"]]
            made.analyse(
                f"{name}-seed{seed}",
                rising[::-1],
                shares=single if name != "one-group" else [[0.2] * 5],
                likeness=np.linspace(0.9, 0.1, 32),
            )
    for seed in made.seeds("c32"):
        made.training(f"c32-seed{seed}", jump=0.05, memory=9_000_000_000)
    made.training("strided-seed1", jump=0.01, memory=8_000_000_000)
    return made


def test_results_that_contradict_the_paper_reproduce_nothing(tmp_path):
    made = contrary(tmp_path)
    made.identities(difference=1e-3)
    claims = judged(made)
    spared = NEVER_MEASURED | SETTINGS | {"eq7.entropy", "eq7.bound", "table2.bound-order"}
    assert {name for name, claim in claims.items() if claim["verdict"] != NOT_REPRODUCED} == spared


def test_other_settings_than_the_papers_are_named_and_no_bound_is_taken_for_granted(tmp_path):
    made = MadeUp(tmp_path)
    config = made.config
    report, own = config["report"], config["experiments"]
    config["seeds"] = [1, 2]
    report["rate_curve"] = ["se", "c48", "c64"]
    config["extras"] += ["c16", "c80"]
    for name, experiment in own.items():
        if experiment["codec"] != "cvqn":
            continue
        model, training = experiment["model"], experiment["training"]
        model |= {"blocks": 5, "encoder_widths": [40, 72, 136, 200], "decoder_widths": [200, 136, 72, 40]}
        training |= {"patch": 128, "batch": 16, "epochs": 500, "drop_epochs": [100, 400], "drop_factor": 10}
        training |= {"alpha": 256, "beta": 0.1}
        training["learning_rates"] = dict.fromkeys(training["learning_rates"], 1e-3)
        if name == "toy":
            model |= {"channels": 48, "levels": [4]}
    own["levels-456"]["model"]["levels"] = [8, 8, 8]
    own["levels-258"]["model"]["levels"] = [16, 16, 16]
    own["c32"]["model"] |= {"levels": [9, 9, 9, 9], "ratios": [0.25, 0.25, 0.25, 0.25], "channels": 32}
    own["se"]["model"]["channels"], own["c64"]["model"]["channels"] = 20, 100
    for name in ("one-group", "se", "re", "c32", "levels-456", "levels-258"):
        made.experiment(name, PAPER[name], (1e-6, 1e-6, 1e-4))
    made.training("c32-seed1", images=500, optimizer="SGD")
    claims = judged(made)
    assert {name for name, claim in claims.items() if claim["reason"] == "this scale uses another setting"} == SETTINGS
    assert {name for name, claim in claims.items() if claim["verdict"] == NOT_REPRODUCED} == {
        "eq7.bound", "table2.bound-order"}  # fmt: skip
    assert claims["table1.c32.bpp"]["verdict"] == NOT_EVALUATED


def whole_run(made: MadeUp) -> dict[str, dict]:
    """The audit of c32 and one-group as the paper has them."""
    for name in ("c32", "one-group"):
        made.experiment(name, PAPER[name], (1e-6, 1e-6, 1e-4))
    return judged(made)


def test_the_papers_settings_are_judged_under_any_name(tmp_path):
    made = MadeUp(tmp_path)
    made.config["scale"] = "mine"
    made.results = Results("results/mine")
    for own in made.config["experiments"].values():
        own["training"] |= {"device": "cpu", "precision": "float32", "threads": 2, "log_every": 7, "save_every": 3}
    claims = whole_run(made)
    assert claims["table1.c32.bpp"]["verdict"] == REPRODUCED
    assert claims["table1.c32.bpp_change"]["verdict"] == REPRODUCED


NARROW = "c32 was not trained as in the paper: model.width is 0.125 (paper: 1.0)"


def c32(part: str, **values: object):
    """A change of one experiment's settings."""
    return lambda config: config["experiments"]["c32"][part].update(values)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (c32("model", width=0.125), NARROW),
        (c32("training", epoch_steps=10), "training.epoch_steps is 10 (paper: None)"),
        (c32("training", alpha=1.0), "training.alpha is 1.0 (paper: 128.0)"),
        (lambda config: config["data"].update(train=["photos"]), "trained on photos (paper: div2k, flickr2k, clic-"),
        (lambda config: config["data"].update(evaluation="packaged-evaluation"), "measured on packaged-evaluation"),
    ],
)
def test_a_toy_that_keeps_the_name_is_not_judged(tmp_path, change, reason):
    made = MadeUp(tmp_path)
    change(made.config)
    claims = whole_run(made)
    for name in ("table1.c32.bpp", "table1.c32.bpp_change"):
        assert claims[name]["verdict"] == NOT_EVALUATED
        assert reason in claims[name]["reason"]
        assert claims[name]["measured"][0]["value"] is not None
    assert claims["table2.bound-order"]["verdict"] == IDENTITY


def test_what_was_trained_is_what_the_training_recorded_and_not_the_settings_of_today(tmp_path):
    made = MadeUp(tmp_path)
    made.config["experiments"]["c32"]["model"]["width"] = 0.125
    made.provenance("c32-seed2")
    made.config["experiments"]["c32"]["model"]["width"] = 1.0
    made.provenance("one-group-seed3", images=468)
    claims = whole_run(made)
    assert NARROW in claims["table1.c32.bpp"]["reason"]
    assert "468 training images (paper: about 4000)" in claims["table1.one-group.bpp"]["reason"]
    made.path(f"{made.results.training('one-group-seed3')}/provenance.json").unlink()
    assert "provenance.json is missing" in judged(made)["table1.one-group.bpp"]["reason"]
    record = made.path(f"{made.results.training('c32-seed1')}/provenance.json")
    record.write_text(record.read_text().replace('"vertical_flips": false, ', ""))
    assert "the record has no training.vertical_flips (paper: False)" in judged(made)["table1.c32.bpp"]["reason"]


def test_a_rate_that_is_not_covered_is_not_won(tmp_path):
    """Far above Toderici, but only from 0.13 to 0.26 bpp: 13 of the 51 rates."""
    made = MadeUp(tmp_path)
    made.config["report"]["rate_curve"] = ["c16", "c32"]
    for name in ("c16", "c32"):
        made.experiment(name, PAPER[name], (1e-6, 1e-6, 1e-4))
        made.experiment("re" if name == "c16" else "se", PAPER["se"], (1e-6, 1e-6, 1e-4))
    claim = judged(made)["section4.3.above-toderici"]
    assert claim["verdict"] == NOT_REPRODUCED
    assert claim["measured"][0]["value"] == pytest.approx(13 / 51)
    assert claim["measured"][0]["high"] == pytest.approx(13 / 51)
    assert "13 of the 51 rates, 0.13 to 0.25 bpp; the others count as not won" in claim["note"]


def test_a_published_curve_is_fixed_and_our_images_vary_in_tables_and_audit_alike(tmp_path):
    """Ours is the published curve itself: how far the images spread decides how open the comparison is."""
    theirs, widths = curves("figure-3")["figure3-bpg-444"], []
    for folder, spread in (("narrow", 0.0), ("wide", 1.0)):
        made = MadeUp(tmp_path / folder)
        made.config["report"]["rate_curve"] = names = ["c16", "c32", "c48", "c64", "c80"]
        for name, ms_ssim, bpp in zip(names, theirs.ms_ssim, theirs.bpp, strict=False):
            for seed in (1, 2):
                made.run(name, seed, (ms_ssim + 0.002, bpp, 27), image_spread=spread)
        with contextlib.chdir(made.folder):
            row = bd_rate.table(made.evidence()).set_index("anchor").loc["figure3-bpg-444"]
        share = judged(made)["figure3.above.li"]["measured"][0]
        widths.append((row.bd_rate_percent_high - row.bd_rate_percent_low, share["high"] - share["low"]))
    assert widths[0][0] == pytest.approx(0, abs=1e-6)
    assert widths[1][0] > 5
    assert widths[0][1] < widths[1][1]


def test_too_noisy_to_tell(tmp_path):
    noise = (0.008, 0.03, 2.0)
    made = whole_paper(tmp_path, noise=noise)
    claims = judged(made)
    noisy = {
        claim.id
        for claim in paper()
        if claim.measure in ("mean", "bpp_change", "orders", "odd_levels", "crops_order", "above_codec")
    }
    assert {name for name in noisy if claims[name]["verdict"] != INCONCLUSIVE} == set()
    for name in noisy:
        resolutions = [one["resolution"] for one in claims[name]["measured"] if one["verdict"] == INCONCLUSIVE]
        assert all(value > 0 for value in resolutions), name


def test_influence_that_hangs_on_a_few_images_stays_open(tmp_path):
    made = MadeUp(tmp_path)
    losses = np.full((32, 24), 0.1)
    losses[-3:, :2] = 15  # the three most influential channels are so on two images only
    losses *= np.random.default_rng(0).uniform(0.999, 1.001, losses.shape)
    made.analyse("toy-seed1", losses)
    claims = judged(made)
    assert claims["section2.uneven"]["verdict"] == INCONCLUSIVE
    assert claims["section2.alike"]["verdict"] == NOT_REPRODUCED


def test_agreement_that_a_tenth_of_the_images_breaks_stays_open(tmp_path):
    made = MadeUp(tmp_path)
    losses = falling_influence(32, 24)
    losses[:, :2] = 1e-4 * losses[::-1, :2]
    made.analyse("toy-seed1", losses)
    assert judged(made)["section2.alike"]["verdict"] == INCONCLUSIVE


def test_one_seed_judges_no_number(tmp_path):
    made = MadeUp(tmp_path)
    made.config["seeds"] = [1]
    for name, values in PAPER.items():
        made.experiment(name, values)
    claims = judged(made)
    for name in ("table1.c32.ms_ssim", "table1.c32.bpp_change", "table1.fewer-bits", "figure3.c16.bpp"):
        assert claims[name]["verdict"] == INCONCLUSIVE
        assert all(one["resolution"] is None for one in claims[name]["measured"])
        assert all(one["value"] is not None for one in claims[name]["measured"])
        assert claims[name]["power"] == {
            "could_hold": False, "could_fail": False, "words": "could not hold, could not fail"}  # fmt: skip


@pytest.mark.parametrize("scale", ["mini", "small", "tiny"])
def test_below_the_papers_scale_nothing_is_judged(tmp_path, scale):
    made = whole_paper(tmp_path, scale=scale)
    claims = judged(made)
    verdicts = {name: claim["verdict"] for name, claim in claims.items()}
    assert {name for name, verdict in verdicts.items() if verdict == IDENTITY} == IDENTITIES
    assert {name for name, verdict in verdicts.items() if verdict == SETTING_USED} < SETTINGS
    assert set(verdicts.values()) <= {IDENTITY, SETTING_USED, NOT_EVALUATED, NOT_MEASURED, NOT_MEASURABLE}
    shown = claims["table1.c32.ms_ssim"]
    assert shown["measured"][0]["value"] == pytest.approx(0.9656)
    assert shown["measured"][0]["verdict"] is None
    assert ("packaged-evaluation" if scale != "small" else "model.width is 0.25 (paper: 1.0)") in shown["reason"]


def test_nothing_measured_gives_no_verdict(tmp_path):
    made = MadeUp(tmp_path)
    claims = judged(made)
    settings = {
        claim.id for claim in paper() if claim.measure in ("setting", "drops", "widths", "groups", "rate_points")
    }
    identities = {"table2.bound-order", "eq7.bound"}
    verdicts = {name: claim["verdict"] for name, claim in claims.items()}
    assert {name for name, verdict in verdicts.items() if verdict == SETTING_USED} == settings
    assert {name for name, verdict in verdicts.items() if verdict == IDENTITY} == identities
    assert {name for name, verdict in verdicts.items() if verdict == NOT_MEASURABLE} == NEVER_MEASURED
    assert set(verdicts.values()) == {SETTING_USED, IDENTITY, NOT_MEASURABLE, NOT_MEASURED}
    assert all(claim["reason"] for name, claim in claims.items() if name not in settings | identities)


def test_without_the_extras_only_the_claims_that_need_them_stay_open_and_name_them(tmp_path):
    made = whole_paper(tmp_path)
    with_extras, without = judged(made), judged(made, extras=False)
    changed = {name for name, claim in without.items() if claim["verdict"] != with_extras[name]["verdict"]}
    assert changed == {
        "section3.1.memory", "section3.1.stability", "section3.2.representation", "section3.2.likelihood",
        "section4.2.odd-levels", "authors.ms_ssim", "authors.bpp", "authors.psnr"}  # fmt: skip
    for name in changed:
        assert without[name]["verdict"] == NOT_MEASURED
        assert without[name]["reason"].endswith("one of the extras, which the target `extras` runs and judges")
        assert with_extras[name]["verdict"] == (INCONCLUSIVE if name in ALIKE else REPRODUCED)
    assert "extras" not in judged(MadeUp(tmp_path / "nothing"))["table1.c32.bpp"]["reason"]


def test_curves_measured_on_other_images_are_not_held_against_published_ones(tmp_path):
    made = whole_paper(tmp_path)
    made.config["data"]["evaluation"] = "packaged-evaluation"
    claims = judged(made)
    for name in ("figure3.above.rippel", "section4.3.above-toderici"):
        assert claims[name]["verdict"] == NOT_MEASURED
        assert "on other images" in claims[name]["reason"]
    assert claims["figure3.above.webp"]["verdict"] == NOT_EVALUATED


def test_verdicts_at_both_checkpoints_stand_side_by_side(tmp_path):
    made = MadeUp(tmp_path)
    made.experiment("c32", (0.9500, 0.30, 27), (1e-5, 1e-5, 1e-3))
    made.experiment("c32", (0.9653, 0.2576, 28.024), (1e-5, 1e-5, 1e-3), checkpoints=("best",))
    made.experiment("one-group", PAPER["one-group"], (1e-5, 1e-5, 1e-3), checkpoints=("last", "best"))
    made.experiment("se", PAPER["se"], (1e-5, 1e-5, 1e-3))
    claims = judged(made)
    assert claims["table1.c32.bpp"]["verdict"] == REPRODUCED
    last = claims["table1.c32.bpp"]["at_others"]["last"]
    assert last["verdict"] == NOT_REPRODUCED
    assert last["measured"][0]["value"] == pytest.approx(0.30)
    assert claims["table1.one-group.bpp"]["at_others"]["last"]["verdict"] == claims["table1.one-group.bpp"]["verdict"]
    assert claims["table1.se.bpp"]["at_others"] == {}  # there is no other
    with contextlib.chdir(made.folder):
        write_audit(audit(made.evidence()), "audit.json")
    for page in ("audit.html", "audit.md"):
        text = (made.folder / page).read_text()
        assert "differs at the last checkpoint: not reproduced" in text
        assert "the same at the last checkpoint" in text
    assert "At the last checkpoint: BPP of c32 0.3 bpp [" in (made.folder / "audit.html").read_text()


def test_the_verdict_at_the_held_out_checkpoint_stands_beside_that_of_the_protocol(tmp_path):
    made = MadeUp(tmp_path)
    noise = (1e-5, 1e-5, 1e-3)
    made.experiment("c32", (0.9653, 0.2576, 28.024), noise, checkpoints=("last", "best"))
    made.experiment("c32", (0.9640, 0.2700, 27.9), noise, checkpoints=("held-out",))
    made.experiment("one-group", PAPER["one-group"], noise, checkpoints=("last", "best"))
    claims = judged(made)
    assert claims["table1.c32.bpp"]["verdict"] == REPRODUCED
    others = claims["table1.c32.bpp"]["at_others"]
    assert {name: other["verdict"] for name, other in others.items()} == {
        "last": REPRODUCED, "held-out": NOT_REPRODUCED}  # fmt: skip
    assert others["held-out"]["measured"][0]["value"] == pytest.approx(0.27)
    assert list(claims["table1.one-group.bpp"]["at_others"]) == ["last"]
    missing = claims["table1.c32.bpp_change"]["at_others"]["held-out"]  # of one-group there is none
    assert (missing["verdict"], missing["reason"]) == (NOT_MEASURED, "no run of one-group was measured")
    assert set(claims["protocol.checkpoint"]["at_others"]) == set()
    with contextlib.chdir(made.folder):
        write_audit(audit(made.evidence()), "audit.json")
    for page in ("audit.html", "audit.md"):
        text = (made.folder / page).read_text()
        assert "differs at the checkpoint selected on held-out images: not reproduced" in text
    text = (made.folder / "audit.html").read_text()
    assert "At the checkpoint selected on held-out images: BPP of c32 0.27 bpp [" in text


def test_a_rate_just_inside_and_just_outside_its_margin(tmp_path):
    for name, factor, verdict in (("in", 1.0032, REPRODUCED), ("out", 1.0034, NOT_REPRODUCED)):
        made = MadeUp(tmp_path / name)
        made.experiment("c32", (0.9653, 0.2576 * factor, 28), (1e-6, 1e-6, 1e-4))
        assert judged(made)["table1.c32.bpp"]["verdict"] == verdict


ROWS = {  # as printed, by place and metric
    "Table 1": {
        "ms_ssim": {"one-group": 0.9651, "se": 0.9646, "re": 0.9652, "c32": 0.9653},
        "bpp": {"one-group": 0.2664, "se": 0.2608, "re": 0.2586, "c32": 0.2576},
        "bpp_change": {"one-group": 0.0, "se": -2.11, "re": -2.93, "c32": -3.31},
    },
    "Table 2": {
        "psnr": {"one-group": 27.926, "levels-456": 28.012, "c32": 28.024, "levels-258": 27.982},
        "ms_ssim": {"one-group": 0.9651, "levels-456": 0.9652, "c32": 0.9653, "levels-258": 0.9644},
        "bpp": {"one-group": 0.2664, "levels-456": 0.2639, "c32": 0.2576, "levels-258": 0.2471},
        "bpp_change": {"one-group": 0.0, "levels-456": -0.94, "c32": -3.31, "levels-258": -7.24},
    },
    "Figure 3": {
        "bpp": {"c16": 0.129, "c32": 0.258, "c48": 0.382, "c64": 0.51, "c80": 0.653},
        "ms_ssim_db": {"c16": 12.076, "c32": 14.685, "c48": 16.198, "c64": 17.646, "c80": 18.239},
    },
}  # fmt: skip


def claims_of_rows():
    for place, metrics in ROWS.items():
        for metric, printed in metrics.items():
            for name, value in printed.items():
                if (claim := f"{place.replace(' ', '').lower()}.{name}.{metric}") in ACCEPTED:
                    others = [other for one, other in printed.items() if one != name]
                    yield claim, value, others


ACCEPTED = {claim.id: claim.tolerance.ends(claim.expected) for claim in paper() if isinstance(claim.expected, float)}


def test_no_tolerance_holds_the_row_that_a_claim_is_to_be_told_from_or_nothing_is_reproduced_in_it(tmp_path):
    claims, checked, alike = judged(whole_paper(tmp_path)), 0, set()
    for name, value, others in claims_of_rows():
        low, high = ACCEPTED[name]
        assert low <= value <= high
        both = [other for other in others if low <= other <= high]
        assert claims[name]["verdict"] == (INCONCLUSIVE if both else REPRODUCED), name
        assert claims[name]["power"]["could_hold"] == (not both), name
        assert all(f"{other:g}" in claims[name]["reason"] for other in both), name
        checked += 1
        alike |= {name.rpartition(".")[2]} if both else set()
    assert checked == 36
    assert alike == {"ms_ssim", "psnr"}


def test_a_value_of_the_neighbouring_row_is_not_reproduced(tmp_path):
    """Without any spread: RE's rate for the predefined order, and no change where -0.94 % is claimed."""
    made = MadeUp(tmp_path)
    made.experiment("one-group", PAPER["one-group"], (1e-6, 1e-6, 1e-4))
    made.experiment("c32", (0.9653, 0.2586, 28.024), (1e-6, 1e-6, 1e-4))
    made.experiment("levels-456", (0.9652, 0.2664 * 1.0006, 28.0), (1e-6, 1e-6, 1e-4))
    claims = judged(made)
    assert claims["table1.c32.bpp"]["verdict"] == NOT_REPRODUCED
    assert claims["table2.levels-456.bpp_change"]["verdict"] == NOT_REPRODUCED
    assert claims["table1.c32.ms_ssim"]["verdict"] == INCONCLUSIVE
    assert "0.9651 (table1.one-group.ms_ssim)" in claims["table1.c32.ms_ssim"]["reason"]


def test_every_number_of_the_paper_is_a_claim():
    ms_ssim_and_bpp = {
        "table1.one-group": (0.9651, 0.2664), "table1.se": (0.9646, 0.2608), "table1.re": (0.9652, 0.2586),
        "table1.c32": (0.9653, 0.2576), "table2.one-group": (0.9651, 0.2664), "table2.levels-456": (0.9652, 0.2639),
        "table2.c32": (0.9653, 0.2576), "table2.levels-258": (0.9644, 0.2471), "section2": (0.922, 0.112),
    }  # fmt: skip
    for prefix, (ms_ssim, bpp) in ms_ssim_and_bpp.items():
        assert expected_number(f"{prefix}.ms_ssim") == ms_ssim
        assert expected_number(f"{prefix}.bpp") == bpp
    changes = {"table1.se": -2.11, "table1.re": -2.93, "table1.c32": -3.31, "table2.levels-456": -0.94,
               "table2.c32": -3.31, "table2.levels-258": -7.24}  # fmt: skip
    assert {name: expected_number(f"{name}.bpp_change") for name in changes} == changes
    psnr = {"one-group": 27.926, "levels-456": 28.012, "c32": 28.024, "levels-258": 27.982}
    assert {name: expected_number(f"table2.{name}.psnr") for name in psnr} == psnr
    curve = {"c16": (0.129, 12.07608311), "c32": (0.258, 14.68521083), "c48": (0.382, 16.19788758),
             "c64": (0.51, 17.64551079), "c80": (0.653, 18.23871964)}  # fmt: skip
    for name, (bpp, decibel) in curve.items():
        assert expected_number(f"figure3.{name}.bpp") == bpp
        assert expected_number(f"figure3.{name}.ms_ssim_db") == decibel
    training = {"images": 4000, "patch": 256, "batch": 32, "epochs": 400, "lr.encoder": 1e-4, "lr.quantizer": 1e-4,
                "lr.entropy-model": 5e-5, "lr.decoder": 1e-4, "lr-drops.factor": 5, "blocks": 6, "groups": 3,
                "alpha": 128, "beta": 0.001, "rate-points.count": 5, "rate-points.from": 16,
                "rate-points.to": 80}  # fmt: skip
    assert {name: expected_number(f"training.{name}") for name in training} == training
    assert Counter(claim.id for claim in paper()).most_common(1)[0][1] == 1


PRINTED = {  # MS-SSIM, bpp, PSNR of Tables 1 and 2 and Section 2 as they stand there; PSNR of Table 2 only
    "one-group": (0.9651, 0.2664, 27.926),
    "se": (0.9646, 0.2608, 28.0),
    "re": (0.9652, 0.2586, 28.0),
    "c32": (0.9653, 0.2576, 28.024),
    "levels-456": (0.9652, 0.2639, 28.012),
    "levels-258": (0.9644, 0.2471, 27.982),
    "toy": (0.922, 0.112, 24.0),
}
OWN_SPREAD = (0.0885, 0.00155, 0.05)
"""Between the paper's two values for one model: .9660 and .9653 in dB, .258 and .2576 bpp as a share; half of the range
of PSNR in Table 2, dB."""


def exactly_the_paper(folder) -> MadeUp:
    """The paper's printed numbers and plotted points with its own spread between seeds, and its conventional codecs."""
    made = MadeUp(folder)
    own = curves("figure-3")["figure3-cvqn"]
    plotted = zip(("c16", "c32", "c48", "c64", "c80"), own.ms_ssim.tolist(), own.bpp.tolist(), strict=True)
    for name, values in ({name: (ms_ssim, bpp, 28.0) for name, ms_ssim, bpp in plotted} | PRINTED).items():
        slope = math.log(10) / 10 * (1 - values[0])  # MS-SSIM per dB
        made.experiment(name, values, (OWN_SPREAD[0] * slope, OWN_SPREAD[1] * values[1], OWN_SPREAD[2]))
    for codec in ("jpeg2000", "webp", "bpg-444"):
        made.codec(codec, {str(at): point for at, point in enumerate(measured_as_drawn(f"figure3-{codec}"))})
    return made


def measured_as_drawn(name: str) -> list[tuple[float, float]]:
    """A plotted curve as (MS-SSIM, bpp), continued to 0.08 and 0.8 bpp, as a measured codec covers every rate."""
    curve = curves("figure-3")[name]
    rates, decibel = np.log(curve.bpp), curve.ms_ssim_db
    first, last = ((decibel[at + 1] - decibel[at]) / (rates[at + 1] - rates[at]) for at in (0, -2))
    low, high = math.log(0.08), math.log(0.8)
    decibel = [decibel[0] - first * (rates[0] - low), *decibel, decibel[-1] + last * (high - rates[-1])]
    return list(zip(1 - 10 ** (-np.array(decibel) / 10), [0.08, *curve.bpp, 0.8], strict=True))


def test_the_papers_own_numbers_reproduce_what_they_should_and_nothing_else(tmp_path):
    claims = judged(exactly_the_paper(tmp_path))
    found = {verdict: {name for name, claim in claims.items() if claim["verdict"] == verdict} for verdict in VERDICTS}
    numbers = {claim.id for claim in paper() if claim.measure in ("mean", "bpp_change")} - EXTRAS
    too_noisy = {name for name in numbers if name.endswith((".ms_ssim_db", ".bpp_change"))} | {"section2.ms_ssim"}
    assert found[NOT_REPRODUCED] == set()
    assert found[INCONCLUSIVE] == too_noisy | (ALIKE - EXTRAS) | TOO_CLOSE | {
        "section4.2.better-ms-ssim",  # .0005 of MS-SSIM that SE lies below [5]
        "table1.predefined-best",  # .0001 of MS-SSIM between predefined and RE
        "table2.258-degrades",  # .0007 of MS-SSIM, one deviation
        "table2.357-best",  # .0001 of MS-SSIM and .012 dB of PSNR to [4,5,6]
    }
    [listed] = re.findall("could not hold even then: (.+?)\\. ", (ROOT / "docs" / "audit.md").read_text(), re.DOTALL)
    patterns = re.findall("`([^`]+)`", listed)
    assert {name for name in claims if any(fnmatch(name, one) for one in patterns)} - EXTRAS == found[INCONCLUSIVE]
    assert found[REPRODUCED] == numbers - found[INCONCLUSIVE] | {
        "table1.fewer-bits", "table2.bpp-order", "figure3.above.jpeg2000", "figure3.above.webp", "figure3.above.bpg",
        "figure3.above.johnston", "section4.3.above-toderici", "figure4.highest-ms-ssim"}  # fmt: skip


def test_the_power_of_a_claim_is_what_the_papers_own_numbers_would_give(tmp_path):
    claims = judged(exactly_the_paper(tmp_path))
    for name in PRINTED.keys() - {"toy"}:
        assert claims[f"table{1 + name.startswith('levels')}.{name}.bpp"]["power"]["could_hold"]
    own = {name: claim for name, claim in claims.items() if claim["power"] and claim["power"]["could_hold"] is not None}
    assert len(own) > 40
    for name, claim in own.items():
        if not name.startswith(("figure3.c32", "figure4")):  # Table 1 and Figure 3 differ on c32
            assert (claim["verdict"] == REPRODUCED) == claim["power"]["could_hold"], name
    deviation, seeds, freedom = 0.0885, 3, 2 * 10
    margin = student.ppf(0.975, freedom) * deviation * math.sqrt(2 / seeds)
    predefined = claims["table1.predefined-best"]["measured"][0]
    assert predefined["if_right"][0] == pytest.approx(10 * math.log10((1 - 0.9652) / (1 - 0.9653)))
    assert predefined["if_right"][0] - predefined["if_right"][1] == pytest.approx(margin, rel=0.02)


def test_a_claim_that_holds_by_the_number_of_levels_could_not_fail(tmp_path):
    """A group of 7 levels has more than 5 by itself; none of [3, 4, 5] has."""
    made = whole_paper(tmp_path / "papers")
    claim = judged(made)["eq7.diversity"]
    assert claim["power"]["words"] == "not known whether it could hold, could not fail"
    made = MadeUp(tmp_path / "other")
    made.config["experiments"]["levels-456"]["model"]["levels"] = [3, 4, 5]
    for name in ("one-group", "levels-456"):
        for seed in made.seeds(name):
            made.analyse(f"{name}-seed{seed}", falling_influence(32, 24, seed))
    with contextlib.chdir(made.folder):
        [value] = measures.measure(next(one for one in paper() if one.id == "eq7.diversity"), made.evidence()).values
    assert value.if_wrong.estimate == 0


def test_a_claim_about_channels_says_that_they_are_those_of_the_last_checkpoint(tmp_path):
    claims = judged(whole_paper(tmp_path))
    for name in ("section2.uneven", "section2.alike", "figure3-left.content", "eq7.diversity", "eq7.entropy"):
        assert "at the last checkpoint, the only one whose channels are analysed" in claims[name]["note"]
        assert claims[name]["at_others"] == {}


def test_three_seeds_at_every_rate_point_narrow_a_comparison_of_curves(tmp_path):
    widths = {}
    for parts in (["table1", "table2"], ["rate_curve", "table1", "table2"]):
        made = MadeUp(tmp_path / str(len(parts)))
        made.config["report"]["every_seed"] = parts
        for name, values in PAPER.items():
            made.experiment(name, values, (2e-4, 1e-4, 0.01))
        share = judged(made)["figure3.above.li"]["measured"][0]
        widths[len(parts)] = share["high"] - share["low"]
    assert widths[3] < widths[2]


def test_memory_is_compared_on_one_card_and_without_what_both_hold(tmp_path):
    for held in (0, 60_000_000_000):  # the training images, in both or in neither
        made = MadeUp(tmp_path / str(held))
        for name, peak in (("c32", 8_000_000_000), ("strided", 9_000_000_000)):
            made.provenance(f"{name}-seed1", peak_memory_bytes=peak + held, gpu={"name": "a card"})
        for seed in (2, 3):
            made.provenance(f"c32-seed{seed}")
        claim = judged(made)["section3.1.memory"]
        assert claim["measured"][0]["value"] == pytest.approx(1000)
        assert claim["verdict"] == REPRODUCED
    made.provenance("strided-seed1", peak_memory_bytes=9_000_000_000, gpu={"name": "another card"})
    claim = judged(made)["section3.1.memory"]
    assert claim["verdict"] == NOT_MEASURED
    assert claim["reason"] == "the trainings ran on different GPUs, a card and another card"


@pytest.mark.parametrize(
    ("scale", "expected"),
    [("paper", "setting used"), ("mini", "not evaluated at this scale"), ("small", "not evaluated at this scale")],
)
def test_a_schedule_without_drops_has_none_of_the_papers(tmp_path, scale, expected):
    """The cosine schedule of the smaller scales keeps drop_epochs and drop_factor of the defaults, unused."""
    made = MadeUp(tmp_path, scale)
    made.experiment("c32", PAPER["c32"])
    with contextlib.chdir(made.folder):
        claims = {claim["id"]: claim for claim in audit(made.evidence(extras=False))["claims"]}
    assert {claims[f"training.lr-drops.{name}"]["verdict"] for name in ("epochs", "factor")} == {expected}
