"""Unpacks the images of a .zip or .tar file into one flat folder, without trusting what the archive says."""

import fnmatch
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from cvqn.errors import CvqnError
from cvqn.files import atomic_write

Member = tuple[str, int, bool, Callable[[], IO[bytes]]]  # name, declared bytes, is a plain file, open


def unpack(archive: Path, members: str, count: int, limit: int, folder: Path) -> list[str]:
    """Write the members whose names match a pattern into `folder` under their base names, and return these.

    Hidden files and macOS resource forks are ignored.

    Args:
        members: the pattern, as for fnmatch.
        count: how many members must match.
        limit: the most bytes that they may take together.

    Raises:
        CvqnError: the archive is damaged, or another number of members matches; a member is a link or a device, would
            be written outside the folder, appears twice, or exceeds its declared size or the limit.
    """
    files: dict[str, str] = {}
    try:
        with tqdm(desc=f"unpack {archive.name}", total=count, unit="image", disable=None) as bar:
            for name, size, plain, open_member in _members(archive):
                path = PurePosixPath(name)
                if not fnmatch.fnmatchcase(name, members) or path.name.startswith(".") or "__MACOSX" in name:
                    continue
                if not plain or path.is_absolute() or ".." in path.parts or any(sign in name for sign in "\\:\0"):
                    raise CvqnError(
                        f"{archive}: member {name!r} is not a plain file in the archive; delete it and fetch again"
                    )
                if path.name.lower() in files:
                    raise CvqnError(f"{archive}: two members are called {path.name!r}; delete it and fetch again")
                files[path.name.lower()] = path.name
                limit -= size
                if limit < 0 or len(files) > count:
                    raise CvqnError(f"{archive}: holds more than its manifest allows; delete it and fetch again")
                with open_member() as source, atomic_write(folder / path.name) as file:
                    shutil.copyfileobj(source, file)  # zipfile and tarfile read no more than the declared size
                bar.update()
    except CvqnError:
        raise
    except Exception as error:  # both modules raise many types on damaged input
        raise CvqnError(f"{archive}: damaged archive ({error}); remove it and fetch again") from error
    if len(files) != count:
        raise CvqnError(f"{archive}: {len(files)} members match {members}, not {count}; delete it and fetch again")
    return list(files.values())


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
