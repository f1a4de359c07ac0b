"""Runs git, DVC and Snakemake as child processes; a failure becomes an error of one line."""

import shlex
import subprocess
import sys
from collections.abc import Sequence

from cvqn.errors import CvqnError

OFFERS = ("Having any troubles?", "<https://error.dvc.org")


def git(*arguments: str) -> str:
    """The output of a git command.

    Raises:
        CvqnError: the command failed; the message has git's last line.
    """
    return _run(["git", *arguments], "git")


def dvc(*arguments: str) -> str:
    """The output of a DVC command.

    Raises:
        CvqnError: the command failed; the message is DVC's from its first error on, without its offers of help.
    """
    return _run([sys.executable, "-m", "dvc", *arguments], "dvc")


def snakemake(*arguments: str) -> str:
    """The output of a Snakemake command, from both streams.

    Raises:
        CvqnError: the command failed; the message has its last line.
    """
    return _run([sys.executable, "-m", "snakemake", "--nocolor", *arguments], "snakemake")


def _run(command: Sequence[str], name: str) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CvqnError(f"{name}: cannot be run ({error.strerror}); install it") from error
    if run.returncode:
        said = [line.strip() for line in (run.stdout + run.stderr).splitlines() if line.strip()]
        said = [line for line in said if not line.startswith(OFFERS)]
        first = next((number for number, line in enumerate(said) if line.startswith("ERROR")), len(said) - 1)
        reason = " ".join(said[first:]).removeprefix("ERROR: ") or f"exit code {run.returncode}"
        arguments = shlex.join(command[command.index(name) + 1 :])
        raise CvqnError(f"{name} {arguments}: {reason}")
    return run.stdout + (run.stderr if name == "snakemake" else "")
