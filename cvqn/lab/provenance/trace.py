"""Traces a result to its origin: the jobs that made it, their commands and inputs, back to files that no job made."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.lab.provenance.snakemake_records import Jobs, load_jobs, read_jobs


def trace(file: str) -> list[str]:
    """A line per file: the result first, then the inputs of its job, indented; each job is described once.

    Raises:
        CvqnError: no job of the workflow is known to have made this file.
    """
    path = Path(os.path.relpath(file)).as_posix()
    recorded = Path(*Path(path).parts[:2], "record", "jobs.json")
    jobs = (load_jobs(recorded) if recorded.is_file() else {}) | read_jobs([path])
    if path not in jobs:
        raise CvqnError(f"{path}: no job is known to have made it; name a result, in the project's folder")
    return list(_lines(path, jobs, 0, set()))


def _lines(path: str, jobs: Jobs, depth: int, told: set[str], checksum: str = "") -> Iterator[str]:
    head = f"{'  ' * depth}{path}{f' sha256 {checksum[:16]}' if checksum else ''}"
    job = jobs.get(path)
    if job is None:
        yield head
    elif job.command in told:
        yield f"{head} <- {job.rule}, as above"
    else:
        told.add(job.command)
        ended = datetime.fromtimestamp(job.ended, UTC).isoformat(timespec="seconds")
        yield f"{head} <- {job.rule}, {ended}, {job.ended - job.began:.1f} s: {job.command}"
        for source in job.inputs:
            yield from _lines(source, jobs, depth + 1, told, job.seen.get(source, ""))
