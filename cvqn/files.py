"""Files written whole or not at all, and strict reading of JSON."""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from cvqn.errors import CvqnError, DiskFullError

UNWRITABLE = {
    errno.EACCES, errno.EBADF, errno.EBUSY, errno.EEXIST, errno.EFBIG, errno.EILSEQ, errno.EIO,
    errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENODEV, errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.EPERM,
    errno.EPIPE, errno.EROFS, errno.ETXTBSY,
}  # fmt: skip
FULL = {errno.ENOSPC, errno.EDQUOT}
_MOST_LINKS = 40  # as the kernel


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file beside `path`; on success flush it to disk and rename it to `path`.

    After any exception, including one raised by a signal, `path` is unchanged and the temporary file is gone. A
    symbolic link is kept and its target replaced. The new file takes the mode and, if permitted, the owner of the old
    one. A pipe, a device or /dev/stdout is not replaced; everything is written to it at the end.

    Raises:
        DiskFullError: the disk is full; the message names the path.
        CvqnError: the path cannot be written to; the message names the path.
        ValueError: `mode` is neither wb nor w.
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"mode {mode!r}: files are written whole, as wb or w")
    inside = False
    try:
        target = _follow(Path(path))
        writing = _through if is_stream(path) else _replacing
        with writing(target, mode) as file:
            inside = True
            yield file
    except OSError as error:
        if inside and error.filename is not None:
            raise  # about another file, which the caller used in between
        if error.errno in FULL:
            raise DiskFullError(f"{path}: no space left on the disk; free some and run again") from error
        if error.errno in UNWRITABLE:
            raise CvqnError(f"{path}: cannot write ({error.strerror})") from error
        raise


def is_stream(path: str | Path) -> bool:
    """Whether a path leads to a pipe, a device or an open file of this process, none of which can be replaced."""
    if isinstance(_follow(Path(path)), int):
        return True
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def scan_folder(folder: str | Path, suffixes: Collection[str]) -> tuple[list[Path], dict[str, str]]:
    """The files directly in a folder that have one of `suffixes`, sorted by name, and why the others are left out.

    Args:
        suffixes: in lower case; files may have them in any case.

    Returns:
        The files, and for each other name in the folder the reason why it is left out.

    Raises:
        CvqnError: `folder` is not a folder or cannot be read.
    """
    folder = Path(folder)
    paths, left_out = [], {}
    try:
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                left_out[path.name] = "a folder"
            elif path.suffix.lower() not in suffixes:
                left_out[path.name] = "another suffix"
            elif path.name.startswith("._"):
                left_out[path.name] = "a macOS metadata file"
            elif not path.is_file():
                left_out[path.name] = "not a regular file"
            else:
                paths.append(path)
    except NotADirectoryError as error:
        raise CvqnError(f"{folder}: not a folder; name one") from error
    except OSError as error:
        raise CvqnError(f"{folder}: cannot be read ({error.strerror})") from error
    return paths, left_out


def place(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy where links do not work, with the current time.

    An existing `target` is replaced atomically.

    Raises:
        CvqnError: the path cannot be written to, or the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.link(source, temporary)
        os.utime(temporary)
        os.replace(temporary, target)
    except OSError:
        with open(source, "rb") as old, atomic_write(target) as new:
            shutil.copyfileobj(old, new)
    finally:
        temporary.unlink(missing_ok=True)  # renaming one link over another to the same file leaves both


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        CvqnError: the file cannot be read or is not JSON, a key appears twice, or a number is not finite.
    """
    try:
        return parse_json(path.read_bytes(), str(path))
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error


def parse_json(text: bytes, name: str) -> Any:
    """Like `read_json`, for the bytes of a file; errors call it by `name`."""
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise CvqnError(f"{name}: not valid JSON ({error})") from error


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} appears twice")
    return content


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _follow(path: Path) -> Path | int:
    """Where symbolic links finally lead: a path, or the descriptor of a file that this process has open."""
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if path.name.isdecimal() and re.fullmatch(rf"/dev/fd|/proc/{os.getpid()}/(task/\d+/)?fd", folder):
            return int(path.name)
        if not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


@contextlib.contextmanager
def _replacing(target: Path, mode: str) -> Iterator[IO]:
    before = None
    with contextlib.suppress(FileNotFoundError):
        before = os.stat(target)
        if stat.S_ISDIR(before.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    # Named before it is created, so that a signal in between leaves nothing behind. The name is cut to leave room for
    # the suffix where the target's is long.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600 if before else 0o666), mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if before:
                _take_over(file.fileno(), before)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Give a file the owner and mode of the one that it replaces, as far as the system permits."""
    with contextlib.suppress(OSError):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, before.st_mode & 0o777)


@contextlib.contextmanager
def _through(target: Path | int, mode: str) -> Iterator[IO]:
    memory = io.BytesIO()
    file = memory if "b" in mode else io.TextIOWrapper(memory, encoding="utf-8", newline="")
    yield file
    file.flush()
    with open(os.dup(target) if isinstance(target, int) else target, "wb") as stream:
        stream.write(memory.getbuffer())
