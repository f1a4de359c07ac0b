import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvqn.cli import main
from cvqn.errors import CvqnError, DiskFullError
from cvqn.lab.progress import retries, status
from cvqn.lab.progress.queue import Queued
from cvqn.lab.progress.status import RECORDED, Status
from cvqn.lab.provenance.plan import make_plan
from cvqn.lab.settings import configuration
from cvqn.lab.settings.runs import Run
from cvqn.lab.training.store import Diverged, Paused

RUN = "c32-seed1"


def queued(monkeypatch, *jobs: Queued) -> None:
    monkeypatch.setattr(status, "queue", lambda project: list(jobs))


def job(state: str, *wildcards: str, rule: str = "train_monitored", reason: str = "Priority") -> Queued:
    return Queued("7", state, reason, "n2", rule, frozenset(wildcards))


@contextlib.contextmanager
def attempt(made, error: BaseException | None = None):
    """Within it an attempt holds the claim of c32; it ends by `error`."""
    with contextlib.suppress(type(error) if error else RuntimeError), made.entry(RUN).claim():
        yield
        if error:
            raise error


def test_nothing_begun_is_waiting(made):
    rows = Status(made.root).trainings()
    assert [row.name for row in rows] == ["c16-seed1", "c32-seed1", "one-group-seed1", "re-seed1", "toy-seed1"]
    assert {(row.state, row.step, row.steps) for row in rows} == {("waiting", 0, 20)}
    evaluations = Status(made.root).evaluations()
    assert len(evaluations) == 2 * 5 + 3
    assert {row.state for row in evaluations} == {"waiting"}
    assert "5 trainings: 5 waiting\n13 evaluations: 13 waiting" in status.text(made.root)


def test_a_finished_training_is_done_wherever_its_files_are(made):
    made.finish("c16-seed1")
    made.finish(RUN, publish=False)
    assert (made.training("c16-seed1").state, made.training("c16-seed1").note) == ("done", "")
    assert made.training(RUN).state == "done"
    assert "store of trainings" in made.training(RUN).note


def test_outputs_of_other_settings_are_not_done(made, tiny):
    made.finish("c16-seed1")
    changed = configuration.merge(tiny.plain(), {"experiments": {"c16": {"training": {"alpha": 7}}}})
    time.sleep(0.01)
    make_plan(configuration.validated(changed, "test")).write()
    assert made.training("c16-seed1").state == "waiting"


def test_who_trains_is_running_and_time_left_follows_the_logged_speed(made):
    with attempt(made):
        made.log(RUN, [(5, 4.0), (10, 4.0)])
        row = made.training(RUN)
    assert (row.state, row.step, row.steps) == ("running", 10, 20)
    assert f"process {os.getpid()}" in row.note
    assert row.seconds_left == pytest.approx((20 - 10) * 2 / 4.0)


def test_a_row_that_is_being_written_is_no_error(made):
    made.log(RUN, [(10, 20.0), (15, "")])
    assert (made.training(RUN).step, made.training(RUN).seconds_left) == (15, None)


def test_a_pause_on_request_is_paused(made):
    with attempt(made, Paused("stopped at step 5")):
        pass
    assert (made.training(RUN).state, made.training(RUN).note) == ("paused", "stopped at step 5")


def test_at_the_time_limit_it_is_paused_while_snakemake_goes_on_and_failed_after_the_last_attempt(made):
    with attempt(made, Paused("stopped at step 5", time_was_up=True)):
        pass
    lock = Path(".snakemake/locks/0.input.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert made.training(RUN).state == "paused"
    lock.unlink()
    assert (made.training(RUN).state, made.training(RUN).note) == ("failed", "no attempt left: stopped at step 5")


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (Diverged("step 9: the loss is nan"), "step 9"),
        (CvqnError("no GPU here"), "no GPU"),
        (DiskFullError("state.pt: no space left on the disk"), "state.pt: no space left"),
        (OSError("x"), "OSError: x"),
    ],
)
def test_what_ended_a_training_is_its_failure(made, error, note):
    with attempt(made, error):
        pass
    assert made.training(RUN).state == "failed"
    assert made.training(RUN).note.startswith(note)
    assert retries.training_is_final(made.plan, Run.parse(RUN)) == isinstance(error, Diverged | DiskFullError)


def test_a_killed_training_is_failed_and_slurm_says_why(made, monkeypatch):
    entry = made.log(RUN, [(5, 4.0)])
    (entry.folder / "claim").write_text("process 1 on n2, SLURM job 12")
    monkeypatch.setattr(status, "last_state", {"12": "OUT_OF_MEMORY"}.get)
    row = made.training(RUN)
    assert (row.state, row.step) == ("failed", 5)
    assert row.note.startswith("the process ended without recording a reason; SLURM reports job 12 as OUT_OF_MEMORY")


