import shutil
import subprocess
import time

import pytest
import yaml

from cvqn.lab.settings import configuration
from tests import ROOT


@pytest.mark.parametrize(("scale", "trainings"), [("tiny", 5), ("mini", 12), ("small", 29), ("paper", 32)])
def test_dry_run_lists_every_training_and_its_evaluations(project, scale, trainings):
    planned = project.planned("all", "--configfile", f"workflow/scales/{scale}.yaml")
    resolved = configuration.resolve([ROOT / "workflow" / "scales" / f"{scale}.yaml"])
    experiments = [resolved.experiments[run.experiment] for run in resolved.runs()]
    monitored = sum(experiment.training.monitor_every > 0 for experiment in experiments)
    with_channels = sum(experiment.learned_codec.has_channels for experiment in experiments)
    assert planned.get("train", 0) == trainings - monitored
    assert planned.get("train_monitored", 0) == monitored
    assert planned["evaluate_channels"] == with_channels
    selected = monitored * (1 if resolved.data.held_out is None else 2)
    assert planned.get("evaluate", 0) == selected + trainings - with_channels
    assert planned["encode"] == sum(map(len, resolved.measured_codecs().values()))


def test_learned_plans_the_curves_of_every_learned_codec(project):
    planned = project.planned("learned", "--configfile", "workflow/scales/paper.yaml")
    assert planned["train_monitored"] == 3 * 5 + 9  # three seeds of each rate point, other codecs
    assert planned["figure"] == 1
    assert planned["table"] == 1  # every learned codec side by side


def test_a_dry_run_writes_nothing(project):
    """Not even over recorded results of the same scale with other settings."""
    shutil.copytree(ROOT / "results/small", project.folder / "results/small")
    (project.folder / ".gitignore").write_text(".snakemake\n__pycache__\n")
    project.shell("git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm all")
    (project.folder / "other.yaml").write_text("learned: {cvqn: {training: {alpha: 200}}}\n")
    project.shell("git add other.yaml && git -c user.name=a -c user.email=a@b commit -qm other")
    for overlays in (["tiny.yaml"], ["small.yaml"], ["small.yaml", "../../other.yaml"], ["paper.yaml"]):
        project.snakemake("--dry-run", "all", "--configfile", *(f"workflow/scales/{one}" for one in overlays))
        assert project.shell("git status --porcelain --ignored=no")[1] == ""


def test_a_dry_run_works_on_results_that_cannot_be_written(project):
    results = project.folder / "results"
    results.mkdir()
    results.chmod(0o555)
    try:
        assert "train" in project.snakemake("--dry-run", "all")
    finally:
        results.chmod(0o755)


def test_without_a_profile_the_scale_is_mini(project):
    output = project.snakemake("--dry-run", "all", profile="none", check=True)
    assert "results/mini/runs/c48-seed1/last/model.json" in output
    assert "results/paper" not in output


def test_a_bad_configuration_is_one_clear_line(project):
    overlay = project.folder / "bad.yaml"
    overlay.write_text(yaml.safe_dump({"learned": {"cvqn": {"model": {"chanels": 3}}}}))
    output = project.snakemake("--dry-run", "all", "--configfile", "bad.yaml", check=False)
    assert "bad.yaml: learned.cvqn.model.chanels: unknown key; allowed: channels" in output


def test_values_on_the_command_line_have_the_types_of_the_settings(project):
    """Snakemake's own guess, and YAML, take `on` for true; Snakemake's makes texts of the numbers in a list."""
    output = project.snakemake("--dry-run", "all", "--config", "scale=on", "seeds=[4, 5]")
    assert "results/on/runs/c16-seed4/last/model.json" in output
    assert "results/on/runs/c32-seed5/last/model.json" in output


def test_a_bad_value_on_the_command_line_is_one_clear_line(project):
    output = project.snakemake("--dry-run", "all", "--config", "seed=[4]", check=False)
    assert "--config: seed: unknown key; allowed: scale, seeds" in output


def test_dry_run_of_the_paper_is_quick(project):
    began = time.monotonic()
    project.snakemake("--dry-run", "--quiet", "rules", "all", "--configfile", "workflow/scales/paper.yaml")
    assert time.monotonic() - began < 60  # a guard against runaway growth, also on a loaded machine


def test_every_command_that_a_rule_runs_is_short_and_can_be_run_by_hand(project):
    """No job is given lists of files that it could find by itself."""
    output = project.snakemake("--dry-run", "--printshellcmds", "all")
    commands = [line.strip() for line in output.splitlines() if line.strip().startswith("Shell command: ")]
    assert len(commands) > 20
    assert max(map(len, commands)) < 800


def test_help_lists_every_command_in_groups(project):
    run = subprocess.run(["cvqn", "--help"], env=project.environment, capture_output=True, text=True, check=True)
    for group in ("pictures:", "experiments:", "checking results:"):
        assert group in run.stdout
