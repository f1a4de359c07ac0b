"""Disturbances drawn at random: no finished training is repeated, and none differs by a bit from an undisturbed one.

CVQN_DISTURBANCES=40 draws as many; without it there are the three of ALWAYS.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvqn.lab.progress.queue import queue
from tests.projects import Project
from tests.slurm.cluster import MODELS, PROFILE, TINY, queued, shell, show, start, wait_for

pytestmark = pytest.mark.slurm

SEED = 16
DISTURBANCES = int(os.environ.get("CVQN_DISTURBANCES", "0"))
EDIT = ("      initialization: variance\n", "      initialization: variance\n      alpha: 64\n")
SECONDS = 900


class Disturbed:
    """A project in which Snakemake is started again after each disturbance, until nothing is left to do."""

    def __init__(self, project: Project, undisturbed: Path, choose: random.Random):
        self.project, self.choose = project, choose
        self.undisturbed = undisturbed / "results/tiny/trainings"
        self.planned = {path.name for path in self.undisturbed.iterdir()}
        self.finished: dict[str, int] = {}
        self.edited = False  # whether anything was ever planned with the edited overlay

    def disturb(self, kind: str) -> None:
        """Let Snakemake work for a while, then disturb it."""
        with self.start() as process:
            wait_for("job", lambda: queued(self.project) or process.poll() is not None)
            self._while(process, self.choose.uniform(3, 25))
            getattr(self, kind)(process)
            self.to_its_end(process)
        assert process.returncode in (0, -signal.SIGKILL), self.log()
        self.check()

    def start(self, *options: str) -> subprocess.Popen:
        """Snakemake, after the locks of one that was killed are gone."""
        if list((self.project.folder / ".snakemake" / "locks").glob("*")):
            self.project.snakemake("--unlock", MODELS[0])
        self.project.environment["CVQN_ORPHANS"] = self.choose.choice(["keep", "cancel"])
        return start(self.project, "snakemake", *MODELS, "--profile", str(PROFILE), "--configfile", TINY, *options)

    def kill_snakemake(self, process: subprocess.Popen) -> None:
        process.kill()

    def kill_trainer(self, process: subprocess.Popen) -> None:
        self._signal(b"train", signal.SIGKILL)

    def kill_snakemake_of_a_job(self, process: subprocess.Popen) -> None:
        self._signal(b"--target-jobs", signal.SIGKILL)

    def kill_snakemake_and_trainer(self, process: subprocess.Popen) -> None:
        process.kill()
        self._signal(b"train", signal.SIGKILL)

    def cancel(self, process: subprocess.Popen) -> None:
        for job in queued(self.project):
            shell("scancel", job)

    def cancel_after_the_training(self, process: subprocess.Popen) -> None:
        """In the moment between the end of a training and that of its job."""
        before = set(self._finished())
        wait_for("end of a training", lambda: set(self._finished()) - before or process.poll() is not None)
        self.cancel(process)

    def requeue(self, process: subprocess.Popen) -> None:
        for job in queued(self.project):
            subprocess.run(["scontrol", "requeue", job], check=False, capture_output=True)  # it may just have ended

    def node_down(self, process: subprocess.Popen) -> None:
        nodes = {show(job)["NodeList"] for job in queued(self.project)} - {"(null)", ""}
        for node in nodes:
            shell("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        for node in nodes:  # refused if it has registered and is back already (ReturnToService)
            subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], check=False, capture_output=True)
        wait_for("node", lambda: all("DOWN" not in shell("sinfo", "-hn", node, "-o", "%T").upper() for node in nodes))

    def second_instance(self, process: subprocess.Popen) -> None:
        process.kill()
        with self.start() as second:
            self._while(second, self.choose.uniform(5, 20))
            second.kill()

    def instance_beside(self, process: subprocess.Popen) -> None:
        """Without locks, so that both submit the same trainings, and both are alive."""
        with self.start("--nolock") as second:
            self._while(second, self.choose.uniform(5, 20))
            second.kill()

    def plan_edited(self, process: subprocess.Popen) -> None:
        """Planned and trained for a while with an edited overlay, which is put back then."""
        process.kill()
        self.edited = True
        self.project.replace(TINY, *EDIT)
        with self.start() as second:
            self._while(second, self.choose.uniform(5, 25))
            second.kill()
        self.project.replace(TINY, *reversed(EDIT))

    def edit_overlay(self, process: subprocess.Popen) -> None:
        """Edited at work and put back at the end: jobs keep to what they were planned with."""
        self.project.replace(TINY, *EDIT)
        self._while(process, self.choose.uniform(1, 10))
        process.kill()
        self.project.replace(TINY, *reversed(EDIT))

    def check(self) -> None:
        """What has finished once is there, the same folder as ever, and nothing was begun that was not planned."""
        now = self._finished()
        assert self.finished.items() <= now.items(), "a finished training was trained again"
        self.finished = now
        others = {path.name for path in self._store.glob("*")} - self.planned
        assert self.edited or not others, "trained with settings that nothing was planned with"

    @property
    def is_done(self) -> bool:
        """Whether all that was planned at first has finished."""
        return self.planned <= set(self.finished)

    def compare(self) -> None:
        """Every training that has finished is, bit for bit, the one that was planned, or was planned with the edit."""
        for run in self._finished():
            finished = self._store / run / "finished"
            alpha = json.loads((finished / "provenance.json").read_text())["settings"]["training"]["alpha"]
            assert alpha == (128 if run in self.planned else 64), run
            for file in ("last/model.safetensors", "best/model.safetensors", "monitor.csv"):
                if run in self.planned:
                    assert (finished / file).read_bytes() == (
                        self.undisturbed / run / "finished" / file
                    ).read_bytes(), f"{run}: {file}"

    def begin_again(self) -> None:
        """With no results, so that there is something to disturb."""
        wait_for("end of all jobs", lambda: not queued(self.project))
        shutil.rmtree(self.project.folder / "results")
        self.finished, self.edited = {}, False

    def log(self) -> str:
        return (self.project.folder / "snakemake.log").read_text()[-3000:]

    @property
    def _store(self) -> Path:
        return self.project.folder / "results/tiny/trainings"

    def _finished(self) -> dict[str, int]:
        return {path.parent.name: path.stat().st_ino for path in self._store.glob("*/finished")}

    def to_its_end(self, process: subprocess.Popen) -> None:
        """Wait for Snakemake, and do what `cvqn status` says where SLURM holds a job that it could not start."""

        def has_ended() -> bool:
            for job in queue(self.project.folder):
                if job.state == "held":
                    subprocess.run(["scontrol", "release", job.number], check=False, capture_output=True)
            return process.poll() is not None

        wait_for("end of snakemake", has_ended, SECONDS, 1)

    def _while(self, process: subprocess.Popen, seconds: float) -> None:
        end = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)

    def _signal(self, word: bytes, number: int) -> None:
        for process in self._processes(word):
            os.kill(process, number)

    def _processes(self, word: bytes) -> Iterator[int]:
        """Processes of Python in this project that were started with this argument."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
                if b"python" in words[0] and word in words and os.readlink(path / "cwd") == str(self.project.folder):
                    yield int(path.name)
            except OSError:  # it has ended
                pass


KINDS = [
    "cancel_after_the_training",
    "kill_snakemake",
    "node_down",
    "second_instance",
    "requeue",
    "kill_snakemake_of_a_job",
    "edit_overlay",
    "cancel",
    "kill_trainer",
    "kill_snakemake_and_trainer",
    "instance_beside",
    "plan_edited",
]
ALWAYS = ["plan_edited", "cancel_after_the_training", "kill_snakemake"]


def test_nothing_is_lost_repeated_or_trained_with_other_settings(prepared, fresh):
    choose = random.Random(SEED)
    disturbed = Disturbed(fresh, prepared.folder, choose)
    kinds = KINDS * (DISTURBANCES // len(KINDS)) + choose.sample(KINDS, DISTURBANCES % len(KINDS))
    for kind in choose.sample(kinds, len(kinds)) or ALWAYS:
        disturbed.disturb(kind)
        if disturbed.is_done:
            disturbed.compare()
            disturbed.begin_again()
    fresh.environment["CVQN_ORPHANS"] = "keep"
    with disturbed.start() as process:
        disturbed.to_its_end(process)
    assert process.returncode == 0, disturbed.log()
    disturbed.check()
    assert disturbed.is_done
    disturbed.compare()
    assert fresh.planned(*MODELS) == {}
