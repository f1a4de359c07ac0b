"""The scale tiny from nothing on the cluster, with trainings that are interrupted in every way a cluster has."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from cvqn.lab.settings import configuration
from tests import ROOT
from tests.projects import Project
from tests.slurm import interruptions
from tests.slurm.cluster import FOLDER, PROFILE, TINY, Run, copy_of, jobs_of, start

pytestmark = pytest.mark.slurm

OVERLAYS = [TINY, str(FOLDER / "cluster.yaml")]
SCALE = configuration.resolve([ROOT / TINY, OVERLAYS[1]])
SETTINGS = {"cvqn": ["c32-seed1", "toy-seed1-best"], **SCALE.measured_codecs()}
BITSTREAMS = [f"results/tiny/bitstreams/{codec}/{name}.tar" for codec, names in SETTINGS.items() for name in names]


class Story(NamedTuple):
    """Everything that happened on the cluster, side by side."""

    project: Project
    seen: dict[str, dict]  # by interruption
    output: str
    returncode: int

    def run(self, experiment: str) -> Run:
        return Run(self.project.folder, experiment)


def model_of(experiment: str) -> str:
    return f"results/tiny/runs/{experiment}-seed1/last/model.json"


@pytest.fixture(scope="module")
def projects(sources, tmp_path_factory):
    """One for the cluster and one for this machine."""
    made = [copy_of(sources, tmp_path_factory.mktemp(name) / "project") for name in ("cluster", "local")]
    end = "2>&1 && if [ {wildcards.training} = ended-seed1 ] && mkdir %s 2>/dev/null; then sleep 300; fi"
    made[0].replace("workflow/rules/train.smk", "2>&1", end % interruptions.LINGERED)
    return made


@pytest.fixture(scope="module")
def local_process(projects):
    """Some of the bitstreams and an uninterrupted training, on this machine."""
    targets = [*BITSTREAMS, model_of("uninterrupted")]
    profile = ["--profile", "workflow/profiles/local", "--cores", "1", "--configfile", *OVERLAYS]
    with start(projects[1], "snakemake", *targets, *profile) as process:
        yield process
        process.terminate()


@pytest.fixture(scope="module")
def local(local_process, projects):
    assert local_process.wait(1800) == 0, (projects[1].folder / "snakemake.log").read_text()[-5000:]
    return projects[1]


@pytest.fixture(scope="module")
def story(projects, local_process):
    project = projects[0]
    long = [model_of(experiment) for experiment in (*interruptions.ALL, "diverging")]
    # The metrics need every training and every measurement; tables and figures are no jobs of a cluster.
    targets = ["results/tiny/metrics.json", *long, "--prioritize", model_of("overtime"), model_of("ended")]
    with ThreadPoolExecutor(len(interruptions.ALL)) as pool:
        process = start(project, "snakemake", *targets, "--profile", str(PROFILE), "--configfile", *OVERLAYS)
        try:
            futures = {name: pool.submit(do, Run(project.folder, name)) for name, do in interruptions.ALL.items()}
            seen = {name: future.result() for name, future in futures.items()}
            process.wait(1800)
        finally:
            process.terminate()
    return Story(project, seen, (project.folder / "snakemake.log").read_text(), process.returncode)


def test_only_the_diverging_training_failed(story):
    assert story.returncode == 1
    _, status = story.project.shell("cvqn status results/tiny")
    failed = [line for line in status.splitlines() if line.split()[1:2] == ["failed"]]
    assert [line.split()[0] for line in failed] == ["diverging-seed1"]
    assert "diverged at step" in failed[0]
    assert "12 trainings: 11 done, 1 failed" in status
    results = story.project.folder / "results" / "tiny"
    assert (results / "measurements" / "cvqn" / "c32-seed1.csv").exists()
    assert (results / "metrics.json").exists()


def test_cluster_and_local_run_give_the_same_bitstreams(story, local):
    assert len(BITSTREAMS) == 2 + 6  # two models; the qualities of the conventional codecs
    for path in BITSTREAMS:
        assert (story.project.folder / path).read_bytes() == (local.folder / path).read_bytes(), path


def test_trainings_and_evaluations_and_nothing_else_took_gpus(story):
    jobs = jobs_of(story.project)
    trainings = {comment for comment, *_ in jobs if comment.startswith("rule_train_monitored_wildcards_")}
    assert len(trainings) == 5 + 7
    for comment, partition, resources, state in jobs:
        on_gpus = comment.startswith(("rule_train_", "rule_evaluate_"))
        assert partition == ("gpu" if on_gpus else "low"), comment
        if state == "COMPLETED":
            assert ("gres/gpu=1" in resources) == on_gpus, comment


@pytest.mark.parametrize("name", interruptions.ALL)
def test_an_interrupted_training_ends_with_the_weights_of_one_that_ran_through(story, local, name):
    run, uninterrupted = story.run(name), Run(local.folder, "uninterrupted")
    assert run.files() == uninterrupted.files()
    record = run.record()
    assert record["steps"] == uninterrupted.record()["steps"] == 150
    assert record["resumed_from"] == 0 or story.seen[name]["step"] <= record["resumed_from"] < 150
    assert run.entry.finished
    assert not run.entry.state_path.exists()


@pytest.mark.parametrize("name", set(interruptions.ALL) - {"ended", "lost"})
def test_no_step_before_the_last_save_is_done_again(story, name):
    assert story.seen[name]["step"] <= story.run(name).record()["resumed_from"]


def test_a_trainer_that_is_asked_to_stop_saves_first(story):
    for name in ("preempted", "cancelled"):
        assert f"stopped at step {story.seen[name]['step']} of 150 by a request" in story.seen[name]["log"]


def test_a_trainer_stops_itself_before_its_time_limit(story):
    seen = story.seen["paused"]
    assert f"stopped at step {seen['step']} of 150 by the time limit" in seen["log"]
    assert seen["state"] == "FAILED"  # by its own exit code, not TIMEOUT


def test_a_trainer_that_hangs_is_killed_at_its_time_limit(story):
    assert "stopped at step" not in story.seen["overtime"]["log"]


def test_a_training_goes_on_beside_a_lost_node(story):
    assert len(story.seen["lost"]["nodes"]) == 2


def test_a_training_whose_job_failed_after_it_had_finished_is_not_trained_again(story):
    """Snakemake has deleted the outputs of the failed job; the next one puts the same files in place."""
    run, seen = story.run("ended"), story.seen["ended"]
    states = [state for comment, _, _, state in jobs_of(story.project) if comment.endswith(f"_{run.name}")]
    assert states[-2:] == ["TIMEOUT", "COMPLETED"]
    assert (run.folder / "last" / "model.safetensors").stat().st_ino == seen["inode"]
    assert "step" not in run.log()  # of the last job


def test_a_diverged_training_is_not_tried_again(story):
    """By the word that it left: the profile has four retries, which paused trainings use."""
    run = story.run("diverging")
    assert json.loads((run.entry.folder / "ended.json").read_text())["how"] == "diverged"
    assert "diverged at step" in run.log()
    logs = list(Path(story.project.folder, ".snakemake", "slurm_logs", "rule_train_monitored", run.name).glob("*.log"))
    assert len(logs) == 1
    assert "exit status 76" in logs[0].read_text()
