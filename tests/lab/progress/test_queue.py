import math
import os
from pathlib import Path

import pytest

from cvqn.lab.progress.queue import last_state, minutes_left, parse_minutes, queue


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Puts programs in the way that print what SLURM's would."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def say(text: str, program: str = "squeue") -> None:
        (tmp_path / program).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        (tmp_path / program).chmod(0o755)

    return say


def test_jobs_of_this_folder_by_rule_and_wildcards(squeue, tmp_path):
    here = tmp_path.resolve()
    squeue(
        f"7|RUNNING|None|n2|{here}|rule_train_monitored_wildcards_c16-seed1\n"
        f"8|PENDING|PartitionTimeLimit||{here}|rule_evaluate_wildcards_cvqn_c16-seed1-best\n"
        f"9|PENDING|launch failed requeued held||{here}|rule_train_wildcards_toy-seed1\n"
        f"10|SPECIAL_EXIT|None||{here}|rule_train_wildcards_se-seed1\n"
        f"11|RUNNING|None|n1|/elsewhere|rule_train_wildcards_re-seed1\n"
        f"12|RUNNING|None|n1|{here}|somebody else's"
    )
    jobs = {job.number: job for job in queue(tmp_path)}
    assert {number: job.state for number, job in jobs.items()} == {
        "7": "running", "8": "pending", "9": "held", "10": "held",
    }  # fmt: skip
    assert (jobs["7"].rule, jobs["7"].note) == ("train_monitored", "job 7 on n2")
    assert (jobs["8"].wildcards, jobs["8"].note) == ({"cvqn", "c16-seed1-best"}, "job 8: PartitionTimeLimit")
    assert jobs["9"].note == "job 9: launch failed requeued held; scontrol release 9"


def test_without_slurm_or_with_one_that_does_not_answer(squeue, tmp_path, monkeypatch):
    (tmp_path / "squeue").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "squeue").chmod(0o755)
    assert queue(tmp_path) == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert queue(Path()) == []
    assert last_state("7") is None


def test_how_a_job_ended(squeue):
    squeue("OUT_OF_MEMORY", "sacct")
    assert last_state("7") == "OUT_OF_MEMORY"


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("01:00:00", 60), ("2-00:00:00", 2880), ("30:00", 30), ("UNLIMITED", math.inf), ("00:00:30", 0.5)],
)
def test_times(text, minutes):
    assert parse_minutes(text) == minutes


def test_time_left_in_a_job(squeue, monkeypatch):
    squeue("1-00:30:00")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert minutes_left() is None
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert minutes_left() == 1470
    squeue("UNLIMITED")
    assert minutes_left() is None
