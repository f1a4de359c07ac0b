"""Getting one file: from a mirror folder, or by HTTP with resumption and retries; verified before it has its name."""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from cvqn import __version__
from cvqn.errors import CvqnError

TIMEOUT = 30.0  # seconds without a byte
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry; a transfer that advances starts over with the first
CHUNK = 1 << 20
GONE = (400, 401, 403, 404, 410, 451)  # answers that another try does not change


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
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
        while data := file.read(CHUNK):
            digest.update(data)
        return digest.hexdigest()


def mirror() -> Path | None:
    """The folder that the environment variable CVQN_MIRROR names, None when it is not set.

    Raises:
        CvqnError: it names no folder.
    """
    value = os.environ.get("CVQN_MIRROR")
    if not value:
        return None
    if not Path(value).is_dir():
        raise CvqnError(f"CVQN_MIRROR={value}: not a folder; name one that holds the sets, or unset it")
    return Path(value)


def download(url: str, target: Path, pin: Pin, headers: dict[str, str] | None = None) -> Path:
    """Get `url` into `target`, going on from `target.part` if an earlier call left one.

    A file that lies at `target` already, put there by hand or by an earlier call, is verified and used.

    Raises:
        Unreachable: no connection, or the server has no such file.
        CvqnError: the file is not the pinned one, or the disk is full.
    """
    if target.exists():
        if wrong := pin.mismatch(target):
            raise CvqnError(f"{target}: {wrong}; remove it and run again")
        return target
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.open("ab").close()
    except OSError as error:
        raise CvqnError(f"{part}: cannot write ({error.strerror})") from error
    while True:
        resumed = part.stat().st_size > 0
        _transfer(url, part, pin, headers or {})
        wrong = pin.mismatch(part)
        if not wrong:
            os.replace(part, target)
            return target
        os.truncate(part, 0)
        if not resumed:  # a resumed one may have begun as another file: once from the start
            part.unlink()
            raise CvqnError(f"{target.name} from {url}: {wrong}; the server holds another file")


def _transfer(url: str, part: Path, pin: Pin, headers: dict[str, str]) -> None:
    """Fill `part`, trying again after failures that may pass."""
    failures = 0
    bar = tqdm(
        desc=part.name.removesuffix(".part"), total=pin.bytes, unit="B", unit_scale=True, leave=False, disable=None
    )
    with bar:
        while True:
            before = part.stat().st_size
            if before == pin.bytes:
                return
            try:
                _attempt(url, part, pin, headers, bar)
                return
            except urllib.error.HTTPError as error:
                reason, wait = f"HTTP {error.code} {error.reason}", _retry_after(error)
                if error.code in GONE:
                    raise Unreachable(reason) from error
                if error.code == 416:  # there is no rest to send: all is here, or it is of another file
                    if not pin.mismatch(part):
                        return
                    os.truncate(part, 0)
            except (OSError, http.client.HTTPException) as error:
                reason, wait = str(getattr(error, "reason", error)) or type(error).__name__, 0.0
            if part.stat().st_size > before:
                failures = 0
            if failures == len(WAITS):
                raise Unreachable(reason)
            time.sleep(max(wait, WAITS[failures]))
            failures += 1


def _attempt(url: str, part: Path, pin: Pin, headers: dict[str, str], bar: tqdm) -> None:
    """One request, appended to what is there if the server agrees to send the rest."""
    start = part.stat().st_size
    headers = {"User-Agent": f"cvqn/{__version__}", "Accept-Encoding": "identity", **headers}
    if start:
        headers["Range"] = f"bytes={start}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
        resumes = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if response.status == 206 and not resumes:
            raise http.client.HTTPException(f"the server sent {response.headers.get('Content-Range')}")
        start = start if resumes else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else pin.bytes
        if pin.bytes is not None and total != pin.bytes:
            raise CvqnError(f"{url}: the server has {total} bytes, expected {pin.bytes}; it holds another file")
        bar.total, bar.n = total, start
        with open(part, "ab" if resumes else "wb") as file:
            received = start + _copy(response, file.write, None if total is None else total - start, bar)
    if total is not None and received != total:
        raise http.client.HTTPException(f"the connection ended after {received} of {total} bytes")


def _copy(response: http.client.HTTPResponse, write: Callable[[bytes], object], most: int | None, bar: tqdm) -> int:
    received = 0
    while data := response.read(CHUNK if most is None else min(CHUNK, most - received)):
        try:
            write(data)
        except OSError as error:
            raise CvqnError(f"cannot write the download ({error.strerror}); make room and run again") from error
        received += len(data)
        bar.update(len(data))
    return received


def _retry_after(error: urllib.error.HTTPError) -> float:
    value = error.headers.get("Retry-After", "")
    return min(float(value), 60.0) if value.isdigit() else 0.0
