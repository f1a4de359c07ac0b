"""Snakemake's records of the jobs that made results: which rule, command, parameters, inputs and their checksums.

They lie in `.snakemake/metadata`, in no clone. The record of a scale carries them, because without them a clone has
only file times to go by, and one touched file would train everything again.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

FOLDER = Path(".snakemake")


def read_jobs(outputs: Iterable[str]) -> dict[str, dict]:
    """The records of the jobs that made these files, and what these were made from, by path relative to the project.

    A file that no job made has none.
    """
    kept = _kept()
    found: dict[str, dict] = {}
    waiting = list(outputs)
    while waiting:
        path = waiting.pop()
        record = None if path in found else kept._read_record(path)
        if record is not None:
            found[path] = record.model_dump()
            waiting += record.input
    return found


def write_jobs(jobs: dict[str, dict], outputs: set[str]) -> None:
    """Put records back.

    Each of `outputs`, which must be as recorded, gets the time at which its job ended, so that times are in order too.
    Of what these were made from, data sets and packs, which may be missing, only an unknown file gets a record.
    """
    kept = _kept()
    for path, record in jobs.items():
        if path in outputs:
            os.utime(path, (record["endtime"], record["endtime"]))
        if path in outputs or kept._read_record(path) is None:
            kept._write_record(path, MetadataRecord.model_validate(record))


def checksums(jobs: dict[str, dict]) -> dict[str, set[str]]:
    """SHA-256 of every input as the jobs that used it saw it."""
    seen: dict[str, set[str]] = {}
    for record in jobs.values():
        for path, checksum in (record["input_checksums"] or {}).items():
            seen.setdefault(path, set()).add(checksum.removeprefix("sha256:"))
    return seen


def running() -> Iterator[str]:
    """The lock files of a Snakemake that is at work here, or was killed."""
    yield from (str(path) for path in sorted(FOLDER.glob("locks/*")))


def _kept() -> FilePersistence:
    return FilePersistence(path=FOLDER.resolve())
