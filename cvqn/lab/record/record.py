"""Certifies the results of a scale in DVC.

`dvc.lock` names every file of the scale's stage by its checksum, `results/<scale>/record` says what made it
(cvqn.lab.record.recorded), and `SHA256SUMS` has the checksums of everything that git holds (cvqn.lab.record.checksums).
"""

import contextlib
import fcntl
import functools
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.lab.data.index import read_index
from cvqn.lab.data.manifest import read_manifest
from cvqn.lab.provenance.environment import PINS, now
from cvqn.lab.provenance.snakemake_records import Jobs, read_jobs, with_folders
from cvqn.lab.record import again, checksums, guards, remake, verify
from cvqn.lab.record.check import Check
from cvqn.lab.record.commands import dvc, git
from cvqn.lab.record.dvc_stage import LOCK, Stage, read_stage
from cvqn.lab.record.recorded import RESULTS, DataSet, Recorded, read_recorded, record_folder
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results, sidecar

MANIFESTS = Path("data/manifests")


def record(scale: str) -> list[str]:
    """Certify the results of a scale and push them; return the paths to commit to git.

    Raises:
        CvqnError: the tree is not clean, the workflow is not finished, a result is not as its job left it, or DVC
            failed; then the previous record is unchanged.
    """
    stage = read_stage(scale)
    with alone():
        guards.require_clean_tree(stage)
        stage.require_remote()
        configuration = configurations.resolve(stage.overlays)
        guards.require_finished(stage, scale, configuration)
        files = stage.files()
        folder = record_folder(scale)
        before = read_recorded(scale) if (folder / "record.json").exists() else None
        jobs = read_jobs(with_folders(files))
        stamps = _stamps(files)
        again_made = functools.partial(made_again, jobs, stage, configuration)
        guards.require_made_by_jobs(files, jobs, before.files if before else {}, again_made)
        with undone_on_error([LOCK, folder, checksums.LIST]):
            dvc("commit", "--force", "--no-relink", stage.name)  # keep outputs as links into the store of trainings
            stage.require_sound_cache()
            dvc("push", stage.name)
            made = describe(stage, configuration, {path: sha256_file(path) for path in files})
            if before is None or (made.facts(), jobs) != (before.facts(), before.jobs()):
                made.write(jobs)
            checksums.write_checksums()
            guards.require_idle()
            if _stamps(files) != stamps:
                raise CvqnError(f"{scale}: results changed while they were recorded; record again")
    return [str(LOCK), str(checksums.LIST), str(RESULTS / scale)]


def made_again(jobs: Jobs, stage: Stage, configuration: Configuration, files: Sequence[str]) -> Iterator[Check]:
    """Make files that no later job has read again, and compare."""
    results = Results(configuration.results.as_posix())
    if results.config in files:
        yield verify.config(stage.overlays, results)
    yield from remake.check(files, jobs, results, {"matplotlib": version("matplotlib")})
    yield from remake.check_page(files, results)
    index = Path("data/sets") / configuration.data.evaluation / "index.json"
    for one in again.tables(configuration, results, jobs):
        archives = one.archives(results).values()
        table = one.table.as_posix()
        own = {
            table,
            sidecar(table),
            *(path.with_suffix(end).as_posix() for path in archives for end in (".tar", ".csv")),
        }
        if own & set(files):
            images = read_index(index)
            with tempfile.TemporaryDirectory() as scratch:
                yield from again.check(one, dict.fromkeys(one.settings, images), index, results, Path(scratch))
        if one.run and set(results.analysis_files(one.codec, one.run.name)) & set(files):
            with tempfile.TemporaryDirectory() as scratch:
                yield again.check_analysis(one.run, configuration, index, results, Path(scratch))


def describe(stage: Stage, configuration: Configuration, files: dict[str, str]) -> Recorded:
    """The content of record.json; `files` has the SHA-256 of each file by its path."""
    data = configuration.data
    return Recorded(
        scale=configuration.scale,
        commit=git("rev-parse", "HEAD").strip(),
        recorded=now(),
        stage=stage.name,
        overlays=stage.overlays,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("cvqn", "snakemake", "dvc", "matplotlib")},
        constraints_sha256=sha256_file(PINS),
        data={name: _data_set(name) for name in sorted(data.sets)},
        files=files,
    )


def _data_set(name: str) -> DataSet:
    path = MANIFESTS / f"{name}.yaml"
    described = read_manifest(name, MANIFESTS).sha256
    return DataSet(manifest=path.as_posix(), sha256=sha256_file(path), manifest_sha256=described)


def _stamps(files: Sequence[str]) -> list[tuple[int, int]]:
    return [(stat.st_mtime_ns, stat.st_size) for stat in (Path(path).stat() for path in files)]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """While active, no other `cvqn record` or `cvqn restore` can run in this folder."""
    path = Path(".dvc/tmp/cvqn.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CvqnError("another cvqn record or restore is running in this folder; wait for it") from error
        yield


@contextlib.contextmanager
def undone_on_error(paths: Sequence[Path]) -> Iterator[None]:
    """Restore these files and folders on any exception."""
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
