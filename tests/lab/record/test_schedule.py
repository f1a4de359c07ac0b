import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqn.lab.settings import configuration as config
from cvqn.lab.progress.makespan import makespan, recorded_seconds

LENGTHS = st.lists(st.floats(1, 1e4), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 40))
def test_makespan_keeps_grahams_bounds(lengths, gpus):
    """List scheduling is never below work / machines or the longest job, and within work / m + (1 - 1/m) longest."""
    work, longest = sum(lengths), max(lengths)
    span = makespan(lengths, gpus)
    assert max(work / gpus, longest) * (1 - 1e-9) <= span
    assert span <= (work / gpus + (1 - 1 / gpus) * longest) * (1 + 1e-9)


def test_makespan_of_a_case_done_by_hand():
    # GPU 1: 3 then 2; GPU 2: 1, then 4 from 1 to 5
    assert makespan([3, 1, 4, 2], 2) == 5
    assert makespan([2] * 23, 8) == 6


def test_recorded_seconds_count_every_piece(tiny, tmp_path):
    log = tmp_path / "runs" / "c32-seed1" / "log.csv"
    log.parent.mkdir(parents=True)
    batch = config.runs(tiny)["c32-seed1"]["training"]["batch"]
    log.write_text(f"step,images_per_s\n5,{batch}\n10,{2 * batch}\n20,{batch / 2}\n")
    seconds = recorded_seconds(tiny, tmp_path)
    assert seconds.pop("c32-seed1") == pytest.approx(5 + 2.5 + 20)
    assert set(seconds.values()) == {None}


def test_command_prints_the_papers_schedule():
    run = subprocess.run([sys.executable, "-m", "cvqn", "schedule", "--minutes", "90"], capture_output=True, text=True)
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert lines[0].startswith("23 trainings")
    # 23 equal trainings: 23, 6, 3 and 1 rounds of an hour and a half
    assert [line.split(": ")[1] for line in lines[1:]] == ["34 h 30 min", "9 h 00 min", "4 h 30 min", "1 h 30 min"]
