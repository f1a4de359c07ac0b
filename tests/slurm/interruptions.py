"""The ways in which a cluster interrupts a training. Each waits for the first save and returns what it saw.

A trainer that is stopped (SIGSTOP) stands for one that hangs, or whose node is cut off.
"""

import os
import signal
import subprocess
import time

from tests.slurm.cluster import FOLDER, STATE, Run, shell, show, wait_for


def preempted(run: Run) -> dict:
    """A job of a higher partition takes the whole node for some seconds."""
    job = run.saved_job()
    whole_node = ["-p", "high", "-w", job["NodeList"], "--exclusive"]
    shell("sbatch", *whole_node, "-t", "1", "-o", "/dev/null", "--wrap", "sleep 3")
    wait_for("requeued job", lambda: show(job["JobId"])["Restarts"] == "1")
    return {"step": run.state()["step"], "log": run.log()}


def overtime(run: Run) -> dict:
    """The trainer hangs, so that SLURM has to kill it at its time limit."""
    job = run.saved_job()
    os.kill(run.trainer(), signal.SIGSTOP)
    step = run.state()["step"]
    wait_for("time limit", lambda: show(job["JobId"])["JobState"] == "TIMEOUT")
    return {"step": step, "log": run.log()}


def paused(run: Run) -> dict:
    """The trainer hangs for a while, so that it comes near its time limit and stops itself."""
    job = run.saved_job()
    trainer = run.trainer()
    os.kill(trainer, signal.SIGSTOP)
    time.sleep(28)
    os.kill(trainer, signal.SIGCONT)
    wait_for("end of the job", lambda: show(job["JobId"])["JobState"] != "RUNNING")
    return {"step": run.state()["step"], "log": run.log(), "state": show(job["JobId"])["JobState"]}


def cancelled(run: Run) -> dict:
    """Somebody cancels the job."""
    job = run.saved_job()
    shell("scancel", job["JobId"])
    wait_for("cancelled job", lambda: show(job["JobId"])["JobState"] == "CANCELLED")
    return {"step": run.state()["step"], "log": run.log()}


def lost(run: Run) -> dict:
    """The node is cut off, SLURM starts the job elsewhere, and then the first trainer comes back to life."""
    job = run.saved_job()
    first, claim = run.trainer(), run.claim()
    os.kill(first, signal.SIGSTOP)
    step = run.state()["step"]
    os.kill(int((STATE / "run" / f"slurmd.{job['NodeList']}.pid").read_text()), signal.SIGKILL)
    wait_for("second trainer", lambda: run.claim() != claim)
    second = run.trainer()
    wait_for("save of the second trainer", lambda: run.state()["step"] > step)
    os.kill(second, signal.SIGSTOP)
    before = run.state()["step"]
    os.kill(first, signal.SIGCONT)
    wait_for("end of the first trainer", lambda: not os.path.exists(f"/proc/{first}"))
    after = run.state()["step"]
    os.kill(second, signal.SIGCONT)
    node = show(job["JobId"])["NodeList"]
    subprocess.run([FOLDER / "up.sh"], check=True)
    return {"step": step, "nodes": {job["NodeList"], node}, "steps around the first trainer's end": (before, after)}


ALL = {interruption.__name__: interruption for interruption in (preempted, overtime, paused, cancelled, lost)}
