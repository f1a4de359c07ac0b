"""The audit of one scale: each claim judged, as JSON, Markdown and one self-contained HTML page."""

import json
import math
import os
from collections import Counter
from pathlib import Path

from cvqn.files import atomic_write
from cvqn.lab.report.audit.claims import Claim, neighbours, paper
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.itself import as_json, paper_against_itself
from cvqn.lab.report.audit.measures import BY_CHECKPOINT, WHERE_IT_HOLDS, measure
from cvqn.lab.report.audit.page import render
from cvqn.lab.report.audit.trained import differences, untrained
from cvqn.lab.report.audit.verdicts import (
    INCONCLUSIVE,
    JUDGED,
    NOT_EVALUATED,
    NOT_MEASURABLE,
    NOT_MEASURED,
    NOT_REPRODUCED,
    REPRODUCED,
    SETTING_USED,
    VERDICTS,
    Finding,
    Measured,
    NotMeasured,
    combine,
    judge,
    power,
)
from cvqn.lab.report.output import markdown_table
from cvqn.lab.settings.paths import is_in_git
from cvqn.lab.settings.runs import Checkpoint

FORMAT = 4
WHERE = {"last": "at the last checkpoint", "held-out": "at the checkpoint selected on held-out images"}
ITSELF = (
    "Statements of the paper, and the result of one public retraining, checked against the paper's printed numbers, "
    "the points of its Figure 3 and other published curves. This needs no training and is the same at every scale. "
    "Each line can be recomputed from the files that it names."
)
"""The introduction to the section on the paper itself, in every form of the audit."""


def audit(evidence: Evidence) -> dict:
    """Every claim of the paper with what was measured and its verdict, ready for JSON."""
    claims = [_entry(claim, evidence) for claim in paper()]
    counts = Counter(entry["verdict"] for entry in claims)
    return {
        "format": FORMAT,
        "scale": evidence.scale,
        "itself": as_json(paper_against_itself()),
        "demonstration": bool(counts[NOT_EVALUATED]) and not any(counts[verdict] for verdict in JUDGED),
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "claims": claims,
    }


def write_audit(result: dict, path: str | Path) -> None:
    """Write the audit as `path` with the suffixes .json, .md and .html; paths of evidence are relative to its folder.

    The HTML page links only the files that a clone has.
    """
    path = Path(path)
    statements = [
        {**one, "evidence": [{**row, "path": os.path.relpath(row["path"], path.parent)} for row in one["evidence"]]}
        for one in result["itself"]["statements"]
    ]
    linked = {
        **result,
        "itself": {**result["itself"], "statements": statements},
        "claims": [{**claim, "evidence": _relative(claim["evidence"], path.parent)} for claim in result["claims"]],
    }
    files = {file for claim in result["claims"] for file in claim["evidence"] if is_in_git(file)}
    words = {word.__name__: word for word in (describe, smallest, at_other, demonstration, right)}
    links = _relative(sorted(files), path.parent)
    page = render(linked, _by_place(linked["claims"]), links, **words, itself=lambda: ITSELF)
    for ending, text in ((".json", json.dumps(linked, indent=1) + "\n"), (".md", _markdown(linked)), (".html", page)):
        with atomic_write(path.with_suffix(ending), "w") as file:
            file.write(text)


def _entry(claim: Claim, evidence: Evidence) -> dict:
    """A claim with what was measured; it is judged only if the trainings that it is about are the paper's."""
    tolerance = claim.tolerance
    entry = {
        "id": claim.id,
        "place": claim.place,
        "claim": claim.text,
        "expected": claim.expected if isinstance(claim.expected, str | int | float) else json.dumps(claim.expected),
        "tolerance": None
        if tolerance is None
        else {"class": tolerance.kind, "accepts": str(tolerance), "reason": tolerance.reason},
        "measured": [],
        "note": "",
        "evidence": [],
        "verdict": NOT_EVALUATED,
        "at_others": {},
        "power": None,
        "reason": "",
    }
    if claim.measure is None:
        return entry | {"verdict": NOT_MEASURABLE, "reason": claim.unmeasured}
    try:
        found = measure(claim, evidence)
    except NotMeasured as missing:
        return entry | {"verdict": NOT_MEASURED, "reason": str(missing)}
    kind = WHERE_IT_HOLDS.get(claim.measure)
    differing = [] if kind else differences(evidence, found.experiments)
    accepted, alike, verdicts = _judged(claim, found)
    verdicts = [None if differing else verdict for verdict in verdicts]
    entry |= {
        "measured": [_measured(*three) for three in zip(found.values, accepted, verdicts, strict=True)],
        "note": found.note,
        "evidence": list(found.files),
    }
    if differing:
        return entry | {"reason": "; ".join(differing)}
    verdict, reason = _verdict(found, verdicts, kind, evidence)
    if alike and verdict == INCONCLUSIVE:
        reason = f"the accepted range also holds {alike}, so a value in it does not show that this one is reproduced"
    able = None if kind else power(found.values, accepted, alike=bool(alike))
    return entry | {
        "verdict": verdict,
        "at_others": _at_others(claim, found, evidence),
        "power": None if able is None else {"could_hold": able.holds, "could_fail": able.fails, "words": str(able)},
        "reason": reason,
    }


