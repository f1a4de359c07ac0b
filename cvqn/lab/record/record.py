"""Certify the results of a scale in DVC, and get them back in another clone.

`dvc.lock` names every file of the scale's stage by its checksum, `results/<scale>/record` says what made it
(cvqn.lab.record.recorded), and `ro-crate-metadata.json` describes all recorded scales as a Workflow Run RO-Crate.
"""

import contextlib
import fcntl
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.lab.data.manifest import read_manifest
from cvqn.lab.provenance.environment import PINS, now
from cvqn.lab.provenance.snakemake_records import read_jobs, write_jobs
from cvqn.lab.record import crate, guards
from cvqn.lab.record.commands import dvc, git
from cvqn.lab.record.dvc_stage import LOCK, Stage, read_stage
from cvqn.lab.record.recorded import RESULTS, DataSet, Recorded, read_recorded, record_folder
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration

MANIFESTS = Path("data/manifests")


def record(scale: str) -> list[str]:
    """Certify the results of a scale and push them; return the paths to commit to git.

    Raises:
        CvqnError: the tree is not clean, the workflow is not finished, a result is not as its job left it, or DVC
            failed. The record is then as it was.
    """
    stage = read_stage(scale)
    with _alone():
        guards.require_clean_tree(stage)
        stage.require_remote()
        configuration = configurations.resolve(stage.overlays)
        guards.require_finished(stage, scale, configuration)
        files = stage.files()
        folder = record_folder(scale)
        before = read_recorded(scale) if (folder / "record.json").exists() else None
        jobs = read_jobs(_with_folders(files))
        guards.require_made_by_jobs(files, jobs, before.files if before else {})
        stamps = _stamps(files)
        with _undone_on_error([LOCK, folder, crate.PATH]):
            dvc("commit", "--force", "--no-relink", stage.name)  # outputs stay links into the store
            stage.require_sound_cache()
            dvc("push", stage.name)
            made = _describe(stage, configuration, files)
            if before is None or (made.facts(), jobs) != (before.facts(), before.jobs()):
                made.write(jobs)
            crate.write()
            guards.require_idle()
            if _stamps(files) != stamps:
                raise CvqnError(f"{scale}: results changed while they were recorded; record again")
    return [str(LOCK), str(crate.PATH), str(RESULTS / scale)]


def restore(scale: str) -> tuple[int, str]:
    """Get the files of a recorded scale and put Snakemake's records back; return their number and what made them.

    Raises:
        CvqnError: there is no record, the remote lacks a file, or a file is not the recorded one.
    """
    recorded, stage = read_recorded(scale), read_stage(scale)
    with _alone():
        guards.require_idle()
        stage.require_remote()
        _require_nothing_else(stage, recorded)
        dvc("pull", stage.name)
        stage.require_sound_cache()
        recorded.require_files()
        write_jobs(recorded.jobs(), set(_with_folders(recorded.files)))
    return len(recorded.files), stage.command


def _require_nothing_else(stage: Stage, recorded: Recorded) -> None:
    """Raises CvqnError where DVC would have to overwrite or delete a file that is not of the record."""
    for output in (Path(path) for path, cached in stage.outputs if cached):
        for path in (path.as_posix() for path in sorted(output.rglob("*")) if path.is_file()):
            if path not in recorded.files or sha256_file(path) != recorded.files[path]:
                raise CvqnError(f"{path}: not of the record; move it out of {output}, then restore")


def _describe(stage: Stage, configuration: Configuration, files: Sequence[str]) -> Recorded:
    data = configuration.data
    return Recorded(
        scale=configuration.scale,
        commit=git("rev-parse", "HEAD").strip(),
        recorded=now(),
        stage=stage.name,
        overlays=stage.overlays,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("cvqn", "snakemake", "dvc", "rocrate")},
        constraints_sha256=sha256_file(PINS),
        data={name: _data_set(name) for name in sorted({*data.train, data.evaluation})},
        files={path: sha256_file(path) for path in files},
    )


def _data_set(name: str) -> DataSet:
    path = MANIFESTS / f"{name}.yaml"
    described = read_manifest(name, MANIFESTS).sha256
    return DataSet(manifest=path.as_posix(), sha256=sha256_file(path), manifest_sha256=described)


def _with_folders(files: Iterable[str]) -> list[str]:
    folders = {parent.as_posix() for path in files for parent in Path(path).parents}
    return sorted({*files, *folders - {"."}})


def _stamps(files: Sequence[str]) -> list[tuple[int, int]]:
    return [(stat.st_mtime_ns, stat.st_size) for stat in (Path(path).stat() for path in files)]


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Within it no other `cvqn record` or `cvqn restore` runs in this folder."""
    path = Path(".dvc/tmp/cvqn.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CvqnError("another cvqn record or restore is running in this folder; wait for it") from error
        yield


@contextlib.contextmanager
def _undone_on_error(paths: Sequence[Path]) -> Iterator[None]:
    """On any exception these files and folders are as they were."""
    with tempfile.TemporaryDirectory(dir=".dvc/tmp") as kept:
        for number, path in enumerate(paths):
            if path.exists():
                (shutil.copytree if path.is_dir() else shutil.copy2)(path, Path(kept, str(number)))
        try:
            yield
        except BaseException:
            for number, path in enumerate(paths):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                if Path(kept, str(number)).exists():
                    shutil.move(Path(kept, str(number)), path)
            raise
