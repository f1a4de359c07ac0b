"""Finds jobs that SLURM would refuse or never start, before anything is submitted.

The resources that each kind of job requests, by the workflow or by a profile, are compared with the partitions,
accounts and settings of the cluster. Jobs left by an earlier Snakemake and the free disk space are checked too. Each
finding is one line that says what to do.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvqn.errors import CvqnError, SeveralErrors
from cvqn.lab.progress import forecast
from cvqn.lab.progress.cluster import Cluster, Node, Partition, read_cluster
from cvqn.lab.progress.queue import Queued, queue
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.provenance.snakemake_records import is_at_work

LONGEST_WAIT = 180  # the most seconds between two looks of Snakemake's plugin at the queue
INITIAL_WAIT = 40  # seconds before its first look, unless --slurm-init-seconds-before-status-checks says otherwise
PLUGINS_LOOKS = 3  # if the queue keeps jobs for less than so many initial waits, the plugin uses sacct
ORPHANS = "CVQN_ORPHANS"
CANCEL_SECONDS = 180


@dataclass(frozen=True)
class Asked:
    """The resources that jobs of one kind request; empty names and 0 leave the choice to SLURM.

    Attributes:
        minutes: the most of any attempt; a job that requests more than its partition allows waits forever.
        memory_mb: the most of any attempt; sbatch refuses a job that no node can hold.
    """

    kind: str
    account: str = ""
    partition: str = ""
    minutes: float = 0
    memory_mb: float = 0
    cpus: int = 1
    gpus: int = 0


@dataclass(frozen=True)
class Looks:
    """How Snakemake's plugin polls its jobs: by squeue or sacct, and first after how many seconds."""

    command: str = "squeue"
    initial_wait: float = INITIAL_WAIT


def require(
    plan: Plan, asked: Sequence[Asked], wanted: Iterable[tuple[str, str]] | None, looks: Looks, jobs: int
) -> None:
    """Refuse to submit jobs that cannot run.

    Args:
        wanted: rule and wildcards, joined by `_`, of each job that is about to be submitted; None if unknown.
        jobs: the most jobs in the queue at once.

    Raises:
        CvqnError: there are findings; the message has one per line.
    """
    cluster, scale = read_cluster(), Scale(plan.configuration.results, plan)
    found = [*refused(asked, cluster), *forgotten(cluster, looks), *space(scale, jobs)]
    found += _orphans(queue(Path()), wanted)
    if found:
        raise SeveralErrors("nothing was submitted:", *(f"- {one}" for one in found))


def require_of_profile(plan: Plan, profile: Path) -> None:
    """Like `require`, with the resources that a profile requests, without a workflow.

    Raises:
        CvqnError: there are findings, or a Snakemake is running here or has left its locks.
    """
    settings = forecast.profile_settings(profile)
    looks = Looks(
        settings.get("slurm-status-command", "squeue"),
        settings.get("slurm-init-seconds-before-status-checks", INITIAL_WAIT),
    )
    if is_at_work():
        raise CvqnError(
            "a snakemake is running here, or was killed and left its locks: `squeue --me` lists its jobs; if it is "
            "not running any more, `snakemake --profile slurm --unlock` removes the locks"
        )
    asked = asked_of_profile(profile, forecast.threads_of(plan.configuration), settings.get("retries", 0) + 1)
    require(plan, asked, None, looks, settings.get("jobs", 1))


def refused(asked: Iterable[Asked], cluster: Cluster) -> list[str]:
    """Findings about accounts, partitions and nodes, each once."""
    found = [finding for one in asked for finding in _refused(one, cluster)]
    return list(dict.fromkeys(found))


def forgotten(cluster: Cluster, looks: Looks) -> list[str]:
    """A finding if the queue drops ended jobs before Snakemake looks again."""
    needed = max(LONGEST_WAIT, PLUGINS_LOOKS * looks.initial_wait)
    if looks.command != "squeue" or cluster.forgets_seconds is None or cluster.forgets_seconds >= needed:
        return []
    return [
        f"squeue drops an ended job after {cluster.forgets_seconds} s on this cluster (MinJobAge), but snakemake may "
        f"wait {needed:g} s between two checks and would miss it: run with --slurm-status-command sacct. Snakemake "
        "does not notice scancel then: start it again after each"
    ]


def space(scale: Scale, jobs: int) -> list[str]:
    """A finding for each disk on which the estimated files still to be written do not fit."""
    needs: dict[int, float] = {}
    places: dict[int, Path] = {}
    for folder, size in forecast.to_write(scale, jobs).items():
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        device = existing.stat().st_dev
        needs[device] = needs.get(device, 0) + size
        places.setdefault(device, existing)
    return [
        f"{places[device]}: {forecast.in_bytes(free)} free, about {forecast.in_bytes(needs[device])} needed "
        "(`cvqn plan` says for what): free some, or clone to a larger disk"
        for device in needs
        if (free := shutil.disk_usage(places[device]).free) < needs[device]
    ]


