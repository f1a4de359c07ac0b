import json
import subprocess
import sys

import jsonschema
import pytest
import yaml

from cvqn.errors import CvqnError
from cvqn.lab.settings import configuration as config
from cvqn.lab.settings.runs import Run
from cvqn.lab.settings.schema import schema
from cvqn.model.settings import ModelSettings, Training
from tests import ROOT

SCALES = ROOT / "workflow" / "scales"


def overlay(tmp_path, content):
    path = tmp_path / "overlay.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def cvqn(**content):
    """A change of CVQN's own settings."""
    return {"learned": {"cvqn": content}}


@pytest.mark.parametrize(("scale", "trainings"), [("tiny", 5), ("mini", 12), ("small", 29), ("paper", 32)])
def test_every_scale_is_valid_and_has_its_trainings(scale, trainings):
    resolved = config.resolve([SCALES / f"{scale}.yaml"])
    assert resolved.scale == scale
    assert len(resolved.runs()) == trainings


def test_one_seed_per_rate_point_is_a_key(tmp_path):
    tables = overlay(tmp_path, {"report": {"every_seed": ["table1", "table2"]}})
    assert len(config.resolve([SCALES / "paper.yaml", tables]).runs()) == 24


def test_grid_of_the_paper():
    resolved = config.resolve([SCALES / "paper.yaml"])
    runs, experiments = resolved.runs(), resolved.experiments
    for name in ("one-group", "se", "re", "c32", "levels-456", "levels-258", "c16", "c48", "c64", "c80"):
        assert {Run(name, seed) for seed in (1, 2, 3)} <= set(runs)
    assert [run for run in runs if run.experiment == "toy"] == [Run("toy", 1)]
    assert experiments["c80"].model.channels == 80
    assert experiments["toy"].model.levels == (2,)
    assert experiments["c32"].model.levels == (3, 5, 7)
    authors = experiments["authors"].training
    assert authors.alpha == 256
    assert authors.learning_rates.plain() == {
        "encoder": 1e-4, "importance": 1e-4, "quantizer": 5e-5, "context": 1e-4, "decoder": 1e-4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        ({"modle": {}}, "modle", "unknown key; allowed: scale, seeds"),
        ({"training": {"devic": 1}}, "training.devic", "unknown key; allowed: batch"),
        (cvqn(model={"chanels": 1}), "learned.cvqn.model.chanels", "unknown key; allowed: channels"),
        (
            {"experiments": {"c16": {"modl": {}}}},
            "experiments.c16.modl",
            "unknown key; allowed: codec, model, training",
        ),
        ({"training": {"device": "tpu"}}, "training.device", "\"tpu\" is not allowed; allowed: 'cpu', 'cuda'"),
        ({"training": {"patch": 100}}, "training.patch", "100 is not allowed: input should be a multiple of 16"),
        ({"training": {"epochs": "many"}}, "training.epochs", '"many" is not allowed: input should be a valid integer'),
        ({"training": {"epochs": True}}, "training.epochs", "true is not allowed"),
        ({"training": {"epochs": None}}, "training.epochs", "null is not allowed"),
        (
            cvqn(model={"channels": 30, "ratios": [0.25, 0.5, 0.25]}),
            "ratios",
            "every group needs a whole number of channels",
        ),
        (cvqn(model={"levels": [3, 5, 7], "ratios": [0.5, 0.5]}), "levels", "3 levels for 2 ratios"),
        (cvqn(model={"ratios": [0.5, 0.5, 0.5]}), "ratios", "must add up to 1"),
        (cvqn(model={"levels": [3, 5, 17]}), "levels", "17 is not allowed"),
        (cvqn(model={"width": 0.01}), "width", "whole number of at least 1"),
        (cvqn(training={"alpha": 0}), "learned.cvqn.training.alpha", "greater than 0"),
        ({"report": {"toy": "nothing"}}, "report.toy", "unknown experiment 'nothing'; allowed: c16"),
        ({"report": {"figure4": {"codecs": ["gif"]}}}, "report.figure4.codecs", "codec 'gif' has no qualities"),
        ({"data": {"train": ["kodak"]}}, "data.train", "training on it is not allowed"),
        ({"data": {"train": ["div2k-valid"]}}, "data.train", "is the held-out set; training on it is not allowed"),
        ({"data": {"selection": "div2k-valid"}}, "data.selection", "is data.held_out too; set that to another set"),
        ({"data": {"evaluation": "div2k-valid"}}, "data.evaluation", "is data.held_out too; set that to another set"),
        ({"training": {"drop_epochs": [500]}}, "training.drop_epochs", "must all be smaller than epochs (400)"),
        ({"training": {"warmup_epochs": 500}}, "training.warmup_epochs", "more than the 400 epochs"),
        ({"experiments": {"c16": {"codec": "webp"}}}, "experiments.c16.codec", "not a learned codec; installed: cvqn"),
        ({"experiments": {"c16": {"codec": "nothing"}}}, "experiments.c16.codec", "'nothing' is not a learned codec"),
        ({"experiments": {"C16": {}}}, "experiments.C16", "should match pattern"),
        ({"report": {"rate_curve": ["c16", "c16"]}}, "report.rate_curve", "appears twice"),
        ({"seeds": [1, 1]}, "seeds", "twice"),
        ({"experiments": ["c16"]}, "experiments", "expected a mapping"),
        ({"training": 5}, "training", "expected a mapping"),
        ({"learned": {"cvqn": {"model": 5}}}, "learned.cvqn.model", "expected a mapping"),
        ({"learned": {"cvqn": {"modle": {}}}}, "learned.cvqn.modle", "unknown key; allowed: model, training"),
        ({"learned": {"cvqm": {}}}, "learned.cvqm", "no such codec; installed:"),
        ({"learned": {"cvqn": [1]}}, "learned.cvqn", "expected a mapping"),
        ({"experiments": {"c16": {"model": 5}}}, "experiments.c16.model", "expected a mapping"),
        ({"experiments": {"c16": {"codec": [1]}}}, "experiments.c16.codec", "not a learned codec"),
        ({"experiment": {}}, "experiment", ", plan, experiments"),
        ({"codecs": {"webp": {"quality": 1}}}, "codecs.webp.quality", "unknown key; allowed: qualities"),
        (
            {"learned": {"mentzer-2018": {"model": {"channels": "x"}}}},
            "overlay.yaml: learned.mentzer-2018.model.channels",
            '"x" is not allowed: input should be a valid integer',
        ),
    ],
)
def test_errors_name_file_key_and_what_is_allowed(tmp_path, content, key, message):
    path = overlay(tmp_path, content)
    with pytest.raises(CvqnError) as caught:
        config.resolve([SCALES / "paper.yaml", path])
    assert message in str(caught.value)
    assert key in str(caught.value)
    assert "overlay.yaml: " in str(caught.value)
    assert "\n" not in str(caught.value)


