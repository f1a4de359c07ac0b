import csv
import shutil

import pytest

SMALLEST = {"channels": 4, "levels": [3], "ratios": [1.0], "importance": {"kind": "none"}, "context": {"width": 4}}
TOLERANCE = 0.01  # of the loss; compiled kernels round otherwise, and every step builds on the last


def losses(job) -> list[float]:
    with open(job.outputs / "log.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_and_resumed_runs_follow_the_same_curve(job):
    changes = {"experiments": {"c16": {"model": SMALLEST}}}
    eager = job("eager", **changes, training={"log_every": 1})
    assert eager.run() == 0
    compiled = job("compiled", **changes, training={"log_every": 1, "compile": True})
    assert compiled.run("--job-minutes", "0.5") == 75
    assert compiled.run() == 0
    assert len(losses(eager)) == 18
    assert losses(compiled) == pytest.approx(losses(eager), rel=TOLERANCE)
