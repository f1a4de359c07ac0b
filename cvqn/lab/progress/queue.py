"""This user's jobs in SLURM's queue."""

import math
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HELD = {"REQUEUE_HOLD", "SPECIAL_EXIT"}
WAITING = {"PENDING", "REQUEUED", *HELD}


@dataclass(frozen=True)
class Queued:
    """A job of the workflow: `rule` and its wildcards are in the comment that Snakemake's plugin gives it."""

    number: str
    status: str
    reason: str
    node: str
    rule: str
    wildcards: frozenset[str]

    @property
    def state(self) -> str:
        """running, pending or held."""
        if self.status not in WAITING:
            return "running"
        return "held" if self.status in HELD or "held" in self.reason.lower() else "pending"

    @property
    def note(self) -> str:
        """Where the job runs, why it waits, or how to release it."""
        if self.state == "running":
            suffix = "" if self.status == "RUNNING" else f", {self.status.lower()}"
            return f"job {self.number} on {self.node}{suffix}"
        release = f"; scontrol release {self.number}" if self.state == "held" else ""
        return f"job {self.number}: {self.reason}{release}"


def queue(project: Path) -> list[Queued]:
    """The queued jobs that were submitted in this folder; empty without SLURM, or if SLURM does not answer."""
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--me", "--noheader", "--format=%i|%T|%r|%N|%Z|%k"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    jobs = []
    for fields in (line.split("|", 5) for line in answer.stdout.splitlines() if line.count("|") >= 5):
        number, status, reason, node, folder, comment = fields
        rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
        if comment.startswith("rule_") and Path(folder) == project.resolve():
            jobs.append(Queued(number, status, reason, node, rule, frozenset(wildcards.split("_"))))
    return jobs


def minutes_left() -> float | None:
    """Minutes until the time limit of the job that this process runs in; None outside a job, or if unknown."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or shutil.which("squeue") is None:
        return None
    command = ["squeue", "--noheader", "--format=%L", f"--jobs={job}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return parse_minutes(answer) if re.fullmatch(r"[\d:-]+", answer) else None


def parse_minutes(text: str) -> float:
    """Minutes of a time in SLURM's form, [days-][[hours:]minutes:]seconds; infinite for text such as UNLIMITED."""
    if not re.fullmatch(r"[\d:-]+", text):
        return math.inf
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes, seconds = ([0] * (3 - len(parts)) + parts)[:3]
    return 1440 * int(days or 0) + 60 * hours + minutes + seconds / 60


def last_state(number: str) -> str | None:
    """How a job ended by SLURM's accounting, such as OUT_OF_MEMORY; None without accounting."""
    if shutil.which("sacct") is None:
        return None
    command = ["sacct", "--noheader", "--allocations", "--parsable2", "--format=State", f"--jobs={number}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return (answer.stdout.split("\n")[-2:] or [""])[0].strip() or None
