import subprocess
import sys

import pytest
import yaml

from cvqn.lab.settings import configuration as config
from cvqn.errors import CvqnError

SCALES = config.ROOT / "workflow" / "scales"


def overlay(tmp_path, content):
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(("scale", "trainings"), [("tiny", 5), ("mini", 12), ("small", 20), ("paper", 24)])
def test_every_scale_is_valid_and_has_its_trainings(scale, trainings):
    resolved = config.resolve([SCALES / f"{scale}.yaml"])
    assert resolved["scale"] == scale
    assert len(config.runs(resolved)) == trainings


def test_grid_of_the_paper():
    resolved = config.resolve([SCALES / "paper.yaml"])
    runs = config.runs(resolved)
    for experiment in ("one-group", "se", "re", "c32", "levels-456", "levels-258"):
        assert {f"{experiment}-seed{seed}" for seed in (1, 2, 3)} <= set(runs)
    assert {f"c{channels}-seed1" for channels in (16, 48, 64, 80)} | {"toy-seed1"} <= set(runs)
    assert runs["c80-seed1"]["model"]["channels"] == 80
    assert runs["toy-seed1"]["model"]["levels"] == [2]
    assert runs["c32-seed2"]["model"]["levels"] == [3, 5, 7]
    authors = config.runs(resolved, ["authors"])["authors-seed1"]
    assert authors["training"]["alpha"] == 256
    assert authors["training"]["learning_rates"] == {
        "encoder": 1e-4, "importance": 1e-4, "quantizer": 5e-5, "context": 1e-4, "decoder": 1e-4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"modle": {}}, "modle: unknown key; allowed: scale, seeds"),
        ({"training": {"devic": 1}}, "training.devic: unknown key; allowed: alpha"),
        ({"experiments": {"c16": {"modl": {}}}}, "experiments.c16.modl: unknown key; allowed: model, training"),
        ({"training": {"device": "tpu"}}, "'tpu' is not allowed; allowed: cuda, cpu"),
        ({"training": {"patch": 100}}, "multipleOf"),
        ({"training": {"epochs": "many"}}, "integer"),
        ({"model": {"channels": 30}}, "every group needs a whole number of channels"),
        ({"model": {"ratios": [0.5, 0.25]}}, "3 levels for 2 ratios"),
        ({"model": {"ratios": [0.5, 0.5, 0.5]}}, "must add up to 1"),
        ({"model": {"levels": [3, 5, 17]}}, "maximum"),
        ({"model": {"width": 0.01}}, "whole number of at least 1"),
        ({"report": {"toy": "nothing"}}, "unknown experiment 'nothing'; allowed: c16"),
        ({"report": {"figure4": {"codecs": ["gif"]}}}, "codec 'gif' has no qualities"),
        ({"data": {"train": ["kodak"]}}, "training on it is not allowed"),
        ({"training": {"drop_epochs": [500]}}, "before the last of 400 epochs"),
        ({"training": {"device": "cpu"}}, "bfloat16 is for cuda"),
        (
            {"resources": {"train": {"job_minutes": 30}}},
            "4 jobs of 30 minutes do not hold a training of 120; at least 5",
        ),
    ],
)
def test_errors_name_file_key_and_what_is_allowed(tmp_path, content, message):
    if content.get("data"):
        content = content | {"scale": "paper"}
    path = overlay(tmp_path, content)
    with pytest.raises(CvqnError) as caught:
        config.resolve([SCALES / "paper.yaml", path])
    assert message.replace("allowed: cuda, cpu", "allowed: cpu, cuda") in str(caught.value)
    key = next(iter(content))
    assert key in str(caught.value)


def test_error_names_the_overlay_at_fault(tmp_path):
    path = overlay(tmp_path, {"model": {"context": {"widht": 3}}})
    with pytest.raises(CvqnError, match=r"overlay\.yaml: .*widht"):
        config.resolve([path])


def test_merge_replaces_lists_and_merges_mappings():
    assert config.merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


def test_written_configuration_reads_back_the_same(tmp_path, tiny):
    config.write(tiny, tmp_path / "config.yaml")
    assert config.read(tmp_path / "config.yaml") == tiny


def test_command_exits_with_2_and_writes_nothing(tmp_path):
    path = overlay(tmp_path, {"scale": "Tiny!"})
    command = [sys.executable, "-m", "cvqn", "config", str(path), "--output", str(tmp_path / "config.yaml")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("cvqn: error: ")
    assert not (tmp_path / "config.yaml").exists()
