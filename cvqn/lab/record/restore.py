"""Get the files of a recorded scale that git does not hold: from the DVC remote, or from a release."""

import contextlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
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
from cvqn.lab.record.dvc_stage import Stage, read_stage
from cvqn.lab.record.record import alone
from cvqn.lab.record.recorded import Recorded, read_recorded

TEMPORARY = Path(".dvc/tmp")


def restore(scale: str, source: str | None = None) -> tuple[int, str]:
    """Get the files of a recorded scale and put Snakemake's records back; return their number and what made them.

    Args:
        source: a file that `cvqn release` wrote, or the URL of one; without it the DVC remote.

    Raises:
        CvqnError: there is no record, the source cannot be reached or lacks a file, or a file is not the recorded one.
            Nothing has been added then.
    """
    recorded, stage = read_recorded(scale), read_stage(scale)
    with alone():
        guards.require_idle()
        _require_nothing_else(stage, recorded)
        wanted = [path for path in recorded.files if _held_by_dvc(path, stage)]
        with _undone_on_error(wanted):
            if source is None:
                _pull(stage)
            else:
                _unpack(_local(source), recorded, recorded.differing(wanted))
            if wrong := recorded.differing(recorded.files):
                raise CvqnError(
                    f"{wrong[0]}: missing or different from the record ({len(wrong)} such files); what git holds comes "
                    f"back with: git checkout HEAD -- results/{scale}"
                )
            write_jobs(recorded.jobs(), set(with_folders(recorded.files)))
    return len(recorded.files), stage.command


def _held_by_dvc(path: str, stage: Stage) -> bool:
    return any(Path(path).is_relative_to(output) for output, cached in stage.outputs if cached)


def _require_nothing_else(stage: Stage, recorded: Recorded) -> None:
    """Raises CvqnError where a file would have to be overwritten or deleted that is not of the record."""
    for output in (Path(path) for path, cached in stage.outputs if cached):
        for path in (path.as_posix() for path in sorted(output.rglob("*")) if path.is_file()):
            if path not in recorded.files or sha256_file(path) != recorded.files[path]:
                raise CvqnError(f"{path}: not of the record; move it out of {output}, then restore")


def _pull(stage: Stage) -> None:
    """Fetch everything before anything is put in its place."""
    stage.require_remote()
    try:
        dvc("fetch", stage.name)
        stage.require_sound_cache()
    except CvqnError as error:
        raise CvqnError(f"{stage.remote}: the DVC remote cannot be reached or lacks files; {error}") from error
    dvc("checkout", stage.name)


def _local(source: str) -> Path:
    """A release on this disk; from a web server it is downloaded, going on where an earlier call stopped."""
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
    """Put files of a release in their places, once every one of them is there and is the recorded one.

    Raises:
        CvqnError: it is no release, or a file is missing from it or is not the recorded one.
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
    """On any exception those of these files that were not there are gone again, with folders that are empty then."""
    absent = [Path(path) for path in paths if not Path(path).exists()]
    try:
        yield
    except BaseException:
        for path in absent:
            path.unlink(missing_ok=True)
            for folder in path.parents:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        raise