def left_over(queued: Sequence[Queued], wanted: Iterable[tuple[str, str]] | None) -> list[Queued]:
    """Queued jobs of an earlier Snakemake that make the same outputs as jobs about to be submitted.

    A running Snakemake locks its outputs, so these can only be left over, unless --unlock removed its locks.
    """
    if wanted is None:
        return list(queued)
    keys = {(rule, frozenset(wildcards.split("_"))) for rule, wildcards in wanted}
    return [job for job in queued if (job.rule, job.wildcards) in keys]


def asked_of_profile(profile: Path, threads: Mapping[str, int], attempts: int) -> list[Asked]:
    """What a profile requests for each kind of job; expressions that need a job count as not requested."""

    def most(resource: object) -> float:
        return max(forecast.number(resource, attempt) for attempt in range(1, attempts + 1))

    return [
        Asked(
            kind=kind,
            account=str(resources.get("slurm_account") or ""),
            partition=str(resources.get("slurm_partition") or ""),
            minutes=most(resources.get("runtime")),
            memory_mb=most(resources.get("mem_mb")),
            cpus=int(forecast.number(resources.get("threads"), 1)) or threads.get(kind, 1),
            gpus=int(forecast.number(resources.get("gpu"), 1)),
        )
        for kind, resources in forecast.asked(profile).items()
    ]


def _refused(asked: Asked, cluster: Cluster) -> list[str]:
    found = []
    if asked.account and cluster.accounts is not None and asked.account.lower() not in cluster.accounts:
        known = ", ".join(sorted(cluster.accounts)) or "none"
        found.append(
            f"account {asked.account}: not one of yours ({known}): set CVQN_SLURM_ACCOUNT, or slurm_account in the "
            "profile"
        )
    partition = cluster.partition(asked.partition)
    if partition is None:
        known = ", ".join(cluster.partitions)
        what = f"no partition {asked.partition}" if asked.partition else "no default partition"
        setting = "CVQN_SLURM_GPU_PARTITION" if asked.gpus else "CVQN_SLURM_PARTITION"
        return [*found, f"{asked.kind}: {what}; there are {known}: set {setting}, or slurm_partition in the profile"]
    return [*found, *_refused_by(partition, asked)]


def _refused_by(partition: Partition, asked: Asked) -> list[str]:
    found = []
    if partition.closed:
        found.append(f"partition {partition.name} takes no jobs now ({partition.state}): choose another, or wait")
    if asked.account and not partition.takes(asked.account):
        found.append(f"account {asked.account} may not use partition {partition.name}: choose another of either")
    if asked.minutes > partition.minutes:
        setting = _setting(asked.kind, f"runtime: {partition.minutes:g}")
        found.append(
            f"{asked.kind}: requests {asked.minutes:g} minutes (the most of any attempt), but partition "
            f"{partition.name} gives {partition.minutes:g}, so it would wait forever: {setting}"
        )
    wanted = Node(asked.cpus, asked.memory_mb, asked.gpus)
    if not any(node.has(wanted) for node in partition.nodes):
        found.append(
            f"{asked.kind}: requests {wanted} on one node, but partition {partition.name} has only "
            f"{'; '.join(map(str, partition.nodes)) or 'no nodes'}. Choose another partition, or request less: set "
            f"{_setting(asked.kind, 'mem_mb: N')}, or run with --set-threads {asked.kind}=N"
        )
    return found


def _setting(kind: str, what: str) -> str:
    """Advice on where to set a resource; not --set-resources, which would replace everything that a profile sets."""
    section = "default-resources" if kind == forecast.OTHERS else f"set-resources: {kind}"
    return f"in a copy of the profile, {section}: {what}"


def _orphans(queued: Sequence[Queued], wanted: Iterable[tuple[str, str]] | None) -> list[str]:
    """A finding if jobs of an earlier Snakemake are in the queue, unless the user has said what to do with them."""
    jobs, answer = left_over(queued, wanted), os.environ.get(ORPHANS, "")
    if answer not in ("", "keep", "cancel"):
        raise CvqnError(f"{ORPHANS}={answer}: set it to keep or cancel")
    if not jobs or answer == "keep":
        return []
    numbers = " ".join(job.number for job in jobs)
    if answer == "cancel":
        _cancel(jobs)
        return []
    names = ", ".join(f"{job.rule} {' '.join(sorted(job.wildcards))}".strip() for job in jobs)
    return [
        f"jobs of an earlier snakemake are still in the queue ({names}). Wait until they end, or run "
        f"`scancel {numbers}`: each training saves its state, and the new job resumes it. {ORPHANS}=cancel cancels "
        f"such jobs at every start. With {ORPHANS}=keep they stay, and the new jobs wait for their trainings"
    ]


def _cancel(jobs: Sequence[Queued]) -> None:
    subprocess.run(["scancel", *(job.number for job in jobs)], check=False)
    numbers, end = {job.number for job in jobs}, time.monotonic() + CANCEL_SECONDS
    while numbers & {job.number for job in queue(Path())}:
        if time.monotonic() > end:
            raise CvqnError(f"{' '.join(sorted(numbers))}: still in the queue {CANCEL_SECONDS} s after scancel")
        time.sleep(1)
