"""Verdicts from intervals, and that every claim can get each of them from made-up results."""

import contextlib
import math
from collections import Counter

import numpy as np
import pytest
from made_up import PAPER, MadeUp, falling_influence, whole_paper

from baselines.published import curves
from cvqn.lab.evaluation.statistics import Interval
from cvqn.lab.report.audit.audit import audit
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

TOLERANCES = {claim.tolerance.name: claim.tolerance for claim in paper() if claim.tolerance}
IDENTITIES = {"table2.bound-order", "section3.2.soft-quantizer", "eq7.bound", "eq7.entropy"}
TOO_CLOSE = {  # the paper's curves differ by less than our images spread
    "central.above-balle",
    "figure3.above.li",
    "figure3.above.mentzer",
    "figure3.above.rippel",
}
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
    assert TOLERANCES["bpp"].ends(0.25) == pytest.approx((0.245, 0.255))
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
    assert names[INCONCLUSIVE] == TOO_CLOSE
    assert names[IDENTITY] == IDENTITIES
    assert names[SETTING_USED] == {name for name in claims if name.startswith(("training.", "protocol."))} | {
        "section2.channels", "section2.levels"}  # fmt: skip
    assert not names[NOT_REPRODUCED] | names[NOT_EVALUATED] | names[NOT_MEASURED]
    for name, claim in claims.items():
        if name not in NEVER_MEASURED:
            assert claim["measured"], name
            assert claim["evidence"], name
            assert claim["tolerance"]["reason"], name


def contrary(folder) -> MadeUp:
    """Results that contradict the paper in everything that it says."""
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

    for name in ("one-group", "se", "re", "c32", "levels-456", "levels-258", "c16", "c48", "c64", "c80", "toy"):
        made.experiment(name, values[name], (1e-6, 1e-6, 1e-4))
    made.experiment("levels-4", (0.95, base * 0.8, 24))
    made.experiment("levels-6", (0.96, base * 1.2, 26))
    for codec in ("jpeg2000", "webp", "bpg-444"):
        made.codec(codec, {str(at): (0.982 + 0.003 * at, rate) for at, rate in enumerate((0.05, 0.3, 0.9))})
    flat = np.ones((48, 24)) + 0.1 * np.random.default_rng(1).random((48, 24))
    made.analyse("toy-seed1", flat)
    for name in ("one-group", "levels-456", "c32", "levels-258"):
        for seed in config["seeds"]:
            rising = falling_influence(32, 24, seed)
            single = [[1.0] + [0.0] * (levels - 1) for levels in own[name]["model"]["levels"]]
            made.analyse(
                f"{name}-seed{seed}",
                rising[::-1],
                shares=single if name != "one-group" else [[0.2] * 5],
                likeness=np.linspace(0.9, 0.1, 32),
            )
    made.training("c32-seed1", images=500, optimizer="SGD", jump=0.05, memory=9_000_000_000)
    made.training("c32-seed2", jump=0.05)
    made.training("strided-seed1", jump=0.01, memory=8_000_000_000)
    return made


def test_results_that_contradict_the_paper_reproduce_nothing_but_the_entropy_bound(tmp_path):
    made = contrary(tmp_path)
    made.identities(difference=1e-3)
    claims = judged(made)
    spared = NEVER_MEASURED | {"eq7.entropy"}
    assert {name for name, claim in claims.items() if claim["verdict"] != NOT_REPRODUCED} == spared


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


@pytest.mark.parametrize("scale", ["mini", "small", "tiny"])
def test_below_the_papers_scale_only_identities_are_judged(tmp_path, scale):
    made = whole_paper(tmp_path, scale=scale)
    claims = judged(made)
    verdicts = {name: claim["verdict"] for name, claim in claims.items()}
    assert {claim.id for claim in paper() if claim.any_scale} == IDENTITIES
    assert {name for name, verdict in verdicts.items() if verdict == IDENTITY} == IDENTITIES
    assert set(verdicts.values()) <= {IDENTITY, NOT_EVALUATED, NOT_MEASURED, NOT_MEASURABLE}
    shown = claims["table1.c32.ms_ssim"]
    assert shown["measured"][0]["value"] == pytest.approx(0.9656)
    assert shown["measured"][0]["verdict"] is None
    assert scale in shown["reason"]


def test_nothing_measured_gives_no_verdict(tmp_path):
    made = MadeUp(tmp_path)
    claims = judged(made)
    settings = {claim.id for claim in paper() if claim.measure in ("setting", "widths", "groups", "rate_points")}
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
    assert changed == {"section3.1.memory", "section3.1.stability", "section4.2.odd-levels"}
    for name in changed:
        assert without[name]["verdict"] == NOT_MEASURED
        assert without[name]["reason"].endswith("one of the extras, which the target `extras` runs and judges")
        assert with_extras[name]["verdict"] == REPRODUCED
    assert "extras" not in judged(MadeUp(tmp_path / "nothing"))["table1.c32.bpp"]["reason"]


def test_curves_measured_on_other_images_are_not_held_against_published_ones(tmp_path):
    made = whole_paper(tmp_path)
    made.config["data"]["evaluation"] = "packaged-evaluation"
    claims = judged(made)
    for name in ("figure3.above.rippel", "section4.3.above-toderici"):
        assert claims[name]["verdict"] == NOT_MEASURED
        assert "on other images" in claims[name]["reason"]
    assert claims["figure3.above.webp"]["verdict"] == REPRODUCED


def test_the_papers_protocol_is_judged_on_the_best_checkpoint_and_the_last_is_named(tmp_path):
    made = MadeUp(tmp_path)
    made.experiment("c32", (0.9500, 0.30, 27), (1e-5, 1e-5, 1e-3))
    made.experiment("c32", (0.9653, 0.2576, 28.024), (1e-5, 1e-5, 1e-3), checkpoints=("best",))
    claim = judged(made)["table1.c32.ms_ssim"]
    assert claim["verdict"] == REPRODUCED
    assert "last checkpoint 0.9500" in claim["note"]


def test_a_rate_just_inside_and_just_outside_its_margin(tmp_path):
    for name, factor, verdict in (("in", 1.018, REPRODUCED), ("out", 1.022, NOT_REPRODUCED)):
        made = MadeUp(tmp_path / name)
        made.experiment("c32", (0.9653, 0.2576 * factor, 28), (1e-6, 1e-6, 1e-4))
        assert judged(made)["table1.c32.bpp"]["verdict"] == verdict


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
