"""Findings of the checks of a record."""

import csv
import tarfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cvqn.errors import CvqnError

DIFFERS, AGREES, IN_PART, ATTESTED, NOT_CHECKED = "DIFFERS", "agrees", "in part", "attested", "not checked"
VERDICTS = (DIFFERS, AGREES, IN_PART, ATTESTED, NOT_CHECKED)
"""If there are several checks about a file, the first of these verdicts counts."""

DAMAGED = (CvqnError, KeyError, ValueError, OSError, csv.Error, tarfile.TarError, RecursionError)
"""Exceptions that reading a damaged file can raise."""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        what: what was checked, and how.
        files: the recorded files that the check is about.
        differences: every difference from the record, in words; empty if there is none.
        unless: the verdict if there is no difference.
        reason: why that verdict is not `AGREES`.
    """

    what: str
    files: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    unless: str = AGREES
    reason: str = ""

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        return DIFFERS if self.differences else self.unless


def verdicts(checks: Iterable[Check], files: Iterable[str]) -> dict[str, str]:
    """The verdict on each of these files; a file without a check is not checked."""
    found = dict.fromkeys(files, NOT_CHECKED)
    for check in checks:
        for file in check.files:
            found[file] = min(found.get(file, NOT_CHECKED), check.verdict, key=VERDICTS.index)
    return found


def summary(verdicts: dict[str, str]) -> str:
    """How many files have each verdict, in words."""
    counts = Counter(verdicts.values())
    words = {
        DIFFERS: "differ",
        AGREES: "made again and equal",
        IN_PART: "made again in part and equal",
        ATTESTED: "attested by their own record alone",
        NOT_CHECKED: "not made again",
    }
    return ", ".join(f"{counts[verdict]} {words[verdict]}" for verdict in VERDICTS if counts[verdict])


def said(error: Exception) -> str:
    """An exception of DAMAGED in words."""
    return str(error) if isinstance(error, CvqnError) else f"damaged: {type(error).__name__} {error}"