@pytest.mark.parametrize(
    ("state", "reason", "shown", "note"),
    [
        ("RUNNING", "None", "running", "job 7 on n2"),
        ("PENDING", "Resources", "pending", "job 7: Resources"),
        ("PENDING", "JobHeldUser", "held", "job 7: JobHeldUser; scontrol release 7"),
    ],
)
def test_the_queue_has_the_last_word(made, monkeypatch, state, reason, shown, note):
    with attempt(made, Diverged("of old")):
        pass
    queued(monkeypatch, job(state, RUN, reason=reason))
    assert (made.training(RUN).state, made.training(RUN).note) == (shown, note)
    assert made.training("c16-seed1").state == "waiting"


def test_evaluations_done_queued_and_failed(made, monkeypatch):
    table = Path("results/tiny/measurements/cvqn/c16-seed1.csv")
    table.parent.mkdir(parents=True)
    table.touch()
    log = Path("results/tiny/logs/evaluate/cvqn-toy-seed1.log")
    log.parent.mkdir(parents=True)
    log.write_text("Traceback\ncvqn: error: no such thing\n")
    queued(monkeypatch, job("PENDING", "cvqn", "c16-seed1-best", rule="evaluate"))
    assert made.evaluation("cvqn c16-seed1").state == "done"
    assert (made.evaluation("cvqn c16-seed1-best").state, made.evaluation("cvqn re-seed1").state) == (
        "pending",
        "waiting",
    )
    assert (made.evaluation("cvqn toy-seed1").state, made.evaluation("cvqn toy-seed1").note) == (
        "failed",
        "cvqn: error: no such thing",
    )
    Path("results/tiny/bitstreams/webp").mkdir(parents=True)
    Path("results/tiny/bitstreams/webp/40.tar").touch()
    assert (made.evaluation("webp").step, made.evaluation("webp").steps) == (1, 2)
    Path("results/tiny/logs/encode").mkdir(parents=True)
    Path("results/tiny/logs/encode/webp-1.log").write_text("cvqn: error: webp: no cwebp\n")
    assert (made.evaluation("webp").state, made.evaluation("webp").note) == ("failed", "cvqn: error: webp: no cwebp")


def test_a_queued_job_that_no_row_is_about_has_one_of_its_own(made, monkeypatch):
    queued(monkeypatch, job("PENDING", "", rule="pack", reason="JobHeldUser"))
    assert Status(made.root).others() == [status.Row("pack", "held", "job 7: JobHeldUser; scontrol release 7")]
    assert "pack  " in status.text(made.root)


def test_a_fresh_clone_of_recorded_results(made):
    files = [file for run in ("c16-seed1", "toy-seed1") for file in Status(made.root).results.model_files(run, "last")]
    files += [file for run in ("c16-seed1", "toy-seed1") for file in Status(made.root).results.model_files(run, "best")]
    record = made.root / "record" / "record.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"files": dict.fromkeys(files, "0")}))
    configuration.write(made.plan.configuration, made.root / "config.yaml")
    Path(made.plan.path).unlink()
    assert made.training("c16-seed1") == status.Row("c16-seed1", RECORDED)
    assert made.training("re-seed1").state == "waiting"
    assert f"2 {RECORDED}" in status.text(made.root)


def test_extras_are_listed_once_they_have_begun(made):
    made.entry("beta-0-seed1")
    assert made.training("beta-0-seed1").state == "failed"


def test_steps_follow_the_pack_where_an_epoch_is_a_pass(made, tiny):
    changed = {"experiments": {"c32": {"training": {"epoch_steps": None}}}}
    plain = configuration.merge(tiny.plain(), changed)
    Path(made.plan.path).unlink()
    make_plan(configuration.validated(plain, "test")).write()
    assert made.training(RUN).steps == 4 * 1  # four epochs of one image, in pairs
    Path("data").unlink()
    assert made.training(RUN).steps is None


def test_the_command(made, capsys):
    assert main(["status"]) == 0
    assert "5 trainings: 5 waiting" in capsys.readouterr().out
    assert main(["status", "results/nothing"]) == 0
    assert "results/nothing/config.yaml" in capsys.readouterr().out


def test_it_watches_until_it_is_stopped(made):
    command = [sys.executable, "-m", "cvqn", "status", "--watch", "0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(20)]
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert sum("5 trainings" in line for line in lines) >= 2
