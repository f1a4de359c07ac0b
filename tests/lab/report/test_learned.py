"""A learned codec from elsewhere: its runs stand in every table and figure, and nothing asks it for channels."""

import contextlib
import json
from types import SimpleNamespace

import pytest
from made_up import MadeUp

from cvqn.cli import main
from cvqn.codecs import registry as codecs
from cvqn.lab.report import registry
from cvqn.lab.report.page.claims import experiments
from cvqn.lab.settings import configuration
from cvqn.settings import Settings, TrainingSettings


class Nothing(Settings):
    """A model without settings, such as one without levels."""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Results with a second learned codec, which has no channels, and none of whose checkpoints was chosen."""
    codec = SimpleNamespace(
        name="dummy",
        model_settings=Nothing,
        training_settings=TrainingSettings,
        has_channels=False,
        title="Dummy",
        exact=False,
    )
    entries = {**codecs._entries(), "dummy": SimpleNamespace(name="dummy", load=lambda: codec)}
    monkeypatch.setattr(codecs, "_entries", lambda: entries)
    codecs.names.cache_clear()
    made = MadeUp(tmp_path, images=["a", "b", "c"])
    training = {key: made.config["experiments"]["c32"]["training"][key] for key in TrainingSettings.model_fields}
    for name in ("low", "high"):
        made.config["experiments"][name] = {
            "codec": "dummy", "model": {}, "training": training | {"monitor_every": 0}
        }  # fmt: skip
    made.config["report"]["learned"] = ["low", "high"]
    for name, rate in (("c16", 0.13), ("c32", 0.26), ("c48", 0.38), ("low", 0.2), ("high", 0.3)):
        made.experiment(name, (0.9 + rate / 5, rate, 25 + 10 * rate))
    made.codec("webp", {"1": (0.92, 0.15), "2": (0.96, 0.35)})
    yield made
    codecs.names.cache_clear()
    codecs.learned.cache_clear()


def test_its_runs_stand_in_the_tables(made):
    for name in ("runs", "rate-distortion", "bd-rate"):
        assert made.table(name) == 0
    assert {row["experiment"] for row in made.rows("runs") if row["codec"] == "dummy"} == {"low", "high"}
    settings = [row["setting"] for row in made.rows("rate-distortion") if row["codec"] == "dummy"]
    assert settings == ["low-seed1", "high-seed1"]
    deltas = {row["anchor"]: row for row in made.rows("bd-rate") if row["kind"] == "measured"}
    assert set(deltas) == {"dummy", "webp"}
    assert float(deltas["dummy"]["bd_rate_percent"]) == pytest.approx(0, abs=5)
    assert "CVQN against" in made.page("bd-rate")


def test_learned_codecs_side_by_side(made):
    made.config["seeds"] = [1]
    for run in ("c16-seed1", "c32-seed1", "c48-seed1", "low-seed1", "high-seed1"):
        made.training(run)
    sizes = made.path(made.results.complexity("all"))
    sizes.parent.mkdir(parents=True, exist_ok=True)
    names = ("c16", "c32", "c48", "low", "high")
    lines = [f"{name},codec,{1000 * at},{500 * at}" for at, name in enumerate(names, 1)]
    sizes.write_text("\n".join(["experiment,codec,parameters,macs_per_pixel", *lines, ""]))
    made.config["report"]["rate_curve"] = ["c16", "c32", "c48"]
    assert made.table("learned") == made.table("bd-rate") == 0
    rows = {row["run"]: row for row in made.rows("learned")}
    assert list(rows) == ["c16-seed1", "c32-seed1", "c48-seed1", "low-seed1", "high-seed1"]
    low = rows["low-seed1"]
    assert (low["parameters"], low["kmacs_per_pixel"], low["steps"], low["cpu_hours"]) == ("4000", "2", "1000", "0.5")
    assert int(low["crops"]) == 1000 * made.config["experiments"]["low"]["training"]["batch"]
    assert (low["machine"], low["exact"], rows["c32-seed1"]["exact"]) == ("cpu", "False", "True")
    assert rows["c32-seed1"]["bd_rate_percent"] == ""
    # Seen from the other side in the table of the method: (1 + a) (1 + b) = 1.
    [other] = [float(row["bd_rate_percent"]) for row in made.rows("bd-rate") if row["anchor"] == "dummy"]
    assert (1 + float(low["bd_rate_percent"]) / 100) * (1 + other / 100) == pytest.approx(1, abs=1e-6)
    assert "not guaranteed" in made.page("learned")


def test_it_has_a_curve_and_may_be_the_one_that_others_are_compared_to(made):
    assert made.cvqn("figure", "figure3-curves", "--output", "curves.svg") == 0
    assert ">dummy<" in made.path("curves.svg").read_text() or "dummy" in made.path("curves.csv").read_text()
    made.config["report"] |= {"rate_curve": ["low", "high"], "learned": ["c16", "c32", "c48"]}
    assert made.table("bd-rate") == 0
    assert {row["anchor"] for row in made.rows("bd-rate") if row["kind"] == "measured"} == {"cvqn", "webp"}
    assert "Dummy against" in made.page("bd-rate")


@pytest.mark.parametrize("channels", [False, True])
def test_audit_and_page_take_it_for_the_method_with_channels_or_without(made, channels):
    codecs.learned("dummy").has_channels = channels
    made.config["experiments"]["c32"] = made.config["experiments"]["low"]
    made.config["report"] |= {"rate_curve": ["low", "high"], "learned": ["c16"]}
    made.config["report"]["figure4"]["codecs"] = ["webp"]
    configuration.write(made.configuration, made.path(made.results.config))
    assert made.cvqn("audit", "--output", f"{made.results.root}/audit.json") == 0
    claims = {one["id"]: one for one in json.loads(made.path(f"{made.results.root}/audit.json").read_text())["claims"]}
    for claim, lacking in {
        "table2.bound-order": "levels", "eq7.bound": "levels", "training.groups": "levels",
        "training.encoder-channels": "width", "training.rate-points.from": "channels",
    }.items():  # fmt: skip
        assert claims[claim]["verdict"] == "not measured"
        assert f"trained with dummy, whose model has no {lacking}" in claims[claim]["reason"]
    with contextlib.chdir(made.folder):
        assert main(["page", made.results.root]) == 0
        assert experiments(made.evidence())["low"] == "dummy"
    assert "dummy" in made.path(made.results.page).read_text()


def test_a_table_of_levels_takes_a_model_without_any(made):
    made.config["report"]["table2"] = ["c32", "low"]
    assert made.table("table2") == 0
    assert [(row["experiment"], row["checkpoint"], row["levels"]) for row in made.rows("table2")] == [
        ("c32", "last", "[3, 5, 7]"),
        ("c32", "best", "[3, 5, 7]"),
        ("c32", "held-out", "[3, 5, 7]"),
        ("low", "last", ""),
    ]


def test_nothing_is_made_of_channels_that_it_does_not_have(made):
    made.config["report"]["toy"] = "low"
    made.config["report"]["figure4"]["experiment"] = "low"
    possible = registry.possible(registry.FIGURES, made.configuration, made.results)
    assert [entry.name for entry in possible] == ["figure3-curves", "psnr-curves", "figure4", "learned-curves"]
    with contextlib.chdir(made.folder):
        files = made.evidence()
        assert not files.files("toy")
        assert not any("/low-" in file for file in files.files("analyses"))
        assert "results/paper/measurements/dummy/low-seed1.csv" in files.files("measurements")
        assert "results/paper/measurements/dummy/low-seed1-best.csv" not in files.files("measurements")