def _judged(claim: Claim, found: Finding) -> tuple[list[tuple[float, float]], str, list[str]]:
    """The accepted range of each value, the paper's other values that it also holds (in words), and each verdict."""
    accepted = [claim.tolerance.ends(_number(one.expected, claim.expected)) for one in found.values]
    others = neighbours(claim).items()
    alike = ", ".join(
        f"{value:g} ({name})" for name, value in others if any(low <= value <= high for low, high in accepted)
    )
    verdicts = [judge(one.interval, ends) for one, ends in zip(found.values, accepted, strict=True)]
    return accepted, alike, [INCONCLUSIVE if alike and one == REPRODUCED else one for one in verdicts]


def _verdict(found: Finding, verdicts: list[str], kind: str | None, evidence: Evidence) -> tuple[str, str]:
    """The verdict of a claim, and the reason if it does not follow from the verdicts of its values alone."""
    verdict = combine(verdicts)
    if kind == SETTING_USED and verdict != REPRODUCED:
        return NOT_EVALUATED, "this scale uses another setting"
    if verdict == REPRODUCED and kind is None and (without := untrained(evidence, found.experiments)):
        return NOT_REPRODUCED, "; ".join(without)
    return (kind, "") if kind and verdict == REPRODUCED else (verdict, "")


def _at_others(claim: Claim, found: Finding, evidence: Evidence) -> dict[str, dict]:
    """Measurements and verdict at each other checkpoint that was measured, if the verdict depends on the checkpoint."""
    return {
        checkpoint: {"where": WHERE[checkpoint], **_at(claim, other)}
        for checkpoint, other in evidence.at_others.items()
        if claim.measure in BY_CHECKPOINT and _is_other(checkpoint, found, evidence)
    }


def _is_other(checkpoint: Checkpoint, found: Finding, evidence: Evidence) -> bool:
    """Whether an experiment of a finding was judged at another checkpoint, but has this one for the same seeds."""
    judged = [one for name in found.experiments if (one := evidence.of(name)) is not None]
    there = [evidence.measured.get(one.name, checkpoint) for one in judged if one.checkpoint != checkpoint]
    seeds = {one.name: one.seeds for one in judged}
    return any(one is not None and one.seeds == seeds[one.name] for one in there)


def _at(claim: Claim, evidence: Evidence) -> dict:
    try:
        found = measure(claim, evidence)
    except NotMeasured as missing:
        return {"verdict": NOT_MEASURED, "measured": [], "reason": str(missing)}
    accepted, _, verdicts = _judged(claim, found)
    verdict, reason = _verdict(found, verdicts, None, evidence)
    measured = [_measured(*three) for three in zip(found.values, accepted, verdicts, strict=True)]
    return {"verdict": verdict, "measured": measured, "reason": reason}


def _measured(one: Measured, accepted: tuple[float, float], verdict: str | None) -> dict:
    interval = one.interval
    known = interval.low == interval.high or math.isfinite(interval.resolution)
    return {
        "what": one.what,
        "value": _finite(interval.estimate),
        "low": _finite(interval.low),
        "high": _finite(interval.high),
        "unit": one.unit,
        "expected": one.expected,
        "if_right": None if one.if_right is None else [_finite(value) for value in one.if_right],
        "accepted": [_finite(end) for end in accepted],
        "resolution": one.resolution,
        "spread": "exact" if interval.low == interval.high else ("95 % interval" if known else "unknown: few seeds"),
        "verdict": verdict,
    }


