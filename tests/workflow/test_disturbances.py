"""Disturbances drawn at random, without a cluster: no training is repeated, and none differs by a bit.

CVQN_DISTURBANCES=40 draws as many (the short form: 6).
"""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.projects import Project

pytestmark = pytest.mark.disturbance

SEED = 16
DISTURBANCES = int(os.environ.get("CVQN_DISTURBANCES", "6"))
TINY = "workflow/scales/tiny.yaml"
RUNS = ["c16-seed1", "toy-seed1"]
MODELS = [f"results/tiny/runs/{run}/last/model.safetensors" for run in RUNS]
EDIT = ("      initialization: variance\n", "      initialization: variance\n      alpha: 64\n")
SECONDS = 900


class Disturbed:
    """A project in which Snakemake is started again after each disturbance, until nothing is left to do."""

    def __init__(self, project: Project, choose: random.Random):
        self.project, self.choose = project, choose
        self.finished: dict[str, int] = {}
        self.edited = False

    def start(self) -> subprocess.Popen:
        """Snakemake, after the locks of one that was killed are gone."""
        self.project.snakemake("--unlock", *MODELS)
        return self._snakemake()

    def disturb(self, kind: str) -> None:
        """Let Snakemake work for a while, then disturb it."""
        with self.start() as process:
            self._while(process, self.choose.uniform(5, 40))
            getattr(self, kind)(process)
            self._end(process)
        self.check()

    def kill_snakemake(self, process: subprocess.Popen) -> None:
        process.kill()

    def kill_trainer(self, process: subprocess.Popen) -> None:
        self._signal_trainers(signal.SIGKILL)

    def stop_trainer(self, process: subprocess.Popen) -> None:
        self._signal_trainers(signal.SIGTERM)

    def kill_both(self, process: subprocess.Popen) -> None:
        process.kill()
        self._signal_trainers(signal.SIGKILL)

    def second_instance(self, process: subprocess.Popen) -> None:
        """Its locks refuse it, or it takes over from one that was killed."""
        process.kill()
        with self.start() as second:
            self._while(second, self.choose.uniform(5, 20))
            second.kill()

    def edit_overlay(self, process: subprocess.Popen) -> None:
        """Edited at work and put back at the end: jobs at work keep to what they were planned with."""
        self.project.replace(TINY, *EDIT)
        self._while(process, self.choose.uniform(1, 10))
        process.kill()
        self.project.replace(TINY, *reversed(EDIT))

    def check(self) -> None:
        """What has finished once is there, the same folder as ever."""
        now = {path.parent.name: path.stat().st_ino for path in self._store().glob("*/finished")}
        assert self.finished.items() <= now.items(), "a finished training was trained again"
        self.finished = now

    def finish(self) -> None:
        """Undisturbed to the end."""
        self._wait_for_trainers()
        with self.start() as process:
            assert process.wait(SECONDS) == 0, (self.project.folder / "snakemake.log").read_text()[-3000:]
        self.check()

    def _snakemake(self) -> subprocess.Popen:
        command = ["snakemake", *MODELS, "--profile", "workflow/profiles/local", "--cores", "2", "--nocolor"]
        with open(self.project.folder / "snakemake.log", "a") as log:
            return subprocess.Popen(
                [*command, "--configfile", TINY],
                cwd=self.project.folder, env=self.project.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def _store(self) -> Path:
        return self.project.folder / "results/tiny/trainings"

    def _while(self, process: subprocess.Popen, seconds: float) -> None:
        end = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)

    def _end(self, process: subprocess.Popen) -> None:
        process.wait(SECONDS)

    def _trainers(self) -> list[int]:
        """Processes `cvqn train` of this project."""
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if self._is_trainer(path)]

    def _is_trainer(self, process: Path) -> bool:
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            return b"train" in words[:4] and os.readlink(process / "cwd") == str(self.project.folder)
        except OSError:  # it has ended, or is another user's
            return False

    def _signal_trainers(self, number: int) -> None:
        for trainer in self._trainers():
            os.kill(trainer, number)

    def _wait_for_trainers(self) -> None:
        end = time.monotonic() + SECONDS
        while self._trainers():
            assert time.monotonic() < end
            time.sleep(0.5)


KINDS = ["kill_snakemake", "kill_trainer", "stop_trainer", "kill_both", "second_instance", "edit_overlay"]


def test_nothing_is_lost_repeated_or_trained_with_other_settings(finished, sources, tmp_path):
    choose = random.Random(SEED)
    shutil.copytree(sources, tmp_path / "project", symlinks=True)
    shutil.copytree(finished.folder / "data", tmp_path / "project/data", symlinks=True, dirs_exist_ok=True)
    disturbed = Disturbed(Project(tmp_path / "project"), choose)
    kinds = (KINDS * (DISTURBANCES // len(KINDS) + 1))[:DISTURBANCES]
    for kind in choose.sample(kinds, len(kinds)):
        disturbed.disturb(kind)
        if len(disturbed.finished) >= len(RUNS):  # begin anew, so that there is something to disturb
            compare(disturbed.project, finished)
            shutil.rmtree(disturbed.project.folder / "results")
            disturbed.finished = {}
    disturbed.finish()
    compare(disturbed.project, finished)
    assert disturbed.project.planned(*MODELS) == {}


def compare(project: Project, undisturbed: Project) -> None:
    """Every training that has finished is, bit for bit, what an undisturbed one gives."""
    for run in RUNS:
        for entry in (project.folder / "results/tiny/trainings").glob(f"{run}-*/finished"):
            [same] = (undisturbed.folder / "results/tiny/trainings").glob(f"{entry.parent.name}/finished")
            for file in ("last/model.safetensors", "best/model.safetensors", "monitor.csv"):
                assert (entry / file).read_bytes() == (same / file).read_bytes(), f"{run}: {file}"
