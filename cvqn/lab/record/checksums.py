"""The checksums of everything that belongs to a record, in two levels.

`SHA256SUMS`, in the format of sha256sum, lists every committed file of the recorded scales (results and their record),
dvc.lock, the built-in models and the figures of docs. Each record.json among these lists
the files of its scale that DVC holds. So the commit that holds SHA256SUMS fixes every byte.
"""

import subprocess
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, sha256_file
from cvqn.lab.record import dvc_stage
from cvqn.lab.record.commands import git
from cvqn.lab.record.differences import places
from cvqn.lab.record.recorded import RESULTS

LIST = Path("SHA256SUMS")
COVERED = ("dvc.lock", "cvqn/models", "docs/figures/*.png")
"""Paths in the list, besides the results of recorded scales."""


def write_checksums() -> None:
    """Write the list of the files that git tracks or would track, in the current folder.

    Raises:
        CvqnError: the current folder is not in a clone.
    """
    paths = _covered("--cached", "--others", "--exclude-standard")
    lines = [f"{sha256_file(path)}  {path}\n" for path in paths if Path(path).is_file()]
    with atomic_write(LIST, "w") as file:
        file.writelines(lines)


def read_checksums() -> dict[str, str]:
    """SHA-256 by path, from the list.

    Raises:
        CvqnError: the list is missing, or a line of it is invalid.
    """
    try:
        lines = LIST.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CvqnError(f"{LIST}: cannot be read ({error}); get it again with git checkout") from error
    pairs = [line.partition("  ") for line in lines]
    for number, (checksum, _, path) in enumerate(pairs, start=1):
        if len(checksum) != 64 or not path:
            raise CvqnError(f"{LIST}, line {number}: not a checksum and a path; get it again with git checkout")
    return {path: checksum for checksum, _, path in pairs}


def not_listed(listed: dict[str, str]) -> list[str]:
    """Committed files that are missing from the list."""
    return [path for path in _covered("--cached") if path not in listed]


def changed_list() -> list[str]:
    """How the list differs from the committed one, or that none is committed."""
    original = committed(LIST.as_posix())
    if original is None:
        return ["not committed, so nothing vouches for it"]
    here = LIST.read_bytes() if LIST.exists() else b""
    return [] if here == original else places(original, here, LIST.suffix)


def changed(path: str, checksum: str) -> str:
    """How a file differs from the one with this checksum; empty if it does not.

    The places are named if git's last commit or DVC has the original.
    """
    try:
        if sha256_file(path) == checksum:
            return ""
    except OSError as error:
        return f"missing ({error.strerror})"
    original = committed(path)
    if original is None:
        return "another SHA-256 than the recorded one"
    return "; ".join(places(original, Path(path).read_bytes(), Path(path).suffix)) or "another one was committed"


def committed(path: str) -> bytes | None:
    """A file as in the last commit, from git or from DVC's cache or remote; None if neither has it."""
    run = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, check=False)
    return run.stdout if run.returncode == 0 else dvc_stage.cached(path)


def _covered(*which: str) -> list[str]:
    scales = [path.parents[1].as_posix() for path in RESULTS.glob("*/record/record.json")]
    return sorted(git("ls-files", *which, "--", *COVERED, *scales).splitlines())
