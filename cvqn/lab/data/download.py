"""Getting one file: from a mirror folder, or by HTTP with resumption and retries; verified before it has its name."""

import errno
import hashlib
import http.client
import os
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from cvqn import __version__
from cvqn.errors import CvqnError, DiskFullError

TIMEOUT = 30.0  # seconds without a byte
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry; a transfer that advances starts over with the first
CHUNK = 1 << 20
GONE = (400, 401, 403, 404, 410, 451)  # answers that another try does not change
NO_REST = 416  # answer to a request for what lies beyond the end
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Pin:
    """What a file must be: its size where known, and its checksum by `algorithm` (sha256, md5 or git, a blob's id)."""

    algorithm: str
    digest: str
    bytes: int | None = None

    def mismatch(self, path: Path) -> str | None:
        """What is wrong with a file, as expected and found; None if it is the pinned one."""
        found = path.stat().st_size
        if self.bytes is not None and found != self.bytes:
            return f"{found} bytes, expected {self.bytes}"
        digest = file_digest(path, self.algorithm)
        return None if digest == self.digest else f"{self.algorithm} is {digest}, expected {self.digest}"


class Unreachable(CvqnError):
    """The file could not be got from its URL."""


def file_digest(path: Path, algorithm: str) -> str:
    """A file's checksum in hexadecimal; `git` is the id of a Git blob, SHA-1 over a header and the content."""
    with open(path, "rb") as file:
        if algorithm != "git":
            return hashlib.file_digest(file, algorithm).hexdigest()
        header = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
        return hashlib.file_digest(file, lambda: header).hexdigest()


def download(url: str, target: Path, pin: Pin, headers: dict[str, str] | None = None) -> Path:
    """Get `url` into `target`, going on from `target.part` if an earlier call left one.

    Raises:
        Unreachable: no connection, or the server has no such file.
        CvqnError: the file is not the pinned one, or the disk is full.
    """
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise DiskFullError(f"{part}: cannot write ({error.strerror})") from error
    clean, ended, failures = part.stat().st_size == 0, False, 0
    while wrong := pin.mismatch(part):
        if ended and clean:
            part.unlink()
            raise CvqnError(f"{target.name} from {url}: {wrong}; the server holds another file")
        if ended:  # what an earlier call left may have been of another file: once from the start
            os.truncate(part, 0)
            clean = True
        start, ended = part.stat().st_size, False
        try:
            _request(url, part, start, pin, headers or {})
            ended = True
        except (OSError, http.client.HTTPException) as error:
            code = getattr(error, "code", None)
            if getattr(error, "errno", None) in FULL:
                raise DiskFullError(f"{part}: cannot write ({error.strerror}); make room and run again") from error
            ended = code == NO_REST
            failures = 0 if part.stat().st_size > start else failures + 1
            if failures > len(WAITS) or code in GONE:
                raise Unreachable(str(error) or type(error).__name__) from error
            time.sleep(WAITS[max(failures, 1) - 1])
    os.replace(part, target)
    return target


def _request(url: str, part: Path, start: int, pin: Pin, headers: dict[str, str]) -> None:
    """One request; its answer goes behind what is there if the server agrees to send the rest, else in its place."""
    headers = {"User-Agent": f"cvqn/{__version__}", "Accept-Encoding": "identity", **headers}
    if start:
        headers["Range"] = f"bytes={start}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
        place = response.headers.get("Content-Range", "")
        if response.status == 206 and not place.startswith(f"bytes {start}-"):
            raise http.client.HTTPException(f"the server sent {place}")
        start = start if response.status == 206 else 0
        total = pin.bytes if response.length is None else start + response.length
        if pin.bytes not in (None, total):
            raise CvqnError(f"{url}: the server has {total} bytes, expected {pin.bytes}; it holds another file")
        bar = tqdm(desc=part.stem, total=total, initial=start, unit="B", unit_scale=True, leave=False, disable=None)
        with bar, open(part, "r+b") as file:
            file.truncate(start)
            file.seek(start)
            while (data := response.read(CHUNK)) and (total is None or file.tell() <= total):
                bar.update(file.write(data))
            received = file.tell()
    if total not in (None, received):
        raise http.client.HTTPException(f"the connection ended after {received} of {total} bytes")
