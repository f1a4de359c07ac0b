"""The scale tiny from nothing on the cluster, with trainings that are interrupted in every way a cluster has."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from cvqn.lab.settings import configuration as config
from tests.projects import Project
from tests.slurm import interruptions
from tests.slurm.cluster import FOLDER, Run, shell
from tests.slurm.conftest import NAMES

pytestmark = pytest.mark.slurm

CONFIGURATION = ["--configfile", "workflow/scales/tiny.yaml", str(FOLDER / "cluster.yaml")]
TINY = config.resolve([config.ROOT / CONFIGURATION[1], CONFIGURATION[2]])
SETTINGS = {"cvqn": [f"{run}{suffix}" for run in config.runs(TINY) for suffix in ("", "-best")]}
SETTINGS |= {codec: settings["qualities"] for codec, settings in TINY["codecs"].items()}
BITSTREAMS = [f"results/tiny/bitstreams/{codec}/{name}.tar" for codec, names in SETTINGS.items() for name in names]
QUICK = ["--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2"]


class Story(NamedTuple):
    """Everything that happened on the cluster, side by side."""

    project: Project
    seen: dict[str, dict]  # by interruption
    output: str
    returncode: int

    def run(self, experiment: str) -> Run:
        return Run(self.project.folder, experiment)


def model_of(experiment: str) -> str:
    return f"results/tiny/runs/{experiment}-seed1/model/model.json"


def start(project: Project, *command: str) -> subprocess.Popen:
    """Snakemake in the background with its output in snakemake.log."""
    with open(project.folder / "snakemake.log", "w") as log:
        command = (*command, "--nocolor", *CONFIGURATION)
        return subprocess.Popen(command, cwd=project.folder, env=project.environment, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def projects(sources, tmp_path_factory):
    """One for the cluster and one for this machine."""
    made = [Project(tmp_path_factory.mktemp(name) / "project") for name in ("cluster", "local")]
    for project in made:
        shutil.copytree(sources, project.folder, symlinks=True)
    return made


@pytest.fixture(scope="module")
def local_process(projects):
    """The same bitstreams, and a training that nothing interrupts, without a cluster and in the time it leaves idle."""
    targets = [*BITSTREAMS, model_of("uninterrupted")]
    profile = ["--profile", "workflow/profiles/local", "--cores", "1"]
    with start(projects[1], "nice", "-n", "10", "snakemake", *targets, *profile) as process:
        yield process
        process.terminate()


@pytest.fixture(scope="module")
def local(local_process, projects):
    assert local_process.wait(600) == 0, (projects[1].folder / "snakemake.log").read_text()[-5000:]
    return projects[1]


@pytest.fixture(scope="module")
def story(projects, local_process):
    project = projects[0]
    project.environment |= NAMES
    long = [model_of(experiment) for experiment in (*interruptions.ALL, "diverging")]
    targets = ["all", *long, "--prioritize", model_of("overtime")]
    with ThreadPoolExecutor(len(interruptions.ALL)) as pool:
        process = start(project, "snakemake", *targets, "--profile", "slurm", *QUICK)
        try:
            futures = {name: pool.submit(do, Run(project.folder, name)) for name, do in interruptions.ALL.items()}
            seen = {name: future.result() for name, future in futures.items()}
            process.wait(600)
        finally:
            process.terminate()
    return Story(project, seen, (project.folder / "snakemake.log").read_text(), process.returncode)


def test_only_the_diverging_training_failed(story):
    assert story.returncode == 1
    status = subprocess.run(
        [sys.executable, "-m", "cvqn", "status", "results/tiny"],
        cwd=story.project.folder, env=story.project.environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    failed = [line.split()[0] for line in status.splitlines() if line.split()[1:2] == ["failed"]]
    assert failed == ["diverging-seed1"]
    assert status.splitlines()[-1].endswith("10 done, 0 running, 0 waiting, 1 failed")
    results = story.project.folder / "results" / "tiny"
    assert (results / "measurements" / "cvqn" / "c32-seed1.csv").exists()
    assert (results / "metrics.json").exists()


def test_cluster_and_local_run_give_the_same_bitstreams(story, local):
    assert len(BITSTREAMS) == 2 * 5 + 6  # two models of each training; the qualities of the conventional codecs
    for path in BITSTREAMS:
        assert (story.project.folder / path).read_bytes() == (local.folder / path).read_bytes(), path


def test_trainings_and_nothing_else_took_gpus(story):
    jobs = shell("sacct", "-X", "-n", "-P", "--format=WorkDir,Comment,Partition,AllocTRES,State").splitlines()
    mine = [job.split("|") for job in jobs if job.startswith(f"{story.project.folder}|")]
    trainings = {comment for _, comment, *_ in mine if comment.startswith("rule_train_wildcards_")}
    assert len(trainings) == 5 + 6
    for _, comment, partition, resources, state in mine:
        if state != "CANCELLED":
            assert ("gres/gpu=1" in resources) == (comment in trainings), comment
        assert partition == ("gpu" if any(rule in comment for rule in ("train", "evaluate", "analyse")) else "low"), (
            comment
        )


@pytest.mark.parametrize("name", interruptions.ALL)
def test_an_interrupted_training_ends_with_the_weights_of_one_that_ran_through(story, local, name):
    run, uninterrupted = story.run(name), Run(local.folder, "uninterrupted")
    for file in ("model/model.safetensors", "best/model.safetensors", "monitor.csv"):
        assert (run.folder / file).read_bytes() == (uninterrupted.folder / file).read_bytes()
    record = run.record()
    assert record["steps"] == uninterrupted.record()["steps"] == 150
    assert story.seen[name]["step"] <= record["resumed_from"] < 150, "steps were lost beyond the last save"
    assert not list(run.folder.glob("state-*"))


def test_a_trainer_that_is_asked_to_stop_saves_first(story):
    for name in ("preempted", "cancelled"):
        assert f"stopped at step {story.seen[name]['step']} of 150 by a request" in story.seen[name]["log"]


def test_a_trainer_stops_itself_before_its_time_limit(story):
    seen = story.seen["paused"]
    assert f"stopped at step {seen['step']} of 150 by the time limit" in seen["log"]
    assert seen["state"] == "FAILED"  # by its own exit code, not TIMEOUT


def test_a_trainer_that_hangs_is_killed_at_its_time_limit(story):
    assert "stopped at step" not in story.seen["overtime"]["log"]


def test_a_trainer_that_was_replaced_stops_without_writing(story):
    before, after = story.seen["lost"]["steps around the first trainer's end"]
    assert before == after
    assert len(story.seen["lost"]["nodes"]) == 2


def test_a_diverged_training_is_not_tried_again(story):
    """Every attempt but the first ends at once, by the marker."""
    run = story.run("diverging")
    assert "diverged before (step" in run.log()
    logs = Path(story.project.folder, ".snakemake", "slurm_logs", "rule_train", run.name).glob("*.log")
    assert ["exit status 76" in log.read_text() for log in logs] == [True] * 4
