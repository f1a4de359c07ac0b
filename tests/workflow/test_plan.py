import time

import pytest
import yaml

from cvqn.lab.settings import configuration as config


@pytest.mark.parametrize(("scale", "trainings"), [("tiny", 5), ("mini", 12), ("small", 20), ("paper", 24)])
def test_dry_run_lists_every_training(project, scale, trainings):
    planned = project.planned("all", "--configfile", f"workflow/scales/{scale}.yaml")
    assert planned["train"] == trainings
    assert planned["encode"] == planned["measure"] == 2 * trainings
    resolved = config.resolve([config.ROOT / "workflow" / "scales" / f"{scale}.yaml"])
    qualities = sum(len(codec["qualities"]) for codec in resolved["codecs"].values())
    assert planned["encode_baseline"] == qualities


def test_without_a_profile_the_scale_is_mini(project):
    output = project.snakemake("--dry-run", "all", profile="none", check=True)
    assert "results/mini/runs/c48-seed1/model/model.json" in output
    assert "results/paper" not in output


def test_a_bad_configuration_is_one_clear_line(project):
    overlay = project.folder / "bad.yaml"
    overlay.write_text(yaml.safe_dump({"model": {"chanels": 3}}))
    output = project.snakemake("--dry-run", "all", "--configfile", "bad.yaml", check=False)
    assert "bad.yaml: model.chanels: unknown key; allowed: channels" in output


def test_values_on_the_command_line_are_refused(project):
    output = project.snakemake("--dry-run", "all", "--config", "scale=tiny", check=False)
    assert "name it with --configfile" in output


def test_dry_run_of_the_paper_is_quick(project):
    began = time.monotonic()
    project.snakemake("--dry-run", "--quiet", "rules", "all", "--configfile", "workflow/scales/paper.yaml")
    assert time.monotonic() - began < 60  # a guard against runaway growth; the limit of 10 s is measured in benchmarks
