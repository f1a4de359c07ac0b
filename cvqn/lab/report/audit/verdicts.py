"""From measured intervals to a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cvqn.lab.evaluation.statistics import Interval

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
INCONCLUSIVE = "inconclusive"
IDENTITY = "identity"  # true by definition, at every scale
SETTING_USED = "setting used"  # read back from the configuration or the record of a training
NOT_EVALUATED = "not evaluated at this scale"
NOT_MEASURED = "not measured"  # what it needs was not run
NOT_MEASURABLE = "not measurable"
JUDGED = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE)
VERDICTS = (*JUDGED, IDENTITY, SETTING_USED, NOT_EVALUATED, NOT_MEASURED, NOT_MEASURABLE)


class NotMeasured(Exception):
    """A claim's measurement is not there; the message says what is missing."""


@dataclass(frozen=True)
class Measured:
    """One measured value of a claim, with the interval in which it is known to lie, in `unit`.

    `expected` is the number to compare with, where the claim has several. `if_right` is the interval that the paper's
    own numbers would give with the same spread, where the paper gives them; `if_wrong` the interval that a clearly
    false claim would give, for claims that are not about a single number.
    """

    what: str
    interval: Interval
    unit: str = ""
    expected: float | None = None
    if_right: Interval | None = None
    if_wrong: Interval | None = None

    @property
    def resolution(self) -> float | None:
        """The smallest difference that the data could resolve; None where that is unknown."""
        return self.interval.resolution if math.isfinite(self.interval.resolution) else None


@dataclass(frozen=True)
class Finding:
    """What a measure found: values, which must all hold; the evidence, as paths; a remark for the reader.

    `experiments` are those whose trainings it is about.
    """

    values: tuple[Measured, ...]
    files: tuple[str, ...]
    note: str = ""
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Power:
    """Whether a claim could hold, None where the paper gives no number to tell by, and whether it could fail."""

    holds: bool | None
    fails: bool

    def __str__(self) -> str:
        holds = {None: "not known whether it could hold", True: "could hold", False: "could not hold"}[self.holds]
        return f"{holds}, {'could' if self.fails else 'could not'} fail"


def exactly(what: str, value: float, unit: str = "", expected: float | None = None) -> Measured:
    """A value without noise."""
    return Measured(what, exact(value), unit, expected)


def exact(value: float) -> Interval:
    """An interval of one number."""
    return Interval(float(value), float(value), float(value))


def judge(interval: Interval, accepted: tuple[float, float]) -> str:
    """Reproduced if the whole interval is accepted, not reproduced if none of it is, else inconclusive."""
    low, high = accepted
    if interval.low >= low and interval.high <= high:
        return REPRODUCED
    if interval.high < low or interval.low > high:
        return NOT_REPRODUCED
    return INCONCLUSIVE


def power(values: Sequence[Measured], accepted: Sequence[tuple[float, float]], alike: bool = False) -> Power:
    """What the spread of a measurement leaves open, whatever was measured.

    A claim could hold if all its values would be reproduced by the paper's own numbers. It could fail if one of them is
    known closely enough to lie outside the accepted range. It could not hold if the accepted range is `alike`: it also
    has what the claim is to be told from.
    """
    right = [None if one.if_right is None else judge(one.if_right, ends) == REPRODUCED
             for one, ends in zip(values, accepted, strict=True)]  # fmt: skip
    wrong = [one.resolution is not None if one.if_wrong is None else judge(one.if_wrong, ends) == NOT_REPRODUCED
             for one, ends in zip(values, accepted, strict=True)]  # fmt: skip
    return Power(False if alike or False in right else None if None in right else True, any(wrong))


def combine(verdicts: Sequence[str]) -> str:
    """The verdict of a claim that says several things: all must hold, and one that fails decides."""
    if not verdicts:
        raise ValueError("no verdict without a measurement")
    if NOT_REPRODUCED in verdicts:
        return NOT_REPRODUCED
    return INCONCLUSIVE if INCONCLUSIVE in verdicts else REPRODUCED
