"""Reads the claims in cvqn/lab/report/paper.yaml."""

import math
from dataclasses import dataclass, field
from functools import cache

import yaml

from cvqn.lab.report.inputs import CLAIMS

NUMBERS = ("mean", "bpp_change")
"""Measures that compare one number with the one that the paper prints."""


@dataclass(frozen=True)
class Accepted:
    """How far a measured value may be from what the paper says, and why.

    Exactly one is set: `margin` (absolute) or `relative` (a share of the expected value) around a number, or the bound
    `above` or `at_least`.
    """

    name: str
    kind: str
    reason: str
    margin: float | None = None
    relative: float | None = None
    above: float | None = None
    at_least: float | None = None

    def ends(self, expected: float | None) -> tuple[float, float]:
        """The closed range of values that count as reproduced."""
        if self.above is not None:
            return math.nextafter(self.above, math.inf), math.inf
        if self.at_least is not None:
            return self.at_least, math.inf
        width = self.margin if self.margin is not None else self.relative * abs(expected)
        return expected - width, expected + width

    def __str__(self) -> str:
        if self.above is not None:
            return f"above {self.above:g}"
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        if self.relative is not None:
            return f"± {100 * self.relative:g} %"
        return f"± {self.margin:g}" if self.margin else "equal"


@dataclass(frozen=True)
class Claim:
    """One statement of the paper.

    `measure` names a function in one of the `ROOMS` of `cvqn.lab.report.audit.measures`, called with `arguments`. A
    claim without a measure says in `unmeasured` why.
    """

    id: str
    place: str
    text: str
    expected: object
    tolerance: Accepted | None = None
    measure: str | None = None
    arguments: dict = field(default_factory=dict)
    unmeasured: str | None = None


@cache
def paper() -> tuple[Claim, ...]:
    """Every claim, in the order of paper.yaml."""
    content = _content()
    tolerances = {
        name: Accepted(name, values["class"], **{key: value for key, value in values.items() if key != "class"})
        for name, values in content["tolerances"].items()
    }
    return tuple(_claim(entry, tolerances) for entry in content["claims"])


def neighbours(claim: Claim) -> dict[str, float]:
    """The values that a measurement must distinguish the claim from: the paper's others of its quantity and place.

    For a change against a baseline, no change is one of them. Empty for claims that are not about one number.
    """
    if claim.measure not in NUMBERS:
        return {}
    others = [
        one
        for one in paper()
        if one.place == claim.place and one.arguments.get("metric") == claim.arguments.get("metric")
    ]
    found = {one.id: float(one.expected) for one in others if one.measure == claim.measure}
    if claim.measure == "bpp_change":
        found["no change"] = 0.0
    return {name: value for name, value in found.items() if value != claim.expected}


def expected_number(claim_id: str) -> float | None:
    """The number that the paper gives for a claim, or None."""
    found = {claim.id: claim.expected for claim in paper()}.get(claim_id)
    return float(found) if isinstance(found, int | float) else None


def printed(experiment: str, metric: str) -> float | None:
    """The value of an experiment in Table 1, else Table 2, or None; `metric` is bpp, ms_ssim or psnr_db."""
    values = [expected_number(f"{table}.{experiment}.{metric.removesuffix('_db')}") for table in ("table1", "table2")]
    return next((value for value in values if value is not None), None)


def floor() -> float:
    """The MS-SSIM below which a network does not count as trained."""
    return float(_content()["trained"]["ms_ssim"])


@cache
def _content() -> dict:
    return dict(yaml.safe_load(CLAIMS.read_text(encoding="utf-8")))


def _claim(entry: dict, tolerances: dict[str, Accepted]) -> Claim:
    return Claim(
        id=entry["id"],
        place=entry["place"],
        text=entry["claim"],
        expected=entry["expected"],
        tolerance=tolerances[entry["tolerance"]] if "tolerance" in entry else None,
        measure=entry.get("measure"),
        arguments=entry.get("with", {}),
        unmeasured=entry.get("unmeasured"),
    )
