"""The store of trainings: one process at a time, nothing lost, nothing done twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch

from cvqn.errors import CvqnError, DiskFullError
from cvqn.lab.training import loop
from cvqn.lab.training.store import Diverged, Entry, Paused, key_of
from tests.lab.training.test_resume import STOP_AT_ONCE, wait_until

WORKER = """
import sys
from pathlib import Path
from cvqn.lab.training import store
store.WAIT_SECONDS = 0.05
folder, name, output = map(Path, sys.argv[1:])
entry = store.Entry(folder, "run", "key")

def write(folder):
    (folder / "last").mkdir(parents=True)
    (folder / "last" / "who").write_text(name.name)

with entry.claim():
    print("found" if entry.finished else "trains", flush=True)
    sys.stdin.readline()
    if not entry.finished:
        entry.finish(write)
entry.publish(output)
"""


def worker(tmp_path, name):
    """A process that claims an entry, trains until a line arrives, and publishes."""
    command = [sys.executable, "-c", WORKER, str(tmp_path / "store"), name, str(tmp_path / name)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, text=True, **pipes)


def let_go(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def entry(tmp_path):
    return Entry(tmp_path / "store", "run", "key")


def test_the_loser_of_a_claim_waits_and_publishes_what_the_winner_made(tmp_path, entry):
    assert entry.claimant is None
    winner = worker(tmp_path, "winner")
    assert winner.stdout.readline() == "trains\n"
    assert f"process {winner.pid} on {os.uname().nodename}" in entry.claimant
    loser = worker(tmp_path, "loser")
    assert f"process {winner.pid} on {os.uname().nodename}" in loser.stderr.readline()
    assert loser.poll() is None
    let_go(winner)
    assert loser.stdout.readline() == "found\n"
    let_go(loser)
    assert winner.wait(20) == loser.wait(20) == 0
    for name in ("winner", "loser"):
        assert (tmp_path / name / "last" / "who").read_text() == "winner"
    assert entry.claimant is None
    assert entry.finished


def test_a_waiting_process_ends_at_its_time_limit_and_leaves_the_other_alone(tmp_path, entry):
    winner = worker(tmp_path, "winner")
    assert winner.stdout.readline() == "trains\n"
    with pytest.raises(Paused, match="another process still trains this") as caught, entry.claim(time_limit=0.0):
        pytest.fail("claimed twice")
    assert caught.value.exit_code == 75
    assert entry.ended is None
    let_go(winner)
    assert winner.wait(20) == 0


@pytest.mark.slow
def test_when_the_winner_is_killed_the_loser_goes_on_from_its_state(job):
    changes = {"training": {"epochs": 10, "monitor_every": 5}}
    whole, run = job("whole", **changes), job("run", **changes)
    assert whole.run() == 0
    winner = run.start()
    wait_until(lambda: run.entries and run.entry.state_path.exists(), winner)
    winner.send_signal(signal.SIGSTOP)  # so that it is still there when the loser has come
    loser = run.start()
    while "waiting for it" not in (line := loser.stderr.readline()):
        assert line, "the loser did not wait"
    assert f"process {winner.pid} " in line
    winner.send_signal(signal.SIGKILL)
    assert winner.wait(20) == -signal.SIGKILL
    _, error = loser.communicate(timeout=120)
    assert loser.returncode == 0, error
    assert run.provenance["resumed_from"] > 0
    assert run.results() == whole.results()


@pytest.fixture
def never_trained(monkeypatch):
    def train(*_):
        pytest.fail("trained again")

    monkeypatch.setattr(loop, "train", train)


def test_a_finished_training_is_published_again_and_not_trained(job, request):
    run = job()
    assert run.run() == 0
    before = run.results(), run.provenance
    assert not run.entry.state_path.exists()
    shutil.rmtree(run.outputs)  # as Snakemake does with the outputs of a job that it starts again
    request.getfixturevalue("never_trained")
    began = time.monotonic()
    assert run.run() == 0
    assert time.monotonic() - began < 5
    assert (run.results(), run.provenance) == before
    (run.outputs / "log.csv").unlink()
    (run.outputs / "last" / "model.json").unlink()
    stale = time.time() - 1000
    os.utime(run.outputs / "provenance.json", (stale, stale))
    assert run.run() == 0
    assert (run.results(), run.provenance) == before
    assert (run.outputs / "provenance.json").stat().st_mtime > stale + 900  # newer than what it was made from


def test_outputs_may_be_deleted_and_written_over_without_harm_to_the_store(job, request):
    """What is published is a link; who replaces a file, as every writer of the project does, leaves the store alone."""
    run = job()
    assert run.run() == 0
    before = run.results()
    finished = run.entry.finished_path
    for path in run.outputs.rglob("*"):
        if path.is_file():
            path.unlink()
            path.write_text("something else")
    request.getfixturevalue("never_trained")
    assert run.run() == 0
    assert run.results() == before
    names = {path.relative_to(finished) for path in finished.rglob("*") if path.is_file()}
    assert {str(name) for name in names} >= {"last/model.json", "last/model.safetensors", "log.csv", "provenance.json"}


def attempt(entry, *parts):
    """Claim an entry and do these things in it; an error is raised."""
    with entry.claim():
        assert entry.ended is None
        for part in parts:
            if isinstance(part, Exception):
                raise part
            part()


def test_ways_to_end_leave_word(tmp_path, entry):
    endings = [
        (Paused("stopped", True), "paused", "stopped"),
        (Paused("asked"), "paused", "asked"),
        (CvqnError("no GPU"), "failed", "no GPU"),
        (ZeroDivisionError("by zero"), "failed", "ZeroDivisionError: by zero"),
        (DiskFullError("no space"), "disk full", "no space"),
        (Diverged("at step 3"), "diverged", "at step 3"),
    ]
    for error, how, reason in endings:
        with pytest.raises(type(error)):
            attempt(entry, error)
        assert (entry.ended.how, entry.ended.reason) == (how, reason)
        assert entry.ended.time_was_up == getattr(error, "time_was_up", False)
    with pytest.raises(Diverged, match="at step 3; change its settings, or delete") as caught, entry.claim():
        pytest.fail("tried again")
    assert caught.value.exit_code == 76


def test_a_training_that_finishes_leaves_nothing_but_its_files(entry):
    def write(folder):
        folder.mkdir(parents=True)
        (folder / "file").write_text("content")

    with entry.claim():
        entry.save({"step": 1})
        entry.log_path.write_text("step\n")
        entry.finish(write)
    assert sorted(path.name for path in entry.folder.iterdir()) == ["claim", "finished"]


def test_what_fails_while_it_finishes_leaves_the_state(entry):
    def write(folder):
        folder.mkdir(parents=True)
        (folder / "file").write_text("half")
        raise CvqnError("no space left")

    with pytest.raises(CvqnError):
        attempt(entry, lambda: entry.save({"step": 1}), lambda: entry.finish(write))
    assert not entry.finished
    assert entry.load() == {"step": 1}
    assert sorted(path.name for path in entry.folder.iterdir()) == ["claim", "ended.json", "state.pt"]


def test_a_damaged_state_is_an_error_that_names_it(entry):
    entry.save({"step": 1})
    entry.state_path.write_bytes(entry.state_path.read_bytes()[:100])
    with pytest.raises(CvqnError, match=r"state\.pt: damaged"):
        entry.load()
    entry.state_path.write_bytes(b"no state")
    with pytest.raises(CvqnError, match=r"state\.pt: damaged"):
        entry.load()


def test_nothing_in_a_state_is_unpickled(entry):
    class Harm:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    entry.folder.mkdir(parents=True)
    torch.save({"step": Harm()}, entry.state_path)
    with pytest.raises(CvqnError, match="damaged"):
        entry.load()


def test_damaged_word_of_an_attempt_is_an_error_that_names_it(entry):
    entry.folder.mkdir(parents=True)
    (entry.folder / "ended.json").write_text('{"how"')
    with pytest.raises(CvqnError, match=r"ended\.json"), entry.claim():
        pytest.fail("claimed")


def test_keys_hang_on_everything_and_not_on_the_order_of_keys():
    assert key_of({"a": 1, "b": [2, 3]}) == key_of({"b": [2, 3], "a": 1})
    assert len({key_of({"a": 1}), key_of({"a": 1.5}), key_of({"b": 1}), key_of({"a": 1}, 1), key_of([{"a": 1}])}) == 5
    assert len(key_of()) == 12


@contextmanager
def small_disk(folder, megabytes):
    """A file system of this size at `folder`."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_in_the_middle_of_a_state_leaves_the_old_one_whole(tmp_path, entry):
    with small_disk(tmp_path / "store", 3):
        entry.folder.mkdir()
        small, large = {"tensor": torch.rand(200_000)}, {"tensor": torch.rand(800_000)}
        with pytest.raises(CvqnError, match=r"state\.pt: no space left"):
            attempt(entry, lambda: entry.save(small), lambda: entry.save(large))
        assert torch.equal(entry.load()["tensor"], small["tensor"])
        assert sorted(path.name for path in entry.folder.iterdir()) == ["claim", "ended.json", "state.pt"]
        assert (entry.ended.how, "no space left" in entry.ended.reason) == ("disk full", True)


@pytest.mark.slow
def test_a_training_whose_disk_is_full_goes_on_once_there_is_space(job, capsys):
    whole, run = job("whole"), job("run")
    assert whole.run() == 0
    assert run.run(*STOP_AT_ONCE) == 75
    size = run.entry.state_path.stat().st_size
    store = run.folder / "results" / "tiny" / "trainings"
    kept = run.folder / "kept"
    store.rename(kept)
    with small_disk(store, -(-3 * size // (2 << 20))):  # one state and a half
        shutil.copytree(kept, store, dirs_exist_ok=True)
        assert run.run() == 74
        assert "no space left" in capsys.readouterr().err
        assert run.entry.load()["step"] == 1
        assert not run.outputs.exists()
        shutil.rmtree(kept)
        shutil.copytree(store, kept)
    shutil.copytree(kept, store, dirs_exist_ok=True)
    assert run.run() == 0
    assert run.provenance["resumed_from"] == 1
    assert run.results() == whole.results()
