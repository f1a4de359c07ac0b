"""The paper against itself: every verdict by a plain calculation, from numbers typed in here or from CSVs."""

import contextlib
import csv
import json
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_up import MadeUp

from cvqn.lab.report.audit.audit import audit, write_audit
from cvqn.lab.report.audit.itself import ITSELF_VERDICTS, paper_against_itself
from cvqn_baselines.published import FOLDER

STATEMENTS = {one.id.removeprefix("itself."): one for one in paper_against_itself()}
TABLE_1 = {"[5]": (0.9651, 0.2664), "SE": (0.9646, 0.2608), "RE": (0.9652, 0.2586), "predefined": (0.9653, 0.2576)}
TABLE_2 = {  # PSNR, MS-SSIM, BPP
    (5,): (27.926, 0.9651, 0.2664),
    (4, 5, 6): (28.012, 0.9652, 0.2639),
    (3, 5, 7): (28.024, 0.9653, 0.2576),
    (2, 5, 8): (27.982, 0.9644, 0.2471),
}
VERDICTS = {
    "above.balle-2017": "does not hold",
    "above.jpeg2000": "holds",
    "above.webp": "holds",
    "above.bpg-444": "holds",
    "above.johnston-2018": "holds",
    "above.li-2018": "holds",
    "above.mentzer-2018": "holds",
    "above.rippel-2017": "does not hold",
    "above.toderici-2017": "holds",
    "figure3-names": "does not hold",
    "same-model": "does not hold",
    "best-configurations": "does not hold",
    "better-ms-ssim": "does not hold",
    "fewer-bits": "holds",
    "percentages.table1": "holds",
    "percentages.table2": "holds",
    "tables-agree": "holds",
    "predefined-best": "holds",
    "predefined-distinctly": "not checkable",
    "public-retraining": "does not hold",
    "357-best": "holds",
    "258-degrades": "holds",
    "odd-levels": "not checkable",
    "bound-order": "holds",
    "rates-follow-bound": "holds",
    "rates-below-bound": "holds",
    "eq1-index": "does not hold",
    "soft-quantizer": "holds",
    "eq7-equality": "does not hold",
    "eq7-diversity": "not checkable",
}


def text(name):
    return "\n".join(STATEMENTS[name].arithmetic)


def points(curve):
    with open(FOLDER / f"{curve}.csv", newline="") as file:
        return [(float(row["bpp"]), float(row["ms_ssim_db"])) for row in csv.DictReader(file)]


def straight(curve, rate):
    """MS-SSIM dB on the straight line between the two points around a rate; None beyond the points."""
    for (left, low), (right, high) in pairwise(curve):
        if left <= rate <= right:
            return low + (high - low) * (rate - left) / (right - left)
    return None


def share_above(curve, steps=50_000):
    """By counting: the share of evenly spaced rates from 0.1 to 0.6 bpp at which both are known and CVQN is above."""
    own, other, won = points("figure3-cvqn"), points(curve), 0
    for step in range(steps):
        rate = 0.1 + 0.5 * (step + 0.5) / steps
        ours, theirs = straight(own, rate), straight(other, rate)
        won += ours is not None and theirs is not None and ours > theirs
    return won / steps


def test_the_verdicts_and_that_every_statement_shows_its_arithmetic():
    assert {name: one.verdict for name, one in STATEMENTS.items()} == VERDICTS
    assert set(VERDICTS.values()) == set(ITSELF_VERDICTS)
    for name, one in STATEMENTS.items():
        assert one.place, name
        assert one.arithmetic, name
        assert all(Path(path).is_file() and rows for path, rows in one.evidence), name


@pytest.mark.parametrize("name", [name for name in VERDICTS if name.startswith("above.")])
def test_shares_of_the_rates_by_counting(name):
    curve = name.removeprefix("above.")
    share = share_above(curve if curve in ("balle-2017", "toderici-2017") else f"figure3-{curve}")
    printed = float(re.search(r"of 0.5 bpp, a share of (\d\.\d+)", text(name))[1])
    assert printed == pytest.approx(share, abs=1e-3)
    assert STATEMENTS[name].verdict == ("holds" if share >= 0.85 else "does not hold")
    smooth = float(re.search(r"in place of straight lines, the share is (\d\.\d+)", text(name))[1])
    assert (smooth >= 0.85) == (share >= 0.85)  # how points are joined decides nothing


