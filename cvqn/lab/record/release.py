"""A recorded scale as one archive: results, models, bitstreams, record, checksums and a Workflow Run RO-Crate.

The archive is an uncompressed tar, with the same bytes each time it is made from the same commit. Its first member,
`manifest-sha256.txt`, has the checksums of all others in the format of sha256sum.
"""

import hashlib
import io
import tarfile
from datetime import datetime
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, sha256_file
from cvqn.lab.provenance.environment import PINS
from cvqn.lab.record import checksums, crate
from cvqn.lab.record.commands import git
from cvqn.lab.record.dvc_stage import LOCK
from cvqn.lab.record.recorded import Recorded, read_recorded, record_folder

MANIFEST = "manifest-sha256.txt"
ABOUT = ("LICENSE", "params.yaml", "Snakefile", "dvc.yaml", PINS, LOCK.as_posix(), checksums.LIST.as_posix())


def name_of(scale: str) -> str:
    """The name of a scale's release, without its suffix."""
    return f"cvqn-{scale}-{read_recorded(scale).commit[:12]}"


def release(scale: str, folder: Path) -> Path:
    """Write the release of a scale and its `.sha256` into a folder, and return its path.

    Raises:
        CvqnError: there is no record, something is not committed, or a file is missing or differs from the record.
    """
    recorded = read_recorded(scale)
    if changed := git("status", "--porcelain", "--untracked-files=no").splitlines():
        raise CvqnError(f"{changed[0][3:]}: not committed; a release belongs to one commit, so commit first")
    if wrong := recorded.differing(recorded.files):
        raise CvqnError(
            f"{wrong[0]}: missing or different from the record ({len(wrong)} such files); run: cvqn restore {scale}"
        )
    paths = _paths(recorded)
    described = crate.describe(recorded)
    sums = {path: recorded.files.get(path) or sha256_file(path) for path in paths}
    sums[crate.NAME] = hashlib.sha256(described).hexdigest()
    manifest = "".join(f"{checksum}  {path}\n" for path, checksum in sorted(sums.items())).encode()
    name = name_of(scale)
    target = folder / f"{name}.tar"
    stamp = int(datetime.fromisoformat(recorded.recorded).timestamp())
    with (
        atomic_write(target) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, content in ((MANIFEST, manifest), (crate.NAME, described)):
            archive.addfile(_member(f"{name}/{path}", len(content), stamp), io.BytesIO(content))
        for path in paths:
            with open(path, "rb") as source:
                archive.addfile(_member(f"{name}/{path}", Path(path).stat().st_size, stamp), source)
    with atomic_write(target.with_name(f"{target.name}.sha256"), "w") as file:
        file.write(f"{sha256_file(target)}  {target.name}\n")
    return target


def _paths(recorded: Recorded) -> list[str]:
    record = (path.as_posix() for path in record_folder(recorded.scale).rglob("*") if path.is_file())
    rules = (path.as_posix() for path in Path("workflow/rules").glob("*.smk"))
    manifests = (one.manifest for one in recorded.data.values())
    return sorted({*recorded.files, *record, *ABOUT, *rules, *recorded.overlays, *manifests})


def _member(name: str, size: int, stamp: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = size, stamp
    return member
