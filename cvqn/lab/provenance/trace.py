"""Where a result comes from: the jobs that made it, their commands and inputs, back to files that no job made."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.lab.record.jobs import checksums, read_jobs


def trace(file: str) -> list[str]:
    """One line a file: the result first, then what its job read, indented; each job is explained once.

    Raises:
        CvqnError: no job of the workflow is known to have made this file.
    """
    path = Path(os.path.relpath(file)).as_posix()
    jobs = _Jobs(path)
    if jobs.of(path) is None:
        raise CvqnError(f"{path}: no job is known to have made it; name a result, in the project's folder")
    return list(_lines(path, jobs, 0, set()))


class _Jobs:
    """Records of jobs by output: those of the record, else Snakemake's own."""

    def __init__(self, path: str):
        parts = Path(path).parts
        recorded = Path(*parts[:2], "record", "jobs.json")
        self._recorded = json.loads(recorded.read_text(encoding="utf-8")) if recorded.is_file() else {}

    def of(self, path: str) -> dict | None:
        return read_jobs([path]).get(path) or self._recorded.get(path)


def _lines(path: str, jobs: _Jobs, depth: int, told: set[str], checksum: str = "") -> Iterator[str]:
    head = f"{'  ' * depth}{path}{f' sha256 {checksum[:16]}' if checksum else ''}"
    job = jobs.of(path)
    if job is None:
        yield head
        return
    command = " ".join(job["shellcmd"].split()).partition(" >> ")[0]
    if command in told:
        yield f"{head} <- {job['rule']}, as above"
        return
    told.add(command)
    ended = datetime.fromtimestamp(job["endtime"], UTC).isoformat(timespec="seconds")
    yield f"{head} <- {job['rule']}, {ended}, {job['endtime'] - job['starttime']:.1f} s: {command}"
    seen = checksums({path: job})
    for source in job["input"]:
        yield from _lines(source, jobs, depth + 1, told, next(iter(seen.get(source, ())), ""))
