"""The record of a scale, `results/<scale>/record`: what a commit needs so that anybody can check and trace its results.

- `record.json`: the commit of the code, versions, data sets by the checksums of their manifests, SHA-256 of every file;
- `jobs.json`: Snakemake's record of the job that made each file;
- `runs/<training>.json`: the provenance of each training.
"""

import shutil
from pathlib import Path
from typing import Literal

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, read_json, sha256_file
from cvqn.lab.provenance.snakemake_records import Jobs, load_jobs, save_jobs
from cvqn.settings import Settings

RESULTS = Path("results")


class DataSet(Settings):
    """A set of images by its manifest."""

    manifest: str
    sha256: str
    """Of the manifest's file."""
    manifest_sha256: str
    """Of what it says, which an index of the set repeats."""


class Recorded(Settings):
    """record.json."""

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
        """The jobs that made the files."""
        return load_jobs(record_folder(self.scale) / "jobs.json")

    def facts(self) -> dict[str, object]:
        """What makes a new record worth writing."""
        return self.model_dump(exclude={"commit", "recorded"})

    def require_files(self) -> None:
        """Raises CvqnError when a file is missing or is not the recorded one."""
        for path, expected in self.files.items():
            if not Path(path).is_file():
                raise CvqnError(f"{path}: missing; get it with: cvqn restore {self.scale}")
            if sha256_file(path) != expected:
                raise CvqnError(
                    f"{path}: not the recorded file, its SHA-256 differs; get that with git checkout or cvqn restore"
                )

    def write(self, jobs: Jobs) -> None:
        """Write the record in place of the one before."""
        folder = record_folder(self.scale)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "runs").mkdir(parents=True)
        for provenance in (Path(path) for path in self.files if path.endswith("/provenance.json")):
            shutil.copyfile(provenance, folder / "runs" / f"{provenance.parent.name}.json")
        save_jobs(jobs, folder / "jobs.json")
        with atomic_write(folder / "record.json", "w") as file:
            file.write(self.model_dump_json(indent=1) + "\n")


def record_folder(scale: str) -> Path:
    """Where the record of a scale lies."""
    return RESULTS / scale / "record"


def read_recorded(scale: str) -> Recorded:
    """The record of a scale.

    Raises:
        CvqnError: the scale was not recorded in the commit that is checked out, or its record is damaged.
    """
    path = record_folder(scale) / "record.json"
    if not path.exists():
        raise CvqnError(f"{path}: no record of {scale} here; check out a commit that has one")
    return Recorded.parse(read_json(path), f"{path}: not a record; get it again with git checkout")
