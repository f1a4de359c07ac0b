"""Gets the files of a recorded scale that git does not hold, from the DVC remote or from a release."""

import contextlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.lab.data.download import TIMEOUT, Pin, download
from cvqn.lab.provenance.snakemake_records import with_folders, write_jobs
from cvqn.lab.record import guards
from cvqn.lab.record.commands import dvc
from cvqn.lab.record.dvc_stage import LOCK, MARK, Stage, read_stage
from cvqn.lab.record.record import alone
from cvqn.lab.record.recorded import Recorded, read_recorded, record_folder

TEMPORARY = Path(".dvc/tmp")


def restore(scale: str, source: str | None = None) -> tuple[int, str]:
    """Get the files of a recorded scale and put Snakemake's records of their jobs back.

    Args:
        source: a file that `cvqn release` wrote, or its URL; None: the DVC remote.

    Returns:
        The number of files, and the command that made them.

    Raises:
        CvqnError: there is no record, the source cannot be reached or lacks a file, or a file differs from the record;
            then all files are unchanged.
    """
    recorded, stage = read_recorded(scale), read_stage(scale)
    jobs = recorded.jobs()
    with alone():
        guards.require_idle()
        _require_nothing_else(stage, recorded)
        wanted = [path for path in recorded.files if stage.holds(path)]
        with _undone_on_error(wanted):
            if source is None:
                _pull(stage, {path: recorded.files[path] for path in wanted})
            else:
                _unpack(_local(source), recorded, recorded.differing(wanted))
            if wrong := recorded.differing(recorded.files):
                raise CvqnError(
                    f"{wrong[0]}: missing or different from the record ({len(wrong)} such files); what git holds comes "
                    f"back with: git checkout HEAD -- results/{scale}"
                )
            write_jobs(jobs, set(with_folders(recorded.files)))
    return len(recorded.files), stage.command


def _require_nothing_else(stage: Stage, recorded: Recorded) -> None:
    """Raise CvqnError if a file that is not in the record would have to be overwritten or deleted."""
    for output in (Path(path) for path, cached in stage.outputs if cached):
        there = (path for path in sorted(output.rglob("*")) if path.is_file() and path.name != MARK)
        for path in (path.as_posix() for path in there):
            if path not in recorded.files or sha256_file(path) != recorded.files[path]:
                raise CvqnError(f"{path}: not as in the record; move it out of {output}, then run cvqn restore again")


def _pull(stage: Stage, wanted: Mapping[str, str]) -> None:
    """Fetch everything and compare it with the record before putting anything in place."""
    stage.require_remote()
    try:
        dvc("fetch", stage.name)
        copies = stage.require_sound_cache()
    except CvqnError as error:
        raise CvqnError(f"{stage.remote}: the DVC remote cannot be reached or lacks files; {error}") from error
    found = {path: sha256_file(copy) for path, copy in copies.items()}
    if other := sorted({path for path, _ in found.items() ^ wanted.items()}):
        both = f"{LOCK} {record_folder(stage.name.partition('@')[2])}"
        raise CvqnError(
            f"{LOCK}: names another {other[0]} than the record; get both again: git checkout HEAD -- {both}"
        )
    dvc("checkout", *stage.recorded_outputs())


def _local(source: str) -> Path:
    """The release as a local file; from a web server it is downloaded, resuming an interrupted download."""
    if not source.startswith(("http://", "https://")):
        if not Path(source).is_file():
            raise CvqnError(f"{source}: no such file; name what `cvqn release` wrote, or its URL")
        return Path(source)
    parts = urlsplit(source)
    target = TEMPORARY / "release" / Path(parts.path).name
    checksum = urlunsplit(parts._replace(path=f"{parts.path}.sha256"))
    try:
        with urlopen(checksum, timeout=TIMEOUT) as answer:
            digest = answer.read(1000).decode().split()[0]
    except (URLError, OSError, ValueError, IndexError) as error:
        raise CvqnError(f"{checksum}: cannot be read ({error}); it must be beside the release") from error
    pin = Pin("sha256", digest)
    if target.is_file() and pin.mismatch(target) is None:
        return target
    try:
        return download(source, target, pin)
    except CvqnError as error:
        raise CvqnError(f"{source}: {error}; run the command again to resume") from error


def _unpack(release: Path, recorded: Recorded, wanted: Sequence[str]) -> None:
    """Put the wanted files of a release in place, after checking all of them.

    Raises:
        CvqnError: the file is not a release, or a wanted file is missing from it or differs from the record.
    """
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    left = set(wanted)
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as scratch:
        try:
            with tarfile.open(release, "r:") as archive:
                for member in archive:
                    path = member.name.partition("/")[2]
                    if path in left and member.isreg():
                        target = Path(scratch, path)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        with open(target, "wb") as file:
                            shutil.copyfileobj(archive.extractfile(member), file)
                        if sha256_file(target) != recorded.files[path]:
                            raise CvqnError(f"{release}: {path} in it is not the recorded file; get the release again")
                        left.remove(path)
        except (tarfile.TarError, OSError) as error:
            raise CvqnError(f"{release}: not a release, or damaged ({error})") from error
        if left:
            raise CvqnError(f"{release}: lacks {min(left)}; it is of another record than this commit's")
        for path in wanted:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(scratch, path), path)


@contextlib.contextmanager
def _undone_on_error(paths: Sequence[str]) -> Iterator[None]:
    """Restore these files on any exception; new ones are removed, with the folders that become empty.

    Until then a second link to each file is kept, or a copy if links do not work.
    """
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as folder:
        kept = {path: Path(folder, str(number)) for number, path in enumerate(paths) if os.path.lexists(path)}
        for path, copy in kept.items():
            try:
                os.link(path, copy, follow_symlinks=False)
            except OSError:
                shutil.copy2(path, copy, follow_symlinks=False)
        try:
            yield
        except BaseException:
            for path, copy in kept.items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(copy, path)
            for path in (Path(path) for path in paths if path not in kept):
                path.unlink(missing_ok=True)
                for parent in path.parents:
                    with contextlib.suppress(OSError):
                        parent.rmdir()
            raise