# What YAML takes and settings do not mean: the line at fault, and words of the message.
STRICT = [
    (
        "scale: mine\ntraining: {epochs: 5}\nexperiments:\n  c24: {}\nexperiments:\n  c40: {}\n",
        5,
        "'experiments' appears twice",
    ),
    ("training:\n  epochs: 7\nreport: {}\ntraining:\n  batch: 2\n", 4, "'training' appears twice"),
    ("learned:\n  cvqn:\n    model: {channels: 16, blocks: 1,\n      channels: 32}\n", 4, "'channels' appears twice"),
    ("learned: {cvqn: {training: {alpha: .nan}}}\n", 1, ".nan is not a finite number"),
    ("scale: mine\nlearned: {cvqn: {training: {alpha: 1,\n  mixture_rate: .NaN}}}\n", 3, ".NaN is not a finite number"),
    ("scale: mine\nlearned: {cvqn: {training: {alpha: .inf}}}\n", 2, ".inf is not a finite number"),
    ("scale: mine\nplan:\n  train_minutes: -.Inf\n", 3, "-.Inf is not a finite number"),
    ("plan:\n  train_minutes: 1.0e+999\n", 2, "1.0e+999 is not a finite number"),
    ("experiments:\n  32: {}\n", 2, "the key '32' is read as int; put it in quotes"),
    ("experiments:\n  1e3: {}\n  3.5: {}\n", 3, "the key '3.5' is read as float"),
    ("experiments:\n  on: {}\n", 2, "the key 'on' is read as bool"),
    ("experiments:\n  2020-01-01: {}\n", 2, "the key '2020-01-01' is read as date"),
    ("experiments:\n  ~: {}\n", 2, "the key '~' is read as NoneType"),
    ("seeds: [1\nscale: mine\n", 2, ""),
    ("a: &a {b: 1}\nc: {<<: {b: 1}, b: 2}\n", 2, "merge"),
    ("a: &a {b: 1}\nc: *a\n", 2, "the alias *a; write out"),
    ("seeds: &a [*a]\n", 1, "the alias *a; write out"),
    ("plan:\n  train_minutes: " + "9" * 10_000 + "\n", 2, "a whole number of 10000 characters"),
    ("plan: {train_minutes: 0x1" + 16 * "0" + "}\n", 1, "a whole number of 19 characters"),
]


