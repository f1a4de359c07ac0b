"""What a check of a record found."""

import csv
import tarfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cvqn.errors import CvqnError

DIFFERS, AGREES, IN_PART, ATTESTED, NOT_CHECKED = "DIFFERS", "agrees", "in part", "attested", "not checked"
VERDICTS = (DIFFERS, AGREES, IN_PART, ATTESTED, NOT_CHECKED)
"""Of several findings about one file the first of these counts."""

DAMAGED = (CvqnError, KeyError, ValueError, OSError, csv.Error, tarfile.TarError, RecursionError)
"""What reading a damaged file raises."""


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        what: what was compared with what.
        files: the recorded files that it speaks of.
        differences: every way in which it differs from the record, nothing when it agrees.
        unless: the verdict where nothing differs.
        reason: why it is not `AGREES`.
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


def verdicts(findings: Iterable[Finding], files: Iterable[str]) -> dict[str, str]:
    """The verdict on each of some files; those that no finding speaks of are not checked."""
    found = dict.fromkeys(files, NOT_CHECKED)
    for finding in findings:
        for file in finding.files:
            found[file] = min(found.get(file, NOT_CHECKED), finding.verdict, key=VERDICTS.index)
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
    """One of DAMAGED in words."""
    return str(error) if isinstance(error, CvqnError) else f"damaged: {type(error).__name__} {error}"
