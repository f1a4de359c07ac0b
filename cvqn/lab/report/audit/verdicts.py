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
NOT_MEASURED = "not measured"  # a job that it needs was not run
NOT_MEASURABLE = "not measurable"
JUDGED = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE)
VERDICTS = (*JUDGED, IDENTITY, SETTING_USED, NOT_EVALUATED, NOT_MEASURED, NOT_MEASURABLE)


class NotMeasured(Exception):
    """A claim cannot be measured; the message says what is missing."""


@dataclass(frozen=True)
class Measured:
    """One measured value of a claim with its 95 % interval, in `unit`.

    Attributes:
        expected: the number to compare with, if the claim has several.
        if_right: the interval that the paper's own number would give with the same spread, if the paper gives one.
        if_wrong: the interval that a clearly false claim would give, for claims that are not about a single number.
    """

    what: str
    interval: Interval
    unit: str = ""
    expected: float | None = None
    if_right: Interval | None = None
    if_wrong: Interval | None = None

    @property
    def resolution(self) -> float | None:
        """The smallest difference that the data could resolve; None if unknown."""
        return self.interval.resolution if math.isfinite(self.interval.resolution) else None


@dataclass(frozen=True)
class Finding:
    """The result of a measure.

    Attributes:
        values: all must hold for the claim to hold.
        files: paths of the evidence.
        note: a remark for the reader.
        experiments: those whose trainings the claim is about.
    """

    values: tuple[Measured, ...]
    files: tuple[str, ...]
    note: str = ""
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Power:
    """Whether a claim could hold (None if the paper gives no number to test that with), and whether it could fail."""

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
    """Which verdicts the spread of a measurement allows, whatever was measured.

    A claim could hold if the paper's own numbers, with this spread, would be judged reproduced. It could fail if the
    spread is small enough for a wrong value to be outside the accepted range. With `alike` it could not hold, because
    the accepted range also contains a value that the claim must be distinguished from.
    """
    right = [None if one.if_right is None else judge(one.if_right, ends) == REPRODUCED
             for one, ends in zip(values, accepted, strict=True)]  # fmt: skip
    wrong = [one.resolution is not None if one.if_wrong is None else judge(one.if_wrong, ends) == NOT_REPRODUCED
             for one, ends in zip(values, accepted, strict=True)]  # fmt: skip
    return Power(False if alike or False in right else None if None in right else True, any(wrong))


def combine(verdicts: Sequence[str]) -> str:
    """The verdict of a claim with several values: all must be reproduced, and one that is not decides."""
    if not verdicts:
        raise ValueError("no verdict without a measurement")
    if NOT_REPRODUCED in verdicts:
        return NOT_REPRODUCED
    return INCONCLUSIVE if INCONCLUSIVE in verdicts else REPRODUCED
