"""The preflight on what programs of a real SLURM 22.05 and 23.11 printed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.lab.progress import cluster, forecast, preflight
from cvqn.lab.progress.cluster import Cluster, Node, Partition, parse_accounts, parse_min_job_age, parse_partitions
from cvqn.lab.progress.preflight import Asked, Looks, forgotten, left_over, refused, space
from cvqn.lab.progress.queue import Queued
from cvqn.lab.progress.scale import Scale
from tests import ROOT

PARTITIONS = """\
PartitionName=low AllowAccounts=ALL Default=YES MaxTime=01:00:00 MaxCPUsPerNode=UNLIMITED Nodes=n[1-6] State=UP
PartitionName=gpu AllowAccounts=physics,Vision Default=NO MaxTime=2-00:00:00 MaxCPUsPerNode=32 MaxMemPerNode=128000
PartitionName=old DenyAccounts=vision Default=NO MaxTime=UNLIMITED Nodes=o[1-2] State=DRAIN
"""
NODES = """\
low|8|16000|(null)
low|1|4000|gpu:1
gpu|64|512000|gpu:h100:4(S:0-1)
gpu|64|512000|gpu:h100:4(S:0-1),nvme:2
old|16+|64000+|(null)
"""
CONFIG = "MessageTimeout          = 10 sec\nMinJobAge               = 300 sec\nMpiDefault              = none\n"


@pytest.fixture
def slurm() -> Cluster:
    return Cluster(parse_partitions(PARTITIONS, NODES), parse_accounts("vision\nci\n"), parse_min_job_age(CONFIG))


def test_partitions_with_their_limits_and_nodes(slurm):
    gpu = slurm.partitions["gpu"]
    assert (gpu.minutes, gpu.closed, gpu.default) == (2880, False, False)
    assert gpu.nodes == (Node(32, 128000, 4),)  # what the partition lets a job have of 64 CPUs and 512 GB
    assert slurm.partition("") is slurm.partitions["low"]
    assert slurm.partitions["low"].nodes == (Node(8, 16000, 0), Node(1, 4000, 1))
    assert slurm.partitions["old"].nodes == (Node(16, 64000, 0),)


def test_a_partition_gives_no_more_time_than_its_quality_of_service():
    text = PARTITIONS.replace("MaxTime=2-00:00:00", "MaxTime=2-00:00:00 QoS=gpu-short")
    qualities = "normal|\ngpu-short|12:00:00\n"
    assert parse_partitions(text, NODES, qualities)["gpu"].minutes == 720
    assert parse_partitions(text, NODES, "gpu-short|3-00:00:00\n")["gpu"].minutes == 2880
    assert parse_partitions(PARTITIONS, NODES, qualities)["gpu"].minutes == 2880


@pytest.mark.parametrize(("text", "seconds"), [("300 sec", 300), ("2 min", 120), ("1h", 3600), ("60", 60)])
def test_how_long_the_queue_remembers(text, seconds):
    assert parse_min_job_age(f"MinJobAge = {text}\n") == seconds
    assert parse_min_job_age("") is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked("train", "vision", "gpu", 240, 32000, 8, 1), []),
        (Asked("pack"), []),  # nothing asked: SLURM's defaults
        (Asked("train", "astro", "low"), ["account astro: not one of yours (ci, vision): set CVQN_SLURM_ACCOUNT"]),
        (Asked("train", "ci", "gpu"), ["account ci may not use partition gpu"]),
        (Asked("train", "", "gpuu", gpus=1), ["no partition gpuu; there are low, gpu, old: set CVQN_SLURM_GPU_PART"]),
        (Asked("encode", "", "cpu"), ["set CVQN_SLURM_PARTITION, or slurm_partition in the profile"]),
        (Asked("train", "", "low", 240), ["240 minutes (the most of any attempt), but partition low gives 60"]),
        (Asked("train", "", "low", 240), ["in a copy of the profile, set-resources: train: runtime: 60"]),
        (Asked("train", "", "low", 60, 16000, 8, 1), ["requests 8 CPUs, 16000 MB, 1 GPU on one node"]),
        (Asked("train", "vision", "gpu", 60, 256000, 8, 1), ["has only 32 CPUs, 128000 MB, 4 GPUs"]),
        (Asked("measure", "vision", "old"), ["takes no jobs now (DRAIN)", "account vision may not use partition old"]),
    ],
)  # fmt: skip
def test_what_slurm_would_refuse_or_let_wait_for_ever(slurm, asked, said):
    found = refused([asked, asked], slurm)  # the same of two jobs is said once
    assert len(found) == len(said)
    assert all(part in one for part, one in zip(said, found, strict=True))


def test_without_accounts_none_is_wrong(slurm):
    assert parse_accounts("") is None
    assert refused([Asked("train", "astro", "low")], Cluster(slurm.partitions, None, 300)) == []


@pytest.mark.parametrize(
    ("seconds", "looks", "right"),
    [
        (300, Looks(), True),
        (60, Looks(), False),
        (150, Looks(initial_wait=2), False),  # later looks are three minutes apart
        (300, Looks(initial_wait=120), False),  # the plugin would ask sacct
        (60, Looks("sacct"), True),
        (None, Looks(), True),
    ],
)
def test_a_queue_that_forgets_jobs_too_soon(slurm, seconds, looks, right):
    found = forgotten(Cluster(slurm.partitions, None, seconds), looks)
    assert (found == []) is right
    assert right or "--slurm-status-command sacct" in found[0]


def test_jobs_of_an_earlier_snakemake_are_those_that_make_the_same():
    queued = [
        Queued("7", "RUNNING", "", "n2", "train", frozenset({"c16-seed1"})),
        Queued("8", "PENDING", "", "", "evaluate", frozenset({"cvqn", "c16-seed1"})),
        Queued("9", "PENDING", "", "", "pack", frozenset({""})),
    ]
    found = left_over(
        queued, [("train", "c16-seed1"), ("train", "c32-seed1"), ("evaluate", "cvqn_c16-seed1"), ("pack", "")]
    )
    assert [job.number for job in found] == ["7", "8", "9"]
    assert left_over(queued, [("train", "c48-seed1"), ("evaluate", "cvqn_c16-seed1-best")]) == []
    assert left_over(queued, None) == queued


@pytest.fixture
def orphan(monkeypatch, slurm):
    """One job of an earlier snakemake, on a cluster that gives what is asked; and the commands that are run."""
    job = Queued("7", "RUNNING", "", "n2", "train", frozenset({"c16-seed1"}))
    in_queue, ran = [job], []
    monkeypatch.setattr(preflight, "queue", lambda project: list(in_queue))
    monkeypatch.setattr(preflight, "read_cluster", lambda: slurm)
    monkeypatch.setattr(preflight.subprocess, "run", lambda command, **_: (ran.append(command), in_queue.clear()))
    monkeypatch.delenv("CVQN_ORPHANS", raising=False)
    return ran


def submit(made):
    preflight.require(made.plan, [Asked("train", "ci", "low")], [("train", "c16-seed1")], Looks(), 10)


def test_jobs_of_an_earlier_snakemake_are_the_users_decision(made, orphan, monkeypatch):
    with pytest.raises(CvqnError, match=r"nothing was submitted:\n- jobs of .* \(train c16-seed1\).*`scancel 7`"):
        submit(made)
    monkeypatch.setenv("CVQN_ORPHANS", "keep")
    submit(made)
    assert orphan == []
    monkeypatch.setenv("CVQN_ORPHANS", "cancel")
    submit(made)
    assert orphan == [["scancel", "7"]]
    monkeypatch.setenv("CVQN_ORPHANS", "maybe")
    with pytest.raises(CvqnError, match="keep or cancel"):
        submit(made)


def test_disk_space_against_what_is_still_to_be_written(made, monkeypatch):
    scale = Scale(made.root)
    assert space(scale, 10) == []
    before = forecast.to_write(scale, 10)
    assert before[scale.root] > forecast.to_write(scale, 1)[scale.root] > 0  # fewer trainings at once
    made.finish("c16-seed1")
    after = forecast.to_write(Scale(made.root), 10)
    assert after[scale.root] < before[scale.root]
    assert after[scale.data] == 0  # fetched and packed
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert "0.0 MB free, about" in space(scale, 10)[0]


def test_what_a_profile_asks_of_each_kind_of_job(monkeypatch):
    monkeypatch.setenv("CVQN_SLURM_GPU_PARTITION", "gpu")
    asked = {one.kind: one for one in preflight.asked_of_profile(ROOT / "workflow/profiles/slurm", {"train": 8}, 4)}
    assert asked["train"] == Asked("train", "", "gpu", 240, 64000, 8, 1)  # the most of four attempts
    assert (asked["evaluate"].minutes, asked["evaluate"].memory_mb) == (120, 16000)
    assert (asked["others"].minutes, asked["others"].gpus) == (60, 0)


def test_no_job_asks_for_more_time_than_a_cluster_gives(monkeypatch):
    """At any attempt, where the variable of the profile says what a partition gives."""
    monkeypatch.setenv("CVQN_SLURM_MINUTES", "60")
    asked = preflight.asked_of_profile(ROOT / "workflow/profiles/slurm", {}, 4)
    assert max(one.minutes for one in asked) == 60
    hour = Partition("gpu", True, "UP", 60, None, frozenset(), (Node(64, 64000, 8),))
    assert refused([replace(one, partition="gpu") for one in asked], Cluster({"gpu": hour}, None, None)) == []


def test_a_paused_training_asks_for_no_more_memory_each_time(monkeypatch):
    """Every piece of a long training is an attempt."""
    resources = forecast.asked(ROOT / "workflow/profiles/slurm")["train"]
    assert [forecast.number(resources["mem_mb"], attempt) for attempt in range(1, 7)] == [32000, *[64000] * 5]


def test_a_slurm_that_does_not_answer_is_one_line(monkeypatch, made, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CvqnError, match=r"scontrol does not answer.*login node"):
        cluster.read_cluster()
    assert main(["preflight", str(ROOT / "workflow/scales/tiny.yaml"), "--profile", str(ROOT / "slurm")]) == 2
    assert "scontrol does not answer" in capsys.readouterr().err
