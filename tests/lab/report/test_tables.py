"""Tables against plain computation from the same files."""

import contextlib
import csv
import json
import math
import statistics
from pathlib import Path

import bjontegaard
import pandas as pd
import pytest
from made_up import PAPER, MadeUp, falling_influence, whole_paper

from cvqn.lab.report import registry
from cvqn.lab.report.audit.audit import audit
from cvqn_baselines import published


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results in agreement with the paper, with every table but those of orders, starts and learned codecs."""
    made = whole_paper(tmp_path_factory.mktemp("results"))
    for table in registry.TABLES:
        if table.name not in ("importance", "starts", "learned", "learned-every"):
            assert made.table(table.name) == 0
    return made


def plain_means(made, setting, column):
    with open(made.path(made.results.measurements("cvqn", setting)), newline="") as file:
        return statistics.fmean(float(row[column]) for row in csv.DictReader(file))


def test_means_spreads_and_changes_of_table_2(results):
    table = {(row["experiment"], row["checkpoint"]): row for row in results.rows("table2")}
    assert list(dict.fromkeys(name for name, _ in table)) == ["one-group", "levels-456", "c32", "levels-258"]
    for (name, checkpoint), row in table.items():
        settings = [f"{name}-seed{seed}" + f"-{checkpoint}" * (checkpoint != "last") for seed in (1, 2, 3)]
        for metric in ("psnr_db", "ms_ssim", "bpp"):
            means = [plain_means(results, setting, metric) for setting in settings]
            assert float(row[f"{metric}_mean"]) == pytest.approx(statistics.fmean(means))
            assert float(row[f"{metric}_std"]) == pytest.approx(statistics.stdev(means), rel=1e-6)
            assert float(row[f"{metric}_min"]) == pytest.approx(min(means))
            assert float(row[f"{metric}_max"]) == pytest.approx(max(means))
        assert row["runs"].split() == settings
    change = 100 * (float(table["c32", "last"]["bpp_mean"]) / float(table["one-group", "last"]["bpp_mean"]) - 1)
    assert float(table["c32", "last"]["bpp_change_percent"]) == pytest.approx(change)
    assert table["one-group", "last"]["bpp_change_percent"] == ""
    assert float(table["levels-258", "best"]["bpp_change_percent_paper"]) == -7.24
    assert float(table["levels-456", "best"]["psnr_db_paper"]) == 28.012


def test_each_number_can_be_followed_to_its_files(results):
    for row in results.rows("runs"):
        first, last = map(int, row["lines"].split("-"))
        header, *lines = results.path(row["measurements"]).read_text().splitlines()
        rows = list(csv.DictReader([header, *lines[first - 2 : last - 1]]))
        assert {one["setting"] for one in rows} == {row["run"]}
        assert float(row["bpp"]) == pytest.approx(statistics.fmean(float(one["bpp"]) for one in rows))
        assert row["bitstreams"] == f"results/paper/bitstreams/{row['codec']}/{row['run']}.tar"
    for row in results.rows("rate-distortion"):
        assert row["bitstreams"].endswith(f"bitstreams/{row['codec']}/{row['setting']}.tar")


def test_the_rate_distortion_table_uses_the_decibel_of_the_mean(results):
    rows = results.rows("rate-distortion")
    for row in rows:
        assert float(row["ms_ssim_db"]) == pytest.approx(-10 * math.log10(1 - float(row["ms_ssim"])), abs=1e-6)
        assert int(row["images"]) == 24
    assert {row["setting"] for row in rows if row["experiment"]} == {row["run"] for row in results.rows("runs")}


def bd_rate_table(made):
    """Rows of cvqn table bd-rate by anchor and kind, its page, and the metrics made from it."""
    assert made.table("bd-rate") == 0
    assert made.cvqn("metrics", "--output", made.results.metrics) == 0
    table = {(row["anchor"], row["kind"]): row for row in made.rows("bd-rate")}
    return table, made.page("bd-rate"), json.loads(made.path(made.results.metrics).read_text())


def five_points(made, **changed):
    for name in made.config["report"]["rate_curve"]:
        made.experiment(name, changed.get(name, PAPER[name]))


def test_a_curve_of_ours_that_dips_has_a_reason_and_no_number(tmp_path):
    made = MadeUp(tmp_path)
    ms_ssim = 1 - 10 ** (-(-10 * math.log10(1 - PAPER["c48"][0]) - 0.01) / 10)  # c64 0.01 dB below c48
    five_points(made, c64=(ms_ssim, *PAPER["c64"][1:]))
    made.codec("webp", {"1": (0.9, 0.1), "2": (0.95, 0.3), "3": (0.98, 0.7)})
    table, text, metrics = bd_rate_table(made)
    reason = "test: MS-SSIM does not rise with the rate (0.382 bpp, 16.20 dB, then 0.51 bpp, 16.19 dB)"
    for row in table.values():
        for delta in ("bd_rate_percent", "bd_ms_ssim_db"):
            assert row[delta] == row[f"{delta}_low"] == row[f"{delta}_high"] == ""
            assert row[f"{delta}_reason"] == reason
    assert text.count(f"no number: {reason}") == 2 * len(table)
    assert metrics["bd_rate.webp"] == metrics["bd_ms_ssim.published.balle-2017"] == f"no number: {reason}"


def test_a_codec_that_is_lossless_on_every_image_has_a_reason_in_tables_and_audit(tmp_path):
    made = MadeUp(tmp_path)
    five_points(made)
    path = made.codec("webp", {"1": (0.9, 0.1), "2": (0.95, 0.3), "3": (0.98, 0.7)})
    lossless = pd.read_csv(path, dtype={"setting": str})
    lossless.loc[lossless.setting == "3", "ms_ssim"] = 1.0
    lossless.to_csv(path, index=False)
    table, text, metrics = bd_rate_table(made)
    reason = "at 0.7 bpp MS-SSIM is exactly 1, which has no decibels"
    assert table["webp", "measured"]["bd_rate_percent_reason"] == f"anchor: {reason}"
    assert f"no number: anchor: {reason}" in text
    assert metrics["bd_rate.webp"] == f"no number: anchor: {reason}"
    assert table["balle-2017", "published"]["bd_rate_percent_reason"] == ""
    with contextlib.chdir(made.folder):
        claims = {claim["id"]: claim for claim in audit(made.evidence())["claims"]}
    assert claims["figure3.above.webp"]["reason"] == f"webp: {reason}"
    assert "MS-SSIM is exactly 1" in claims["figure4.highest-ms-ssim"]["reason"]


def test_bd_rates_against_the_library(results):
    measured = {}
    for row in results.rows("rate-distortion"):
        if row["experiment"] in ("", *results.config["report"]["rate_curve"]):
            measured.setdefault(row["codec"], []).append((float(row["bpp"]), float(row["ms_ssim_db"]), row["setting"]))
    own = {}
    for bpp, decibel, setting in measured["cvqn"]:
        if not setting.endswith("-best"):
            own.setdefault(setting.rpartition("-seed")[0], []).append((bpp, 10 ** (-decibel / 10)))
    curve = sorted(
        (statistics.fmean(bpp for bpp, _ in runs), -10 * math.log10(statistics.fmean(error for _, error in runs)))
        for runs in own.values()
    )
    table = {(row["anchor"], row["kind"]): row for row in results.rows("bd-rate")}
    anchor = sorted(measured["webp"])
    expected = bjontegaard.bd_rate(
        [one[0] for one in anchor], [one[1] for one in anchor], *map(list, zip(*curve, strict=True)), "pchip",
        require_matching_points=False, min_overlap=0,
    )  # fmt: skip
    row = table["webp", "measured"]
    assert float(row["bd_rate_percent"]) == pytest.approx(expected, abs=1e-3)
    assert float(row["bd_rate_percent_low"]) <= expected <= float(row["bd_rate_percent_high"])
    in_the_paper = {"jpeg2000": -60.4, "webp": -52.2, "bpg-444": -34.6, "johnston-2018": -31.8, "li-2018": -10.8,
                    "mentzer-2018": -6.8, "rippel-2017": -4.3}  # fmt: skip
    for name, percent in in_the_paper.items():
        assert float(table[f"figure3-{name}", "published"]["paper_percent"]) == pytest.approx(percent, abs=0.2)
    assert {name for name, kind in table if kind == "published"} == set(published.curves())


def test_equation_7_from_the_configuration_alone(results):
    table = {(row["run"], row["group"]): row for row in results.rows("equation7")}
    bounds = {"one-group": math.log2(5), "levels-456": 2.3072, "c32": 2.25904, "levels-258": 2.16096}
    for name, bound in bounds.items():
        row = table[f"{name}-seed2", "all"]
        assert float(row["bound_bits_per_symbol"]) == pytest.approx(bound, abs=1e-5)
        assert float(row["coded_bits_per_symbol"]) == pytest.approx(0.9 * bound, abs=1e-5)
        assert float(row["entropy_bits_per_symbol"]) == pytest.approx(bound, abs=1e-5)  # made up with equal shares
    distinct = {"one-group": "5", "levels-456": "11", "c32": "7", "levels-258": "13"}  # unit steps
    assert {name: table[f"{name}-seed1", "all"]["values_used"] for name in distinct} == distinct
    assert table["c32-seed1", "all"]["values"] == "15"
    assert table["c32-seed1", "all"]["levels"] == "[3, 5, 7]"
    assert "One seed" not in results.page("equation7")


def correlations(folder: Path, **parts: tuple[float, float]):
    """An importance.json whose correlations with PSNR and MS-SSIM losses are given."""
    written = {"run": folder.name, "kind": folder.name.rpartition("-seed")[0]}
    for what, (psnr, ms_ssim) in parts.items():
        written[f"{what}_rank_correlation"] = {"psnr_loss_db": psnr, "ms_ssim_loss_db": ms_ssim}
    (folder / "importance.json").write_text(json.dumps(written))


def test_correlations_of_orders_with_influence_come_from_the_runs_with_groups(tmp_path):
    made = MadeUp(tmp_path, scale="mini", images=["a", "b"])
    found = {
        "one-group": {"order": (0.1, 0.1)},
        "c48": {"order": (0.2, 0.2)},
        "se": {"order": (0.25, 0.5), "weights": (0.125, -0.75)},
        "re": {"order": (0.75, 1.0)},
    }
    for name, parts in found.items():
        channels = made.config["experiments"][name]["model"]["channels"]
        correlations(made.analyse(f"{name}-seed1", falling_influence(channels, 2)), **parts)
        assert made.table("importance") == (0 if name in ("se", "re") else 2)
    table = {row["experiment"]: row for row in made.rows("importance")}
    assert set(table) == {"se", "re"}
    assert [float(table["se"][what]) for what in ("order_psnr", "order_ms_ssim")] == [0.25, 0.5]
    assert [float(table["se"][what]) for what in ("weights_psnr", "weights_ms_ssim")] == [0.125, -0.75]
    assert table["re"]["weights_psnr"] == ""
    assert table["re"]["file"] == "results/mini/analysis/cvqn/re-seed1/importance.json"
    assert "One seed each." in made.page("importance")
    cells = [[cell.strip() for cell in line.split("|")] for line in made.page("importance").splitlines()]
    assert ["", "re", "re-seed1", "0.75", "1.00", "–", "–", ""] in cells


def test_entropy_and_diversity_of_shares_that_differ_between_images(tmp_path):
    made = MadeUp(tmp_path, images=["a", "b"])
    path = made.analyse("one-group-seed1", falling_influence(32, 2), [[0.5, 0.5, 0.0, 0.0, 0.0]]) / "groups.csv"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace(",0.5,0.5,0.0,0.0,0.0", ",0.0,0.5,0.5,0.0,0.0")
    path.write_text("\n".join([*lines, ""]))
    assert made.table("equation7") == 0
    row = made.rows("equation7")[0]
    assert float(row["entropy_bits_per_symbol"]) == pytest.approx(1.5)  # shares 1/4, 1/2, 1/4 over both images
    assert row["values_used"] == "3"
    assert "One seed each." in made.page("equation7")


def test_what_was_not_measured_says_so_and_one_seed_is_named(tmp_path):
    made = MadeUp(tmp_path, scale="mini")
    made.config["experiments"]["c32"]["training"]["monitor_every"] = 5
    made.experiment("one-group", (0.80, 0.25, 22))
    made.experiment("c32", (0.81, 0.24, 22))
    assert made.table("table1") == 0
    assert "Scale mini: a demonstration, not a reproduction." in made.page("table1")
    lines = {tuple(cell.strip() for cell in line.split("|")[1:4]): line for line in made.page("table1").splitlines()}
    assert "0.8100 (one seed)" in lines["[3, 5, 7]", "predefined", "last"]
    assert "-4.00 %" in lines["[3, 5, 7]", "predefined", "last"]
    assert "not measured" in lines["[3, 5, 7]", "predefined", "best"]
    assert "not measured" in lines["[3, 5, 7]", "se", "last"]
    assert "0.9646" in lines["[3, 5, 7]", "se", "last"]  # the paper's value stands there all the same


def test_the_papers_values_are_beside_the_experiment_with_its_settings_whatever_its_name(tmp_path):
    made = MadeUp(tmp_path, scale="small")
    made.experiment("one-group", (0.93, 0.22, 25))
    made.experiment("predefined", (0.94, 0.21, 26))
    for table, values in (
        ("table1", {"ms_ssim_paper": 0.9653}),
        ("table2", {"bpp_paper": 0.2576, "psnr_db_paper": 28.024}),
    ):
        assert made.table(table) == 0
        [row] = [row for row in made.rows(table) if row["experiment"] == "predefined"]
        assert {column: float(row[column]) for column in values} == values


@pytest.mark.parametrize(("every", "said"), [(10, "the checkpoint of best MS-SSIM"), (0, "no checkpoint was chosen")])
def test_what_the_best_checkpoint_is_depends_on_whether_there_was_a_choice(tmp_path, monkeypatch, every, said):
    made = MadeUp(tmp_path, "mini", ["coffee"])
    for own in made.config["experiments"].values():
        own["training"]["monitor_every"] = every
    made.run("one-group", 1, (0.95, 0.25, 27.0))
    assert made.table("table1") == 0
    assert said in made.page("table1")
    assert {row["checkpoint"] for row in made.rows("table1")} == ({"last", "best"} if every else {"last"})


@pytest.mark.parametrize(("selection", "said"), [(None, "the test set, the paper's protocol"), ("photos", "`photos`")])
def test_the_table_says_which_images_chose_the_best_checkpoint(tmp_path, selection, said):
    made = MadeUp(tmp_path, "mini", ["coffee"])
    made.config["data"]["selection"] = selection
    for own in made.config["experiments"].values():
        own["training"]["monitor_every"] = 10
    made.run("one-group", 1, (0.95, 0.25, 27.0))
    assert made.table("table1") == 0
    assert f"`best` is the checkpoint of best MS-SSIM on {said}" in made.page("table1")
    claim = {claim["id"]: claim for claim in audit(made.evidence())["claims"]}["protocol.checkpoint"]
    assert ("checkpoints were chosen on photos, not on the test set" in claim["reason"]) == (selection is not None)


def test_held_out_checkpoints_have_rows_of_their_own(tmp_path):
    made = MadeUp(tmp_path)
    made.experiment("c32", PAPER["c32"], checkpoints=("last", "best"))
    made.experiment("c32", (0.9640, 0.2700, 27.9), checkpoints=("held-out",))
    assert made.table("table1") == 0
    rows = {row["checkpoint"]: row for row in made.rows("table1") if row["experiment"] == "c32"}
    assert list(rows) == ["last", "best", "held-out"]
    assert [float(row["bpp_mean"]) for row in rows.values()] == pytest.approx([0.2576, 0.2576, 0.27])
    assert rows["held-out"]["runs"] == "c32-seed1-held-out c32-seed2-held-out c32-seed3-held-out"
    page = made.page("table1")
    assert "`best` is the checkpoint of best MS-SSIM on the test set, the paper's protocol; `held-out` is the" in page
    assert "`held-out` is the checkpoint of best MS-SSIM on `div2k-valid`." in page


def test_pages_of_the_papers_scale_carry_no_warning(results):
    for name in ("table1", "table2", "runs", "rate-distortion", "bd-rate", "equation7"):
        assert "demonstration" not in results.page(name)
        assert results.page(name).startswith("# ")


def test_metrics_are_flat_finite_numbers_of_what_was_measured(results):
    for folder in results.path(results.results.analysis("cvqn", "")).iterdir():
        correlations(folder, order=(0.25, 0.5))
    assert results.cvqn("metrics", "--output", results.results.metrics) == 0
    found = json.loads(results.path(results.results.metrics).read_text())
    numbers = [value for value in found.values() if isinstance(value, float)]
    assert all(map(math.isfinite, numbers))
    assert len(numbers) > 0.8 * len(found)
    assert all(value.startswith("no number: ") for value in found.values() if isinstance(value, str))
    assert found["c16.bpp"] == pytest.approx(0.129)
    assert found["c16.ms_ssim_db"] == pytest.approx(12.07608311, abs=1e-6)
    assert found["c32.best.ms_ssim"] == found["c32.held-out.ms_ssim"] == pytest.approx(0.9656)
    assert found["c32.bpp_std"] == pytest.approx(1e-4)
    assert "toy.bpp_std" not in found
    assert found["c32.bpp_change_percent"] == pytest.approx(100 * (0.2576 / 0.2664 - 1), abs=1e-6)
    assert found["codec.webp.2.bpp"] == pytest.approx(0.3)
    bd_rate = {(row["anchor"], row["kind"]): row for row in results.rows("bd-rate")}
    assert found["bd_rate.webp"] == pytest.approx(float(bd_rate["webp", "measured"]["bd_rate_percent"]))
    assert found["bd_rate.published.webp"] == pytest.approx(float(bd_rate["webp", "published"]["bd_rate_percent"]))
    assert found["c32-seed1.order_rank_correlation.ms_ssim"] == 0.5
    assert found["c32-seed1.values_used"] == 7
    assert found["toy-seed1.influence_agreement.psnr"] > 0.9
    assert not any(key.startswith(("beta-0", "authors")) for key in found)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text("codec,setting\n"), "column experiment is missing"),
        (lambda path: path.write_text(path.read_text().splitlines()[0] + "\n"), "has no rows"),
        (lambda path: path.write_text(path.read_text().replace("0.9", "x", 1)), "line 2: ms_ssim is not a number"),
        (lambda path: path.write_text(path.read_text().replace("kodim02", "kodim01")), "line 3: the same codec"),
        (lambda path: path.write_text(path.read_text()[:-9]), "ends within a row"),
    ],
)
def test_damaged_measurements_are_named(tmp_path, capsys, damage, message):
    made = MadeUp(tmp_path)
    path = made.run("c16", 1, (0.938, 0.129, 26))
    damage(path)
    assert made.table("table1") == 2
    error = capsys.readouterr().err
    assert message in error
    assert str(path.relative_to(tmp_path)) in error
    assert not list(tmp_path.glob("results/paper/tables/*"))


@pytest.mark.parametrize("name", [table.name for table in registry.TABLES if not table.name.startswith("table")])
def test_a_table_of_nothing_is_refused(tmp_path, capsys, name):
    assert MadeUp(tmp_path).table(name) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_table_names_those_that_there_are(tmp_path, capsys):
    assert MadeUp(tmp_path).table("figure1") == 2
    assert "figure1: unknown; there are table1, table2, runs" in capsys.readouterr().err
