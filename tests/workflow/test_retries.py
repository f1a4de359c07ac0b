"""Which failed jobs are tried again: those that another attempt may help."""

import json

import pytest

pytestmark = pytest.mark.workflow

TARGET = "results/tiny/runs/c16-seed1/last/model.safetensors"
LOG = "results/tiny/logs/train/c16-seed1.log"


@pytest.fixture
def untrained(finished_copy):
    """The scale tiny without its trainings."""
    finished_copy.shell("rm -r results/tiny/runs results/tiny/trainings results/tiny/logs/train")
    return finished_copy


def attempts(project, *overlays):
    """How often a training began, with three retries."""
    output = project.snakemake(
        TARGET, "--retries", "3", "--configfile", "workflow/scales/tiny.yaml", *overlays, check=False
    )
    assert "Error in rule train_monitored" in output
    return 1 + output.count("Trying to restart job")


def test_a_training_that_pauses_is_tried_again(untrained):
    untrained.replace("workflow/rules/train.smk", " --monitor {input", " --job-minutes 0 --monitor {input")
    assert attempts(untrained) == 4


def test_a_training_that_diverges_is_not(untrained):
    rates = dict.fromkeys(("encoder", "importance", "quantizer", "context", "decoder"), 1.0)
    (untrained.folder / "wild.yaml").write_text(
        json.dumps({"experiments": {"c16": {"training": {"learning_rates": rates, "warmup_epochs": 0}}}})
    )
    assert attempts(untrained, "wild.yaml") == 1
    assert "diverged at step" in (untrained.folder / LOG).read_text()


def test_a_training_that_fills_the_disk_is_not(untrained):
    """The error that a full disk gives stands for one."""
    untrained.replace(
        "cvqn/lab/training/store.py",
        "                torch.save(state, file)",
        "                raise OSError(28, 'No space left on device')",
    )
    untrained.replace("workflow/rules/train.smk", " --monitor {input", " --job-minutes 0 --monitor {input")
    assert attempts(untrained) == 1
    assert "no space left on the disk; free some and run again" in (untrained.folder / LOG).read_text()


def test_a_job_whose_code_has_changed_is_not(untrained):
    edit = "sed -i 's/exp(2 \\* self.log/exp(3 \\* self.log/' cvqn/model/quantizer.py;"
    untrained.replace("workflow/rules/train.smk", '" cvqn train', f'" {edit} cvqn train')
    assert attempts(untrained) == 1
    assert "the code has changed since this job was planned" in (untrained.folder / LOG).read_text()
