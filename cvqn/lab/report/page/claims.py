"""The audit for the report page: claims in the paper's order, with their evidence and what made it."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvqn.errors import CvqnError
from cvqn.files import read_json, sha256_file
from cvqn.lab.provenance.snakemake_records import read_jobs
from cvqn.lab.report.audit.audit import FORMAT, at_other, describe, smallest
from cvqn.lab.report.audit.page import strip
from cvqn.lab.report.audit.verdicts import NOT_EVALUATED, NOT_MEASURABLE, NOT_MEASURED
from cvqn.lab.report.sources import Sources
from cvqn.lab.settings.configuration import Experiment
from cvqn.lab.settings.runs import PATTERN, Run

FOLDED = (NOT_EVALUATED, NOT_MEASURED, NOT_MEASURABLE)
"""Verdicts that say nothing about the paper; claims with these are folded away."""
ORDER = (
    "Abstract", "Section 1", "Section 2", "Figure 1", "Section 3.1", "Section 3.2", "Section 3.3", "Section 4.1",
    "Tables 1 and 2", "Table 1", "Table 2", "Section 4.2", "Figure 3", "Section 4.3", "Figure 4", "Section 5",
)  # fmt: skip
PLACES = {
    "Table 1": "table1",
    "Table 2": "table2",
    "Figure 1": "figure1",
    "Figure 3 left": "figure3-maps",
    "Figure 3": "figure3-curves",
    "Figure 4": "figure4",
    "equation (7)": "equation7",
}
"""The page's table or figure for each place in the paper."""
WORD = re.compile(r"[a-z][a-z0-9-]*")
RUN = re.compile(PATTERN)


@dataclass(frozen=True)
class File:
    """A file of evidence: path relative to the results, SHA-256 if it exists, and the command that made it if known."""

    path: str
    sha256: str | None
    command: str | None


def read_audit(root: Path) -> dict[str, Any] | None:
    """The scale's audit, or None if there is none yet.

    Raises:
        CvqnError: the file is damaged, or another version wrote it.
    """
    path = root / "audit.json"
    if not path.exists():
        return None
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CvqnError(f"{path}: another version of the code wrote it; write it again with cvqn audit")
    return found


def sections(audit: dict[str, Any], experiments: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Claims by the first place that each names, in the paper's order; those with a verdict come first.

    Each claim has the texts that the page shows and, in `about`, the experiments that it is about.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for claim in sorted(audit["claims"], key=lambda claim: claim["verdict"] in FOLDED):
        found.setdefault(claim["place"].split(",")[0].removesuffix(" left"), []).append(_shown(claim, experiments))
    rank = {place: number for number, place in enumerate(ORDER)}
    return dict(sorted(found.items(), key=lambda item: rank.get(item[0], len(rank))))


def files(audit: dict[str, Any], root: Path) -> dict[str, File]:
    """Every file that the audit names as evidence, by its path relative to the results."""
    named = {path for claim in audit["claims"] for path in claim["evidence"]}
    paths = {path: os.path.relpath(root / path) for path in sorted(named)}
    jobs = read_jobs(paths.values())
    return {
        path: File(
            path, sha256_file(place) if Path(place).is_file() else None, jobs[place].command if place in jobs else None
        )
        for path, place in paths.items()
    }


def experiments(sources: Sources) -> dict[str, str]:
    """A description of each experiment: codec, channels, groups of levels and order."""
    return {name: _words(one) for name, one in sources.configuration.experiments.items()}


def _shown(claim: dict[str, Any], experiments: Iterable[str]) -> dict[str, Any]:
    """A claim with the texts that the page shows."""
    runs = {Run.parse(run).experiment for path in claim["evidence"] for run in RUN.findall(path)}
    words = set(WORD.findall(" ".join(one["what"] for one in claim["measured"])))
    return claim | {
        "folded": claim["verdict"] in FOLDED,
        "measured": [one | {"words": describe(one), "strip": strip(one)} for one in claim["measured"]],
        "smallest": smallest(claim),
        "others": _others(claim),
        "about": [name for name in experiments if name in runs | words],
        "targets": [target for place, target in PLACES.items() if place in claim["place"].split(", ")],
    }


def _others(claim: dict[str, Any]) -> list[dict[str, Any]]:
    """The page's texts about the verdict at each other checkpoint."""
    return [
        other
        | {
            "measured": [one | {"words": describe(one)} for one in other["measured"]],
            "words": at_other(claim, other),
        }
        for other in claim["at_others"].values()
    ]


def _words(experiment: Experiment) -> str:
    model = experiment.model.plain()
    if not {"channels", "levels", "ratios", "importance"} <= model.keys():
        settings = {key: value for key, value in model.items() if isinstance(value, int | float)}
        return ", ".join([experiment.codec, *(f"{key} {value:g}" for key, value in settings.items())])
    levels = model["levels"]
    parts = [f"{model['channels']} channels"]
    if len(levels) == 1:
        parts.append(f"one group of {levels[0]} levels")
    else:
        shares = "/".join(f"{100 * ratio:g}" for ratio in model["ratios"])
        parts.append(f"groups of {', '.join(map(str, levels))} levels ({shares} % of the channels)")
    kinds = {
        "predefined": "a predefined order of channels",
        "se": "the order of channels learned by squeeze-and-excitation",
        "re": "the order of channels by reconstruction error",
    }
    kind = kinds.get(model["importance"]["kind"])
    return ", ".join([*parts, *([kind] if kind else [])])
