"""The ways in which a cluster interrupts a training. Each waits for the first save and returns what it saw.

A trainer that is stopped (SIGSTOP) stands for one that hangs or whose node is cut off.
"""

import contextlib
import os
import signal
import subprocess
import time
from datetime import datetime

from tests.slurm.cluster import FOLDER, STATE, Run, shell, show, wait_for

LINGERED = "lingered"  # a folder that is there once the job of `ended` has had its training finished


def preempted(run: Run) -> dict:
    """A job of a higher partition takes the whole node for some seconds."""
    job, trainer = run.saved_job(), run.trainer()
    whole_node = ["-p", "high", "-w", job["NodeList"], "--exclusive"]
    shell("sbatch", *whole_node, "-t", "1", "-o", "/dev/null", "--wrap", "sleep 3")
    _wait_for_end_of(trainer)
    seen = {"step": run.state()["step"], "log": run.log()}
    wait_for("requeued job", lambda: show(job["JobId"])["Restarts"] == "1")
    return seen


def overtime(run: Run) -> dict:
    """The trainer hangs, whatever SLURM sends, so that it is killed at its time limit."""
    job, trainer, step = run.saved_job(), run.trainer(), run.state()["step"]
    while os.path.exists(f"/proc/{trainer}"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(trainer, signal.SIGSTOP)
        time.sleep(0.005)
    seen = {"step": step, "log": run.log()}
    wait_for("time limit", lambda: show(job["JobId"])["JobState"] == "TIMEOUT")
    return seen


def paused(run: Run) -> dict:
    """The trainer hangs for a while, so that it comes near its time limit, less than 30 s, and stops itself."""
    job, trainer = run.saved_job(), run.trainer()
    os.kill(trainer, signal.SIGSTOP)
    time.sleep(max(0, datetime.fromisoformat(job["EndTime"]).timestamp() - 27 - time.time()))
    os.kill(trainer, signal.SIGCONT)
    _wait_for_end_of(trainer)
    seen = {"step": run.state()["step"], "log": run.log()}
    wait_for("end of the job", lambda: show(job["JobId"])["JobState"] != "RUNNING")
    return seen | {"state": show(job["JobId"])["JobState"]}


def cancelled(run: Run) -> dict:
    """Somebody cancels the job."""
    job, trainer = run.saved_job(), run.trainer()
    shell("scancel", job["JobId"])
    _wait_for_end_of(trainer)
    seen = {"step": run.state()["step"], "log": run.log()}
    wait_for("cancelled job", lambda: show(job["JobId"])["JobState"] == "CANCELLED")
    return seen


def lost(run: Run) -> dict:
    """The node is cut off, SLURM starts the job elsewhere, and then the node comes back with the first trainer."""
    job = run.saved_job()
    first, step = run.trainer(), run.state()["step"]
    os.kill(first, signal.SIGSTOP)
    os.kill(int((STATE / "run" / f"slurmd.{job['NodeList']}.pid").read_text()), signal.SIGKILL)
    wait_for("second job", lambda: (now := show(job["JobId"]))["Restarts"] == "1" and now["JobState"] == "RUNNING")
    seen = {"step": step, "nodes": {job["NodeList"], show(job["JobId"])["NodeList"]}}
    subprocess.run([FOLDER / "up.sh"], check=True)
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGCONT)
    return seen


def ended(run: Run) -> dict:
    """The job comes to its time limit when its training has just finished (its rule waits then, see `story`)."""
    wait_for("finished training", (run.project / LINGERED).exists)
    job = run.job()
    seen = {"step": 0, "log": run.log(), "inode": _inode(run)}
    wait_for("time limit", lambda: show(job["JobId"])["JobState"] == "TIMEOUT")
    return seen


def _inode(run: Run) -> int:
    return (run.entry.finished_path / "last" / "model.safetensors").stat().st_ino


def _wait_for_end_of(process: int) -> None:
    wait_for(f"end of process {process}", lambda: not os.path.exists(f"/proc/{process}"))


ALL = {one.__name__: one for one in (preempted, overtime, paused, cancelled, lost, ended)}