def _number(*candidates: object) -> float | None:
    """The first candidate that is a number, or None."""
    return next((float(value) for value in candidates if isinstance(value, int | float)), None)


def _finite(value: float) -> float | None:
    return float(f"{value:.9g}") if math.isfinite(value) else None


def _relative(paths: list[str], folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in paths]


def _by_place(claims: list[dict]) -> dict[str, list[dict]]:
    """The claims by the first place that each names, in the order of paper.yaml."""
    places: dict[str, list[dict]] = {}
    for claim in claims:
        places.setdefault(claim["place"].split(",")[0].removesuffix(" left"), []).append(claim)
    return places


def describe(measured: dict) -> str:
    """One measured value in words: estimate, interval, unit."""
    value = "undefined" if measured["value"] is None else f"{measured['value']:.5g}"
    unit = f" {measured['unit']}" if measured["unit"] else ""
    if measured["spread"] == "exact":
        return f"{value}{unit}"
    if measured["resolution"] is None:
        return f"{value}{unit} (few seeds)"
    return f"{value}{unit} [{measured['low']:.5g}, {measured['high']:.5g}]"


def _markdown(result: dict) -> str:
    lines = [f"# Audit, scale {result['scale']}", "", *_itself(result["itself"]), "## Measured here", ""]
    if result["demonstration"]:
        lines += [f"{demonstration(result)}", ""]
    lines += [f"- {verdict}: {count}" for verdict, count in result["counts"].items()]
    for place, claims in _by_place(result["claims"]).items():
        rows = [
            {
                "claim": f"`{claim['id']}` {claim['claim']}",
                "expected": claim["expected"],
                "measured": "; ".join(f"{one['what']}: {describe(one)}" for one in claim["measured"])
                or f"not measured: {claim['reason']}",
                "accepted": claim["tolerance"]["accepts"] if claim["tolerance"] else "",
                "power": claim["power"]["words"] if claim["power"] else "",
                "verdict": f"**{claim['verdict']}**"
                + (f" (smallest resolvable difference: {smallest(claim)})" if claim["verdict"] == INCONCLUSIVE else "")
                + "".join(f"; {at_other(claim, other)}" for other in claim["at_others"].values()),
            }
            for claim in claims
        ]
        lines += ["", f"## {place}", "", markdown_table(rows)]
    lines += ["", "Reasons of tolerances and the files behind each number: audit.html and audit.json.", ""]
    return "\n".join(lines)


def _itself(found: dict) -> list[str]:
    """The section that checks the paper against itself, each statement with its arithmetic."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found["counts"].items())
    lines = ["## The paper against itself", "", f"{ITSELF} {counts}.", ""]
    for one in found["statements"]:
        files = "; ".join(f"`{row['path']}`: {row['rows']}" for row in one["evidence"])
        lines += [f"### {one['statement']}: **{one['verdict']}**", "", f"`{one['id']}`, {one['place']}", ""]
        lines += [f"- {line}" for line in one["arithmetic"]] + ([f"- from {files}"] if files else []) + [""]
    return lines


def demonstration(result: dict) -> str:
    """The notice for a scale none of whose trainings is the paper's."""
    return (
        f"Scale {result['scale']}: a demonstration, not a reproduction. None of its trainings is the paper's, so "
        "measurements are shown but not judged. Identities and settings used are counted as such."
    )


def right(measured: dict) -> dict:
    """A measured value with the paper's own number in place of ours."""
    return measured | dict(zip(("value", "low", "high"), measured["if_right"], strict=True))


def at_other(claim: dict, other: dict) -> str:
    """How the verdict at another checkpoint compares with that of the claim."""
    same = other["verdict"] == claim["verdict"]
    return f"the same {other['where']}" if same else f"differs {other['where']}: {other['verdict']}"


def smallest(claim: dict) -> str:
    """The smallest differences that could be resolved, of the values that are inconclusive."""
    open_ones = [one for one in claim["measured"] if one["verdict"] == INCONCLUSIVE]
    words = [
        f"{one['resolution']:.2g} {one['unit']}".strip() if one["resolution"] else "unknown (few seeds)"
        for one in open_ones
    ]
    return ", ".join(dict.fromkeys(words))
