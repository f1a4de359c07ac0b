"""What an edit of each kind runs again, and what it must not: the edits are made for real, in a copy that has run."""

from dataclasses import dataclass

import pytest

pytestmark = pytest.mark.workflow

TRAININGS = 5  # of the scale tiny; each is evaluated at its last and its best checkpoint
RERUN_ALL = {"train_monitored": TRAININGS, "evaluate_channels": TRAININGS, "evaluate": TRAININGS}
EVALUATE_ALL = {"evaluate_channels": TRAININGS, "evaluate": TRAININGS}
EXPENSIVE = {"fetch", "pack", "train", "train_monitored", "evaluate", "evaluate_channels", "encode", "measure"}


@dataclass(frozen=True)
class Edit:
    """One edit, and the jobs that a result is made of which it must run; no others of `EXPENSIVE` may."""

    what: str
    file: str
    old: str
    new: str
    runs: dict[str, int]


EDITS = [
    Edit("a docstring", "cvqn/model/network.py", '"""A 3x3 convolution with padding 1."""', '"""A convolution."""', {}),
    Edit("a comment", "cvqn/model/quantizer.py", "sigma = sqrt(2)/2, at which", "at this variance,", {}),
    Edit("the text of an error", "cvqn/model/export.py", "model: there is no calibration", "model: no calibration", {}),
    Edit("how a progress bar looks", "cvqn/lab/training/loop.py", 'unit="step"', 'unit="steps"', {}),
    Edit("how files are written", "cvqn/files.py", "os.fsync(file.fileno())", "os.fdatasync(file.fileno())", {}),
    Edit("how many processes pack", "cvqn/lab/data/workers.py", "> 2 * workers", "> 3 * workers", {}),
    Edit("the text of a help", "cvqn/lab/cli/experiments.py", "resume its training", "go on with it", {}),
    Edit("how often a state is saved", "workflow/scales/tiny.yaml", "save_every: 1", "save_every: 2", {}),
    Edit("an operator of the quantizer", "cvqn/model/quantizer.py", "exp(2 * self.log", "exp(3 * self.log", RERUN_ALL),
    Edit("the loss", "cvqn/model/cvqn.py", "alpha * (1 - quality)", "alpha * (2 - quality)", RERUN_ALL),
    Edit("the loop", "cvqn/lab/training/loop.py", "CALIBRATION_CROPS = 16", "CALIBRATION_CROPS = 17", RERUN_ALL),
    Edit("which crops are seen", "cvqn/lab/training/batches.py", "STEP_STREAM, FIXED", "FIXED, STEP_STREAM", RERUN_ALL),
    Edit("the learning rates", "cvqn/lab/training/optimizer.py", "epoch + 1e-3", "epoch + 1e-4", RERUN_ALL),
    Edit("what is seen of held-out images", "cvqn/lab/training/monitor.py", "SIDE = 256", "SIDE = 512", RERUN_ALL),
    Edit("the export", "cvqn/model/export.py", "HEADROOM = 1.05", "HEADROOM = 1.06", RERUN_ALL),
    Edit("the range coder", "cvqn/bitstream/rangecoder.py", "PRECISION = 32, 64, 24", "PRECISION = 32, 64, 23",
         EVALUATE_ALL),
    Edit("tiles", "cvqn/model/tiling.py", "WHOLE = 1 << 23", "WHOLE = 1 << 22", EVALUATE_ALL),
    Edit("an analysis", "cvqn/lab/evaluation/influence.py", "BATCH = 4", "BATCH = 5", EVALUATE_ALL),
    Edit("a measure", "cvqn/lab/evaluation/metrics.py", "SMALLEST_SIDE = 161", "SMALLEST_SIDE = 162",
         RERUN_ALL | {"measure": 3}),
    Edit("a conventional codec", "baselines/webp.py", '"-m", "6"', '"-m", "5"', {"encode": 2, "measure": 1}),
    Edit("one experiment", "params.yaml", "  toy: {model: {levels: [2],", "  toy: {model: {levels: [3],",
         {"train_monitored": 1, "evaluate_channels": 1, "evaluate": 1}),
    Edit("the default of a training", "workflow/scales/tiny.yaml", "warmup_epochs: 1", "warmup_epochs: 2", RERUN_ALL),
    Edit("a new rate point", "workflow/scales/tiny.yaml", "rate_curve: [c16, c32]", "rate_curve: [c16, c32, c48]",
         {"train_monitored": 1, "evaluate_channels": 1, "evaluate": 1}),
    Edit("a table", "cvqn/lab/report/tables/rate_distortion.py", "def table(", "UNUSED = 1\n\n\ndef table(", {}),
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.what)
def test_an_edit_runs_what_it_must_and_no_more(edited, edit):
    edited.replace(edit.file, edit.old, edit.new)
    try:
        planned = edited.planned("all")
    finally:
        edited.replace(edit.file, edit.new, edit.old)
    assert {rule: count for rule, count in planned.items() if rule in EXPENSIVE} == edit.runs
    if edit.what == "a table":
        assert planned["table"] > 0


@pytest.mark.parametrize(
    ("library", "runs"),
    [("torch", RERUN_ALL), ("constriction", RERUN_ALL), ("pandas", {})],
)
def test_another_version_of_a_library(edited, library, runs):
    """Python finds the metadata in the project's folder before that of the installed library."""
    fake = edited.folder / f"{library}-99.9.dist-info"
    fake.mkdir()
    try:
        (fake / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: 99.9\n")
        planned = edited.planned("all")
    finally:
        (fake / "METADATA").unlink()
        fake.rmdir()
    assert {rule: count for rule, count in planned.items() if rule in EXPENSIVE} == runs


def test_another_version_of_a_program(edited, tmp_path):
    """The codec webp asks `cwebp` for its version."""
    program = tmp_path / "cwebp"
    program.write_text("#!/bin/sh\necho 99.9\n")
    program.chmod(0o755)
    environment = edited.environment
    edited.environment = environment | {"PATH": f"{tmp_path}:{environment['PATH']}"}
    planned = edited.planned("all")
    edited.environment = environment
    assert {rule: count for rule, count in planned.items() if rule in EXPENSIVE} == {
        "encode": 2,
        "measure": 1,
    }


@pytest.fixture(scope="module")
def edited(finished, tmp_path_factory):
    """A copy of the finished project; each test takes its edit back."""
    import shutil

    from tests.projects import Project

    folder = tmp_path_factory.mktemp("edited") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Project(folder)