@pytest.mark.parametrize(("text", "line", "message"), STRICT)
def test_what_yaml_takes_and_settings_do_not_mean_is_refused_with_file_and_line(tmp_path, text, line, message):
    path = overlay(tmp_path, text)
    with pytest.raises(CvqnError) as caught:
        config.resolve([path])
    assert f"overlay.yaml, line {line}: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["- a\n", "", "5\n", "!!python/object:os.system {}\n", "a: \x00\n"])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    with pytest.raises(CvqnError, match=r"overlay\.yaml"):
        config.resolve([overlay(tmp_path, text)])
    with pytest.raises(CvqnError, match=r"none\.yaml: cannot be read"):
        config.resolve([tmp_path / "none.yaml"])


def test_error_names_the_overlay_at_fault(tmp_path):
    path = overlay(tmp_path, cvqn(model={"context": {"widht": 3}}))
    with pytest.raises(CvqnError, match=r"overlay\.yaml: learned\.cvqn\.model\.context\.widht"):
        config.resolve([path])
    with pytest.raises(CvqnError, match=r"overlay\.yaml: learned\.cvqn\.model\.context\.widht"):
        config.resolve([path, SCALES / "tiny.yaml"])


def test_merge_replaces_lists_and_merges_mappings():
    assert config.merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


def test_an_experiment_has_the_defaults_of_all_trainings_of_its_codec_and_its_own(tmp_path):
    content = cvqn(model={"blocks": 2}, training={"alpha": 7.0, "batch": 3}) | {
        "training": {"batch": 2, "patch": 64},
        "experiments": {"c16": {"training": {"alpha": 8.0}}},
    }
    experiments = config.resolve([overlay(tmp_path, content)]).experiments
    for name, alpha in (("c16", 8.0), ("c32", 7.0)):
        own = experiments[name]
        assert isinstance(own.model, ModelSettings)
        assert isinstance(own.training, Training)
        assert (own.codec, own.model.blocks) == ("cvqn", 2)
        assert (own.training.alpha, own.training.batch, own.training.patch) == (alpha, 3, 64)


def test_save_every_is_no_part_of_what_a_training_is(tmp_path):
    saves = config.resolve([overlay(tmp_path, {"training": {"save_every": 7}})]).experiments["c32"]
    batches = config.resolve([overlay(tmp_path, {"training": {"batch": 7}})]).experiments["c32"]
    own = config.resolve([]).experiments["c32"]
    assert saves.identity() == own.identity() != batches.identity()


def test_written_configuration_reads_back_the_same(tmp_path, tiny):
    config.write(tiny, tmp_path / "config.yaml")
    again = config.read(tmp_path / "config.yaml")
    assert again.plain() == tiny.plain()
    assert again.experiments == tiny.experiments
    assert again.runs() == tiny.runs()


