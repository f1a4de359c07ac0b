import json
import os
import signal
import time

import pytest

from cvqn.lab.settings import configuration as config
from cvqn.errors import CvqnError
from cvqn.lab.progress import status
from cvqn.lab.progress.status import Job
from tests.training.conftest import QUICK, start


@pytest.fixture
def results(tmp_path, tiny):
    """Results of the scale tiny in which nothing has begun."""
    folder = tmp_path / "project" / "results" / "tiny"
    config.write(tiny, folder / "config.yaml")
    return folder


def of(results, run="c32-seed1"):
    return next(row for row in status.trainings(results) if row.run == run)


def write_log(results, rows, run="c32-seed1"):
    path = results / "runs" / run / "log-0123.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("step,images_per_s\n" + "".join(f"{step},{speed}\n" for step, speed in rows))
    return path


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(status, "queue", lambda: None)


def test_a_row_that_is_being_written_is_no_error(results):
    write_log(results, [(10, 20.0), (15, "")])
    row = of(results)
    assert (row.state, row.step, row.seconds_left) == ("running", 15, None)


def test_nothing_begun_is_waiting(results):
    rows = status.trainings(results)
    assert [row.run for row in rows] == ["c16-seed1", "c32-seed1", "one-group-seed1", "re-seed1", "toy-seed1"]
    assert {(row.state, row.step, row.steps) for row in rows} == {("waiting", 0, 20)}
    assert "5 trainings: 0 done, 0 running, 5 waiting, 0 failed" in status.table(rows)


def test_time_left_follows_the_logged_speed(results):
    write_log(results, [(5, 4.0), (10, 4.0)])
    row = of(results)
    assert (row.state, row.step) == ("running", 10)
    assert row.seconds_left == pytest.approx((20 - 10) * 2 / 4.0)


def test_an_old_log_without_a_queue_does_not_run(results):
    path = write_log(results, [(5, 4.0)])
    os.utime(path, (time.time() - 3600,) * 2)
    assert of(results).state == "waiting"


@pytest.mark.parametrize(("state", "shown"), [("RUNNING", "running"), ("PENDING", "waiting")])
def test_the_queue_has_the_last_word(results, monkeypatch, state, shown):
    write_log(results, [(5, 4.0)])
    (results / "runs/c32-seed1/diverged.json").write_text(json.dumps({"key": "x", "reason": "of old"}))
    monkeypatch.setattr(status, "queue", lambda: {"c32-seed1": Job("7", state, "n2")})
    assert (of(results).state, of(results).note) == (shown, f"job 7: {state.lower()} n2")
    assert of(results, "c16-seed1").state == "waiting"


def test_divergence_and_errors_are_failures(results):
    (results / "runs" / "re-seed1").mkdir(parents=True)
    (results / "runs/re-seed1/diverged.json").write_text(json.dumps({"key": "x", "reason": "step 9: the loss is nan"}))
    assert (of(results, "re-seed1").state, of(results, "re-seed1").note) == (
        "failed",
        "diverged: step 9: the loss is nan",
    )
    log = results / "logs" / "train" / "c16-seed1.log"
    log.parent.mkdir(parents=True)
    log.write_text("Traceback (most recent call last):\n  ...\ntorch.OutOfMemoryError: CUDA out of memory\n")
    assert of(results, "c16-seed1").state == "failed"
    assert "out of memory" in of(results, "c16-seed1").note


def test_steps_follow_the_pack_where_an_epoch_is_a_pass(results, tiny):
    settings = config.merge(tiny, {"experiments": {"c32": {"training": {"epoch_steps": None}}}})
    config.write(settings, results / "config.yaml")
    assert of(results).steps is None
    pack = results.parent.parent / "data" / "packs" / "packaged-train.json"
    pack.parent.mkdir(parents=True)
    pack.write_text(json.dumps({"images": [{}] * 7}))
    assert of(results).steps == 4 * 4  # four epochs of seven images in pairs


def test_a_folder_without_configuration_is_refused(tmp_path):
    with pytest.raises(CvqnError, match=r"config\.yaml"):
        status.trainings(tmp_path)


@pytest.mark.slow
def test_a_real_training_paused_and_then_finished(results, command, tmp_path):
    """The trainer's own files and messages: a pause is no failure, and the end is recognised."""
    arguments = command(training={"epochs": 60})
    run = results / "runs" / "c16-seed1"
    arguments[arguments.index("--output") + 1] = str(run)
    config.write(config.resolve([config.ROOT / "workflow/scales/tiny.yaml", tmp_path / "overlay.yaml"]),
                 results / "config.yaml")  # fmt: skip
    process = start(arguments)
    log = results / "logs" / "train" / "c16-seed1.log"
    log.parent.mkdir(parents=True)
    while not list(run.glob("state-*.pt")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    log.write_text(process.communicate()[1])
    assert process.returncode == 75
    row = of(results, "c16-seed1")
    assert row.state != "failed"
    assert 0 < row.step < row.steps == 60 * QUICK["training"]["epoch_steps"]
    assert row.seconds_left > 0
    finished = start(arguments)
    assert finished.wait() == 0
    assert of(results, "c16-seed1") == status.Training("c16-seed1", "done", row.steps, row.steps, 0)
