import csv
import shutil

import pytest

from cvqn.cli import main

SMALLEST = {"channels": 4, "levels": [3], "ratios": [1.0], "importance": {"kind": "none"}, "context": {"width": 4}}
TOLERANCE = 0.01  # of the loss; compiled kernels round otherwise, and every step builds on the last


def losses(folder) -> list[float]:
    with open(folder / "log.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_and_resumed_runs_follow_the_same_curve(command, tmp_path):
    changes = {"experiments": {"c16": {"model": SMALLEST}}}
    assert main(command("eager", **changes, training={"log_every": 1})) == 0
    compiled = command("compiled", **changes, training={"log_every": 1, "compile": True})
    assert main([*compiled, "--job-minutes", "0.5"]) == 75
    assert main(compiled) == 0
    eager = losses(tmp_path / "eager")
    assert len(eager) == 18
    assert losses(tmp_path / "compiled") == pytest.approx(eager, rel=TOLERANCE)
