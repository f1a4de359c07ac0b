"""The record of a scale, `results/<scale>/record`, with which anybody can check and trace the results in a commit.

- `record.json`: commit of the code, versions, checksums of the data sets' manifests, SHA-256 of every file;
- `jobs.json`: Snakemake's record of the job that made each file;
- `runs/<training>/`: provenance, log and monitored evaluations of each training.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, read_json, sha256_file
from cvqn.lab.provenance.snakemake_records import Jobs, load_jobs, made_as, save_jobs
from cvqn.lab.settings.paths import TRAINING_FILES
from cvqn.settings import Settings

RESULTS = Path("results")


class DataSet(Settings):
    """A set of images, identified by its manifest."""

    manifest: str
    """Path of the manifest."""
    sha256: str
    """SHA-256 of the manifest's file."""
    manifest_sha256: str
    """`Manifest.sha256`, which the set's index repeats."""


class Recorded(Settings):
    """The content of record.json."""

    format: Literal[1] = 1
    scale: str
    commit: str
    recorded: str
    stage: str
    overlays: list[str]
    versions: dict[str, str]
    constraints_sha256: str
    data: dict[str, DataSet]
    files: dict[str, str]
    """SHA-256 of every file, by its path relative to the project."""

    def jobs(self) -> Jobs:
        """The jobs that made the files.

        Raises:
            CvqnError: their file is damaged or of another version.
        """
        path = record_folder(self.scale) / "jobs.json"
        try:
            jobs = load_jobs(path)
            if lost := [file for file in self.files if made_as(file, jobs) is None]:
                raise KeyError(lost[0])
            return jobs
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__} {error}"
            raise CvqnError(f"{path}: not the jobs of a record ({what}); get it again with git checkout") from error

    def facts(self) -> dict[str, object]:
        """The parts that, when they change, make a new record worth writing."""
        return self.model_dump(exclude={"commit", "recorded"})

    def differing(self, files: Iterable[str]) -> list[str]:
        """Those of these files that are missing or differ from the record."""
        return [path for path in files if not Path(path).is_file() or sha256_file(path) != self.files[path]]

    def write(self, jobs: Jobs) -> None:
        """Write the record over the previous one, file by file, and then remove the files that only that one had.

        Of a training that is not here, the copies in the previous record stay.
        """
        folder = record_folder(self.scale)
        runs = RESULTS / self.scale / "runs"
        written = {folder / "jobs.json", folder / "record.json"}
        for path in (Path(path) for path in self.files):
            if path.parent.parent == runs and path.name in TRAINING_FILES:
                copy = folder / path.relative_to(runs.parent)
                written.add(copy)
                if path.exists() or not copy.exists():
                    with open(path, "rb") as source, atomic_write(copy) as file:
                        shutil.copyfileobj(source, file)
        save_jobs(jobs, folder / "jobs.json")
        with atomic_write(folder / "record.json", "w") as file:
            file.write(self.model_dump_json(indent=1) + "\n")
        for path in sorted(folder.rglob("*"), reverse=True):  # the content of a folder before the folder
            if path not in written:
                with contextlib.suppress(OSError):  # the folder is not empty
                    path.rmdir() if path.is_dir() else path.unlink()


def record_folder(scale: str) -> Path:
    """The folder of a scale's record."""
    return RESULTS / scale / "record"


def read_recorded(scale: str) -> Recorded:
    """The record of a scale.

    Raises:
        CvqnError: the scale was not recorded in the commit that is checked out, or its record is damaged or names a
            file outside the scale's results.
    """
    path = record_folder(scale) / "record.json"
    if not path.exists():
        raise CvqnError(f"{path}: no record of {scale} here; check out a commit that has one")
    recorded = Recorded.parse(read_json(path), f"{path}: not a record; get it again with git checkout")
    own = f"{(RESULTS / scale).as_posix()}/"
    for file in recorded.files:
        if not file.startswith(own) or os.path.normpath(file) != file or "\0" in file:
            raise CvqnError(f"{path}: files: {file!r} is no file of {own}; get the record again with git checkout")
    if recorded.scale != scale:
        raise CvqnError(f"{path}: of the scale {recorded.scale!r}; get it again with git checkout")
    return recorded
