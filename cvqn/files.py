"""Files that are either whole or absent."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cvqn.errors import CvqnError

UNWRITABLE = {
    errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EPERM, errno.EROFS,
}  # fmt: skip


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file beside `path`; on success flush it to disk and rename it to `path`.

    After any exception `path` is as it was before and the temporary file is gone.

    Raises:
        CvqnError: the path cannot be written to or the disk is full; the message names the path.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CvqnError(f"{path}: no space left on the disk; free some and run again") from error
        if error.errno in UNWRITABLE:
            raise CvqnError(f"{path}: cannot write ({error.strerror})") from error
        raise
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def place(source: Path, target: Path) -> None:
    """Make `target` a link to the file `source`, or a copy where links do not work, with the time of now.

    What was there before is replaced at once.

    Raises:
        CvqnError: the path cannot be written to or the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.link(source, temporary)
    except OSError:
        with open(source, "rb") as old, atomic_write(target) as new:
            shutil.copyfileobj(old, new)
        return
    os.utime(temporary)
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # a rename between two links to one file leaves both


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