@pytest.mark.parametrize("name", [name for name in VERDICTS if name.startswith("above.")])
def test_what_is_printed_is_enough_to_compute_the_share(name):
    """From the page alone: differences at the points, straight lines between them."""
    printed = re.findall(r"([\d.]+): [\d.]+ - [\d.]+ = ([+-][\d.]+)", text(name))
    gains = [(float(rate), float(gain)) for rate, gain in printed]
    won = 0.0
    for (left, first), (right, second) in pairwise(gains):
        size = abs(first) + abs(second)
        above = max(first, second) / size if first * second < 0 else first > 0
        won += (right - left) * above
    assert won / 0.5 == pytest.approx(float(re.search(r"of 0.5 bpp, a share of (\d\.\d+)", text(name))[1]), abs=2e-3)


def test_rippel_point_by_point():
    """At 0.4 bpp: CVQN 16.1979 + (17.6455 - 16.1979) x 0.018 / 0.128 = 16.4015 against 16.44."""
    assert "0.4: 16.4015 - 16.4400 = -0.0385" in text("above.rippel-2017")
    ours = 16.19788758 + (17.64551079 - 16.19788758) * (0.4 - 0.382) / (0.51 - 0.382)
    assert ours == pytest.approx(16.4015, abs=5e-5)
    assert "0.6: 18.0189 - 18.1500 = -0.1311" in text("above.rippel-2017")


def test_figure_3_and_table_1_differ_on_one_model():
    figure = 1 - 10 ** (-14.68521083 / 10)
    assert round(figure, 4) == 0.9660
    assert f"0.9660 - 0.9653 = {figure - 0.9653:+.4f}: 3.5 times the +0.0002" in text("same-model")


def test_the_text_names_toderici_and_the_figure_draws_johnston():
    with open(FOLDER / "index.csv", newline="") as file:
        drawn = [row["codec"] for row in csv.DictReader(file) if row["group"] == "figure-3"]
    assert "Johnston 2018" in drawn
    assert not any("Toderici" in codec for codec in drawn)
    assert "Figure 3 has 8 curves" in text("figure3-names")


def test_a_published_jpeg2000_is_a_decibel_above_the_drawn_one():
    gains = {rate: straight(points("jpeg2000-kakadu"), rate) - straight(points("figure3-jpeg2000"), rate)
             for rate in (0.2, 0.3, 0.4, 0.5, 0.6)}  # fmt: skip
    assert max(gains.values()) == pytest.approx(1.14, abs=0.005)
    for rate, gain in gains.items():
        assert f"= {gain:+.2f} at {rate:g}" in text("best-configurations")
    for name in ("webp", "bpg-444"):
        own = points(f"figure3-{name}")
        for rate in (0.3, 0.4, 0.5):
            assert abs(straight(points(name), rate) - straight(own, rate)) < 0.2


def test_splitting_lowers_the_rate_but_not_always_raises_ms_ssim():
    differences = [TABLE_1[name][0] - 0.9651 for name in ("SE", "RE", "predefined")]
    differences += [TABLE_2[levels][1] - 0.9651 for levels in ((4, 5, 6), (2, 5, 8))]
    assert [value > 0 for value in differences] == [False, True, True, True, False]
    for value in differences:
        assert f"- 0.9651 = {value:+.4f}" in text("better-ms-ssim")
    assert all(bpp < 0.2664 for _, bpp in list(TABLE_1.values())[1:])
    assert all(bpp < 0.2664 for *_, bpp in list(TABLE_2.values())[1:])


@pytest.mark.parametrize(
    ("table", "rate", "printed"),
    [("table1", 0.2608, -2.11), ("table1", 0.2586, -2.93), ("table1", 0.2576, -3.31), ("table2", 0.2639, -0.94),
     ("table2", 0.2576, -3.31), ("table2", 0.2471, -7.24)],
)  # fmt: skip
def test_printed_percentages_can_come_from_rates_that_round_to_the_printed_ones(table, rate, printed):
    errors = np.linspace(-5e-5, 5e-5, 101)
    possible = 100 * ((rate + errors[:, None]) / (0.2664 + errors) - 1)
    assert np.abs(possible - printed).min() < 0.005
    assert f"printed {printed:.2f}" in text(f"percentages.{table}")
    assert f"= {100 * (rate / 0.2664 - 1):.3f}" in text(f"percentages.{table}")


