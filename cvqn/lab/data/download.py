"""Downloads one file by HTTP, with resumption and retries; it gets its name only once its checksum is verified."""

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
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry; after progress, the first again
CHUNK = 1 << 20
GONE = (400, 401, 403, 404, 410, 451)  # HTTP codes that a retry would not change
NO_REST = 416  # HTTP code for a range beyond the end of the file
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Pin:
    """The expected size of a file, if known, and its checksum by `algorithm` (sha256, md5, or git for a blob's id)."""

    algorithm: str
    digest: str
    bytes: int | None = None

    def mismatch(self, path: Path) -> str | None:
        """How a file differs from the pinned one, in words; None if it does not."""
        found = path.stat().st_size
        if self.bytes is not None and found != self.bytes:
            return f"{found} bytes, expected {self.bytes}"
        digest = file_digest(path, self.algorithm)
        return None if digest == self.digest else f"{self.algorithm} is {digest}, expected {self.digest}"


class Unreachable(CvqnError):
    """The file could not be downloaded from its URL."""


def file_digest(path: Path, algorithm: str) -> str:
    """A file's checksum in hexadecimal; `git` is the id of a Git blob, SHA-1 over a header and the content."""
    with open(path, "rb") as file:
        if algorithm != "git":
            return hashlib.file_digest(file, algorithm).hexdigest()
        header = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
        return hashlib.file_digest(file, lambda: header).hexdigest()


def download(url: str, target: Path, pin: Pin, headers: dict[str, str] | None = None) -> Path:
    """Download `url` to `target`, resuming from `target.part` if an earlier call left one.

    Raises:
        Unreachable: there is no connection, or the server has no such file.
        DiskFullError: the disk is full, or the file cannot be written.
        CvqnError: the server has another file than the pinned one.
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
        if ended:  # an earlier call may have left a part of another file: try once from the start
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
    """Make one request; append the answer to `part` if the server sends the rest, else replace `part` by it."""
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