def test_a_resolved_experiment_without_its_model_is_refused(tiny):
    content = tiny.plain()
    del content["experiments"]["c16"]["model"]
    with pytest.raises(CvqnError, match=r"^config\.yaml: experiments\.c16\.model: missing$"):
        config.validated(content, "config.yaml")


def test_settings_do_not_change_after_they_are_read(tiny):
    with pytest.raises(ValueError, match="frozen"):
        tiny.scale = "other"
    with pytest.raises(ValueError, match="frozen"):
        tiny.experiments["c16"].model.channels = 3


@pytest.mark.parametrize("scale", ["tiny", "mini", "small", "paper"])
def test_the_schema_takes_the_overlays_of_every_scale_and_refuses_what_is_refused(scale):
    made = json.loads(json.dumps(schema()))
    jsonschema.Draft202012Validator.check_schema(made)
    jsonschema.validate(yaml.safe_load((SCALES / f"{scale}.yaml").read_text()), made)
    jsonschema.validate(yaml.safe_load(config.DEFAULTS.read_text()), made)
    wrong_kinds = [
        {"modle": {}},
        {"learned": {"cvqn": {"modle": {}}}},
        {"experiments": {"c16": {"modle": {}}}},
        {"training": {"devic": 1}},
        {"training": {"patch": 100}},
        cvqn(model={"blocks": 0}),
    ]
    for wrong in [*wrong_kinds, cvqn(model={"context": {"widht": 3}}), {"training": {"device": "tpu"}}]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, made)


def test_the_schema_says_what_each_key_means():
    def undescribed(part, key=""):
        for name, value in part.get("properties", {}).items():
            if not {"description", "$ref", "properties"} & set(value):
                yield f"{key}.{name}"
            yield from undescribed(value, f"{key}.{name}")
        for name, value in part.get("$defs", {}).items():
            yield from undescribed(value, name)

    generic = {f".{name}" for name in ("learned", "experiments", "training")}
    assert [name for name in undescribed(schema()) if name not in generic] == []


def test_command_exits_with_2_and_writes_nothing(tmp_path):
    path = overlay(tmp_path, {"scale": "Tiny!"})
    command = [sys.executable, "-m", "cvqn", "config", str(path), "--output", str(tmp_path / "config.yaml")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("cvqn: error: ")
    assert not (tmp_path / "config.yaml").exists()


def test_runs_have_one_name_and_are_found_by_it():
    for run in (Run("c32", 1), Run("levels-456", 12, "best"), Run("c8", 3, "held-out"), Run("a-seed-b", 0)):
        assert Run.parse(run.name) == run
    assert Run("c32", 1, "best").name == "c32-seed1-best"
    assert Run("c32", 1, "best").training == "c32-seed1"
    assert Run("c32", 1).at("best") == Run("c32", 1, "best")
    for wrong in (
        "c32",
        "c32-seed",
        "C32-seed1",
        "c32-seed1-last",
        "c32-seed1-best-best",
        "c32-seed1-held",
        "32-seed1",
        "",
    ):
        with pytest.raises(CvqnError, match="not the name of a run"):
            Run.parse(wrong)


def test_values_of_a_command_line_are_yaml_or_text_as_the_setting_is():
    pairs = ["scale=on", "seeds=[4, 5]", "training={batch: 2}", "seeds=[6]"]
    expected = {"scale": "on", "seeds": [6], "training": {"batch": 2}}
    assert config.assigned(pairs, "--config") == expected
    assert config.resolve([], {"--config": expected}).experiments["c16"].training.batch == 2
    with pytest.raises(CvqnError, match=r"^--config: seeds: "):
        config.resolve([], {"--config": {"seeds": 4}})
    with pytest.raises(CvqnError, match=r"^--config training, line 1: "):
        config.assigned(["training={epochs: 4"], "--config")
