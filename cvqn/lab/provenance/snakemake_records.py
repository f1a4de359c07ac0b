"""Snakemake's records of jobs in `.snakemake`: which job made a file, from what, and which jobs are running.

Apart from cvqn.lab.progress.retries, only this module uses Snakemake's private interface. A clone does not have these
records, so the record of a scale includes them. Without them Snakemake would judge by file times alone, and one touched
file would cause every training to run again.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cvqn.files import atomic_write, read_json

FOLDER = Path(".snakemake")


@dataclass(frozen=True)
class Job:
    """The job that made a file; times are seconds since 1970."""

    rule: str
    command: str
    inputs: tuple[str, ...]
    seen: Mapping[str, str]
    """SHA-256 of the inputs that Snakemake checked by content, as the job saw them."""
    began: float
    ended: float
    whole: dict[str, Any]
    """Snakemake's whole record of the job, in plain values."""

    @classmethod
    def of(cls, whole: dict[str, Any]) -> Self:
        """The job of a record of Snakemake's."""
        checksums = whole["input_checksums"] or {}
        return cls(
            rule=whole["rule"],
            command=" ".join((whole["shellcmd"] or "").split()).partition(" >> ")[0],
            inputs=tuple(whole["input"] or ()),
            seen={path: checksum.removeprefix("sha256:") for path, checksum in checksums.items()},
            began=whole["starttime"],
            ended=whole["endtime"],
            whole=whole,
        )


Jobs = dict[str, Job]
"""Jobs by the path of their output, relative to the project."""


def read_jobs(outputs: Iterable[str]) -> Jobs:
    """The jobs that made these files, and their inputs, and so on; files that no job made are left out."""
    if not FOLDER.is_dir():
        return {}
    kept = _kept()
    found: Jobs = {}
    waiting = list(outputs)
    while waiting:
        path = waiting.pop()
        record = None if path in found else kept._read_record(path)
        if record is not None and record.rule is not None:
            found[path] = Job.of(record.model_dump())
            waiting += found[path].inputs
    return found


def write_jobs(jobs: Jobs, outputs: set[str]) -> None:
    """Put Snakemake's records of jobs back.

    Each of `outputs`, which must be as recorded, gets the time at which its job ended, so that file times are in order
    too. Other files in `jobs` (data sets and packs, which may be missing) get a record only if they have none.
    """
    from snakemake.persistence import MetadataRecord

    kept = _kept()
    for path, job in jobs.items():
        if path in outputs:
            os.utime(path, (job.ended, job.ended))
        if path in outputs or kept._read_record(path) is None:
            kept._write_record(path, MetadataRecord.model_validate(job.whole))


def made_as(path: str, jobs: Mapping[str, Job]) -> str | None:
    """The output of a job to which a file belongs: the file or one of its folders; None if no job made it."""
    return next((one for one in (path, *map(Path.as_posix, Path(path).parents)) if one in jobs), None)


def with_folders(files: Iterable[str]) -> list[str]:
    """Files and all folders that they are in, since either may be the output of a job."""
    return sorted({*files, *(parent.as_posix() for path in files for parent in Path(path).parents)} - {"."})


def is_at_work() -> bool:
    """Whether a Snakemake is running in this folder, or was killed and left its locks."""
    return any(FOLDER.glob("locks/*"))


def begun(outputs: Iterable[str]) -> set[str]:
    """Those of these files whose job has begun but not ended."""
    return _kept()._filter_incomplete_keys(list(outputs)) if FOLDER.is_dir() else set()


def load_jobs(path: Path) -> Jobs:
    """Jobs as `save_jobs` wrote them.

    Raises:
        CvqnError: the file cannot be read.
    """
    return {output: Job.of(whole) for output, whole in read_json(path).items()}


def save_jobs(jobs: Jobs, path: Path) -> None:
    """Write jobs as JSON, one per line."""
    rows = (f"{json.dumps(output)}: {json.dumps(job.whole, sort_keys=True)}" for output, job in sorted(jobs.items()))
    with atomic_write(path, "w") as file:
        file.write("{\n" + ",\n".join(rows) + "\n}\n")


def _kept():
    from snakemake.persistence.file import FilePersistence

    return FilePersistence(path=FOLDER.resolve())