def test_orders_of_both_tables():
    assert TABLE_1["predefined"][0] > TABLE_1["RE"][0] > TABLE_1["SE"][0]
    assert TABLE_1["predefined"][1] < TABLE_1["RE"][1] < TABLE_1["SE"][1]
    best = TABLE_2[3, 5, 7]
    for levels, (psnr, ms_ssim, _) in TABLE_2.items():
        assert levels == (3, 5, 7) or (best[0] > psnr and best[1] > ms_ssim)
    degraded = TABLE_2[2, 5, 8]
    for levels in ((4, 5, 6), (3, 5, 7)):
        assert degraded[0] < TABLE_2[levels][0]
        assert degraded[1] < TABLE_2[levels][1]
    assert degraded[0] > TABLE_2[5,][0]
    assert TABLE_1["[5]"] == TABLE_2[5,][1:]
    assert TABLE_1["predefined"] == TABLE_2[3, 5, 7][1:]


def test_the_public_retraining_misses_by_ten_times_the_spread_of_the_table():
    psnr = [row[0] for row in TABLE_2.values()]
    assert (28.024 - 26.949) / (max(psnr) - min(psnr)) > 10
    assert "26.949 - 28.024 = -1.075 dB" in text("public-retraining")


def bound(levels):
    return math.log2(levels[0]) if len(levels) == 1 else math.log2(levels[0] * levels[1] ** 2 * levels[2]) / 4


def test_bounds_by_their_products_and_the_rates_below_them():
    assert 2 * 8 < 3 * 7 < 4 * 6 < 5 * 5
    bounds = [bound(levels) for levels in TABLE_2]
    assert bounds == sorted(bounds, reverse=True)
    for value in bounds:
        assert f"= {value:.5f}" in text("bound-order")
    assert sorted((row[2] for row in TABLE_2.values()), reverse=True) == [row[2] for row in TABLE_2.values()]
    points = list(zip((16, 32, 48, 64, 80), (0.129, 0.258, 0.382, 0.51, 0.653), strict=True))
    rates = [(rate, channels * bound((3, 5, 7)) / 256) for channels, rate in points]
    rates += [(row[2], 32 * bound(levels) / 256) for levels, row in TABLE_2.items()]
    rates += [(0.2608, 32 * bound((3, 5, 7)) / 256), (0.2586, 32 * bound((3, 5, 7)) / 256), (0.112, 32 / 256)]
    for rate, most in rates:
        assert 0.07 < 1 - rate / most < 0.11
        assert f"= {most:.5f} bpp; {rate:.4g} is {100 * (1 - rate / most):.1f} % below" in text("rates-below-bound")


def test_equations_by_enumeration_and_by_numbers():
    d, channels = 2, 2
    places = [c * (d * i + j) for c in range(1, channels + 1) for i in range(1, d + 1) for j in range(1, d + 1)]
    assert len(set(places)) < len(places)
    assert max(places) == 12 > d**2 * channels
    meant = [c * d**2 + d * i + j for c in range(channels) for i in range(d) for j in range(d)]
    assert sorted(meant) == list(range(d**2 * channels))

    z, means, sigma = 0.3, np.array([-1.0, 0.2, 1.4]), math.sqrt(2) / 2
    gaussian = np.exp(-((z - means) ** 2) / (2 * sigma**2)) / sigma
    soft = np.exp(-((z - means) ** 2))
    assert np.allclose(gaussian / gaussian.sum(), soft / soft.sum())

    joint = {(0, 0): 0.5, (1, 1): 0.5}  # two copies of one fair bit
    assert -sum(p * math.log2(p) for p in joint.values()) == 1
    assert 2 * -sum(p * math.log2(p) for p in (0.5, 0.5)) == 2


@pytest.mark.parametrize("scale", ["mini", "small", "paper"])
def test_it_stands_first_in_every_audit_at_every_scale_without_any_measurement(tmp_path, scale):
    made = MadeUp(tmp_path, scale)
    with contextlib.chdir(tmp_path):
        write_audit(audit(made.evidence()), "audit.json")
    found = json.loads((tmp_path / "audit.json").read_text())["itself"]
    assert {one["id"]: one["verdict"] for one in found["statements"]} == {
        f"itself.{key}": value for key, value in VERDICTS.items()
    }
    assert found["counts"] == {"holds": 18, "does not hold": 9, "not checkable": 3}
    page, markdown = (tmp_path / "audit.html").read_text(), (tmp_path / "audit.md").read_text()
    assert page.index("The paper against itself") < page.index("Measured here")
    for one in found["statements"]:
        assert all(line in markdown for line in one["arithmetic"])
        assert all((tmp_path / row["path"]).is_file() for row in one["evidence"])
