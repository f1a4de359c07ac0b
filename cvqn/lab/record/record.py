"""The record of a scale: what a commit needs so that anybody can get its results back, check and trace them.

`dvc.lock` names every file of the scale's stage by its checksum; the folder `results/<scale>/record` holds

- `record.json`: the commit of the code, versions, data sets by the checksums of their manifests, SHA-256 of every file;
- `jobs.json`: Snakemake's record of the job that made each file;
- `runs/<run>.json`: the provenance of each training;

and `ro-crate-metadata.json` describes all recorded scales as a Workflow Run RO-Crate.
"""

import contextlib
import fcntl
import json
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from cvqn.lab.settings import configuration as config
from cvqn.lab.data.manifest import read_manifest
from cvqn.errors import CvqnError
from cvqn.files import atomic_write, sha256_file
from cvqn.lab.record import crate, guards
from cvqn.lab.record.commands import dvc, git
from cvqn.lab.record.jobs import read_jobs, write_jobs
from cvqn.lab.provenance.environment import now
from cvqn.lab.record.stage import LOCK, Stage, read_stage

FORMAT = 1
RESULTS = Path("results")
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
        guards.require_configuration(scale, stage.overlays)
        guards.require_finished(scale, stage.overlays)
        files = stage.files()
        folder = RESULTS / scale / "record"
        before = read_record(scale) if (folder / "record.json").exists() else None
        jobs = read_jobs(_with_folders(files))
        guards.require_made_by_jobs(files, jobs, before["files"] if before else {})
        stamps = _stamps(files)
        with _undone_on_error([LOCK, folder, crate.PATH]):
            dvc("commit", "--force", stage.name)
            stage.require_sound_cache()
            dvc("push", stage.name)
            made = _describe(scale, stage, files)
            if before is None or (_facts(made), jobs) != (_facts(before), read_recorded_jobs(scale)):
                _write(folder, made, jobs)
            crate.write(RESULTS)
            guards.require_idle()
            if _stamps(files) != stamps:
                raise CvqnError(f"{scale}: results changed while they were recorded; record again")
    return [str(LOCK), str(crate.PATH), str(RESULTS / scale)]


def restore(scale: str) -> tuple[int, str]:
    """Get the files of a recorded scale and put Snakemake's records back; return their number and what made them.

    Raises:
        CvqnError: there is no record, the remote lacks a file, or a file is not the recorded one.
    """
    recorded, jobs = read_record(scale), read_recorded_jobs(scale)
    stage = read_stage(scale)
    with _alone():
        guards.require_idle()
        stage.require_remote()
        _require_nothing_else(stage, recorded)
        dvc("pull", stage.name)
        stage.require_sound_cache()
        require_recorded(recorded)
        write_jobs(jobs, set(_with_folders(recorded["files"])))
    return len(recorded["files"]), stage.command


def read_record(scale: str) -> dict:
    """`record.json` of a scale.

    Raises:
        CvqnError: the scale was not recorded in the commit that is checked out.
    """
    path = RESULTS / scale / "record" / "record.json"
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        if recorded["format"] != FORMAT:
            raise CvqnError(f"{path}: format {recorded['format']}, this version reads {FORMAT}")
    except OSError as error:
        raise CvqnError(f"{path}: no record of {scale} here; check out a commit that has one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CvqnError(f"{path}: not a record ({error!r}); get it again with git checkout") from error
    return recorded


def read_recorded_jobs(scale: str) -> dict[str, dict]:
    """`jobs.json` of a scale that has a record."""
    return json.loads((RESULTS / scale / "record" / "jobs.json").read_text(encoding="utf-8"))


def require_recorded(recorded: dict) -> None:
    """Raises CvqnError when a file is missing or is not the recorded one."""
    for path, expected in recorded["files"].items():
        if not Path(path).is_file():
            raise CvqnError(f"{path}: missing; get it with: cvqn restore {recorded['scale']}")
        if sha256_file(path) != expected:
            raise CvqnError(
                f"{path}: not the recorded file, its SHA-256 differs; get that with git checkout or cvqn restore"
            )


def _require_nothing_else(stage: Stage, recorded: dict) -> None:
    """Raises CvqnError where DVC would have to overwrite or delete a file that is not of the record."""
    for output in (Path(path) for path, cached in stage.outputs if cached):
        for path in (path.as_posix() for path in sorted(output.rglob("*")) if path.is_file()):
            if path not in recorded["files"] or sha256_file(path) != recorded["files"][path]:
                raise CvqnError(f"{path}: not of the record; move it out of {output}, then restore")


def _describe(scale: str, stage: Stage, files: Sequence[str]) -> dict:
    data = config.read(RESULTS / scale / "config.yaml")["data"]
    return {
        "format": FORMAT,
        "scale": scale,
        "commit": git("rev-parse", "HEAD").strip(),
        "recorded": now(),
        "stage": stage.name,
        "overlays": stage.overlays,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("cvqn", "snakemake", "dvc", "rocrate")},
        "constraints_sha256": sha256_file("constraints.txt"),
        "data": {name: _data_set(name) for name in sorted({*data["train"], data["evaluation"]})},
        "files": {path: sha256_file(path) for path in files},
    }


def _data_set(name: str) -> dict[str, str]:
    """A manifest by its file, and by the checksum of what it says, which an index of the set repeats."""
    path = MANIFESTS / f"{name}.yaml"
    described = read_manifest(name, MANIFESTS).sha256
    return {"manifest": path.as_posix(), "sha256": sha256_file(path), "manifest_sha256": described}


def _facts(recorded: dict) -> dict:
    """What makes a new record worth writing."""
    return {key: value for key, value in recorded.items() if key not in ("commit", "recorded")}


def _write(folder: Path, recorded: dict, jobs: dict[str, dict]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    runs = [Path(path) for path in recorded["files"] if path.endswith("/provenance.json")]
    for run in runs:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run, folder / "runs" / f"{run.parent.name}.json")
    with atomic_write(folder / "jobs.json", "w") as file:
        rows = (f"{json.dumps(path)}: {json.dumps(job, sort_keys=True)}" for path, job in sorted(jobs.items()))
        file.write("{\n" + ",\n".join(rows) + "\n}\n")
    with atomic_write(folder / "record.json", "w") as file:
        json.dump(recorded, file, indent=1)
        file.write("\n")


def _with_folders(files: Sequence[str]) -> list[str]:
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
