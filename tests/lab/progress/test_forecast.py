import pytest

from cvqn.cli import main
from cvqn.lab.progress import forecast
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.plan import read_plan
from cvqn.lab.settings.runs import Run
from tests import ROOT


def test_finished_trainings_count_as_long_as_they_took(made):
    made.finish("c16-seed1")
    made.finish("toy-seed1", publish=False)
    took = forecast.seconds(Scale(made.root))
    assert took.pop(Run("c16", 1)) == took.pop(Run("toy", 1)) == pytest.approx(15)
    assert set(took.values()) == {None}


@pytest.mark.slow
def test_jobs_are_those_that_snakemake_plans(project, tiny):
    planned = project.planned()
    planned.pop("all")
    planned["train"] = planned.pop("train_monitored")
    planned["evaluate"] += planned.pop("evaluate_channels")
    assert forecast.jobs(tiny) == planned


def test_weights_are_those_that_a_model_has(tiny):
    experiment = tiny.experiments["c16"]
    network = experiment.learned_codec.build(experiment.model, experiment.training)
    expected = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    assert forecast.weight_bytes(experiment) == expected


def test_what_a_profile_asks_for(tmp_path, monkeypatch):
    monkeypatch.setenv("CVQN_TEST", "a100")
    (tmp_path / "config.v9+.yaml").write_text(
        "__use_yte__: true\n__definitions__:\n  - from os import environ\n"
        "default-resources: [mem_mb=2000, slurm_account=me]\n"
        "set-resources: {train: {slurm_partition: '?environ[\"CVQN_TEST\"]', mem_mb: 32000}}\n"
        "set-threads: {pack: 4}\n"
    )
    assert forecast.asked(tmp_path) == {
        "train": {"mem_mb": 32000, "slurm_account": "me", "slurm_partition": "a100"},
        "pack": {"mem_mb": "2000", "slurm_account": "me", "threads": 4},
        "others": {"mem_mb": "2000", "slurm_account": "me"},
    }


def test_the_papers_plan(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["plan", "--profile", "workflow/profiles/slurm", "--gpus", "1", "4", "64"]) == 0
    output = capsys.readouterr().out
    count = 3 * len(["c16", "c32", "c48", "c64", "c80", "one-group", "se", "re", "levels-456", "levels-258"]) + 2
    assert "trainings with seed 1 2 3: c16, c32, c48, c64, c80, one-group, se, re, levels-456, levels-258\n" in output
    assert "trainings with seed 1: toy, mentzer-low\n" in output
    assert f"train {count}, evaluate {3 * count}, encode 90, measure 9" in output
    assert f"{2 * count:.1f} GPU hours of training in all" in output  # at two hours each, params.yaml
    assert "target learned: 8 more trainings, 16.0 GPU hours" in output
    spans = [line.split(": ")[1] for line in output.splitlines() if "at once" in line]
    assert spans == [f"{2 * count} h 00 min", f"{2 * -(-count // 4)} h 00 min", "2 h 00 min"]
    assert "free here" in output
    assert "train  " in output.split("each job requests")[1]


def test_a_plan_for_single_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    overlay = str(ROOT / "workflow/scales/tiny.yaml")
    assert main(["plan", overlay, "--write", str(tmp_path / "plan.json")]) == 0
    plan = read_plan(tmp_path / "plan.json")
    assert plan.configuration.scale == "tiny"
    assert plan.path in capsys.readouterr().out
    assert "train cvqn" in plan.code
    assert main(["plan", overlay, "--profile", "docs"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "a.yaml", "--gpus", "0"],
        ["verify", "tiny", "--sample", "0"],
        ["verify", "tiny", "--threads", "-1"],
        ["evaluate", "--plan", "a.json", "--run", "c16-seed1", "--images", "index.json", "--threads", "0"],
        ["data", "pack", "--sets", "index.json", "--output", "a.npy", "--workers", "x"],
    ],
)
def test_counts_below_one_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert f"{arguments[-1]!r}: a whole number of at least 1 is needed" in capsys.readouterr().err
