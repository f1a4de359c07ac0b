"""Unpacking the images of a .zip or .tar file into one flat folder, trusting nothing that the archive says."""

import fnmatch
import hashlib
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from cvqn.errors import CvqnError
from cvqn.files import atomic_write

CHUNK = 1 << 20
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
    IndexError,
)
Member = tuple[str, int, bool, Callable[[], IO[bytes] | None]]  # name, declared bytes, is a plain file, open


def unpack(archive: Path, members: str, count: int, limit: int, folder: Path, done: dict[str, str]) -> Iterator[tuple]:
    """Write the members whose names match the pattern into `folder` under their base names.

    Hidden files and macOS resource forks are no members. Yields `(file name, sha256)` as each file is complete;
    names in `done` (file name -> sha256) are left alone.

    Args:
        count: how many members there must be.
        limit: bytes that they may fill together.

    Raises:
        CvqnError: not an archive, damaged, another number of members, or a member that is a link or a device,
            escapes the folder, comes twice, or is larger than it or the limit says.
    """
    seen: set[str] = set()
    total = 0
    try:
        with tqdm(desc=f"unpack {archive.name}", total=count, unit="image", disable=None) as bar:
            for name, size, plain, open_member in _members(archive):
                file = PurePosixPath(name).name
                if not fnmatch.fnmatchcase(name, members) or file.startswith(".") or "__MACOSX" in name:
                    continue
                parts = PurePosixPath(name).parts
                if not plain or ".." in parts or name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
                    raise CvqnError(f"{archive}: member {name!r} is not a plain file in the archive; do not trust it")
                if file.lower() in seen:
                    raise CvqnError(f"{archive}: two members are called {file!r}; do not trust it")
                seen.add(file.lower())
                total += size
                if total > limit or len(seen) > count:
                    raise CvqnError(f"{archive}: holds more than {count} images or {limit} bytes; do not trust it")
                if file not in done:
                    yield file, _extract(archive, name, size, open_member, folder / file)
                bar.update()
    except DAMAGE as error:
        raise CvqnError(f"{archive}: damaged archive ({error}); remove it and fetch again") from error
    if len(seen) != count:
        raise CvqnError(f"{archive}: {len(seen)} members match {members}, expected {count}")


def _members(archive: Path) -> Iterator[Member]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                plain = kind in (0, stat.S_IFREG) and not info.is_dir() and not info.flag_bits & 1
                yield info.orig_filename, info.file_size, plain, lambda info=info: file.open(info)
    else:
        with tarfile.open(archive, "r:") as file:  # uncompressed: its size bounds what it unpacks to
            for info in file:
                yield info.name, info.size, info.isreg(), lambda info=info: file.extractfile(info)


def _extract(archive: Path, name: str, size: int, open_member: Callable, target: Path) -> str:
    digest = hashlib.sha256()
    written = 0
    with open_member() as source, atomic_write(target) as file:
        while data := source.read(CHUNK):
            written += len(data)
            if written > size:
                raise CvqnError(f"{archive}: member {name!r} is larger than it says; do not trust it")
            digest.update(data)
            file.write(data)
        if written != size:
            raise CvqnError(f"{archive}: member {name!r} is cut short; remove the archive and fetch again")
    return digest.hexdigest()
