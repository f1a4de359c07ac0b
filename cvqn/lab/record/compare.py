"""Compares metrics.json of two revisions, number by number, with a tolerance for each kind of metric.

Trainings with different seeds differ, so a difference within the tolerance does not count. Rate and distortion of a
model are judged separately; bd_rate tells whether trading one for the other was worth it.
"""

import json
import math
import re
from dataclasses import dataclass

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.record.commands import git
from cvqn.lab.record.recorded import RESULTS

SAME, BETTER, WORSE, CHANGED, NEW, GONE = "same", "better", "worse", "changed", "new", "gone"
LOWER, HIGHER, EQUAL, ANY = "lower is better", "higher is better", "must not change", "for information"


@dataclass(frozen=True)
class Tolerance:
    """Differences up to `absolute`, or up to the share `relative` of the value before, do not count."""

    kind: str
    pattern: str
    wanted: str
    absolute: float = 0.0
    relative: float = 0.0

    def allows(self, before: float, after: float) -> bool:
        return math.isclose(before, after, rel_tol=0, abs_tol=max(self.absolute, self.relative * abs(before), 1e-9))


TOLERANCES = (  # the first one whose pattern matches the whole key applies
    Tolerance("analysis of channels", r".*-seed\d+\..*", ANY, relative=0.01),  # only these keys name single runs
    Tolerance("bytes of a conventional codec", r"codec\..*\.bpp", EQUAL),
    Tolerance("distortion of a conventional codec", r"codec\..*\.(ms_ssim|ms_ssim_db|psnr_db)", EQUAL, 1e-4),
    Tolerance("spread of seeds", r".*_std", ANY),
    Tolerance("rate", r".*\.(bpp|cross_entropy_bpp)", LOWER, relative=0.005),
    Tolerance("MS-SSIM", r".*\.ms_ssim", HIGHER, 5e-4),
    Tolerance("MS-SSIM, dB", r".*\.ms_ssim_db", HIGHER, 0.05),
    Tolerance("PSNR, which no training optimizes", r".*\.psnr_db", ANY, 0.1),
    Tolerance("change of rate, percent", r".*\.bpp_change_percent", LOWER, 0.5),
    Tolerance("BD-rate, percent", r"bd_rate\..*", LOWER, 0.5),
    Tolerance("BD-MS-SSIM, dB", r"bd_ms_ssim\..*", HIGHER, 0.02),
    Tolerance("any other", r".*", ANY, relative=0.01),
)


@dataclass(frozen=True)
class Change:
    """One metric at two revisions: a number, None if it is missing, or text that says why there is no number.

    A `regression` fails the comparison.
    """

    metric: str
    before: float | str | None
    after: float | str | None
    tolerance: Tolerance
    verdict: str

    @property
    def regression(self) -> bool:
        return self.verdict in (WORSE, GONE) or (self.verdict == CHANGED and self.tolerance.wanted == EQUAL)


def read_metrics(scale: str, revision: str | None) -> dict[str, float | str]:
    """metrics.json of a scale at a git revision, or in the working tree.

    Raises:
        CvqnError: the file is missing, or is not a flat mapping to finite numbers and reasons for missing ones.
    """
    path = RESULTS / scale / "metrics.json"
    name = f"{path} at {revision}" if revision else str(path)
    try:
        text = git("show", f"{revision}:./{path.as_posix()}") if revision else path.read_text(encoding="utf-8")
        metrics = json.loads(text)
    except OSError as error:
        raise CvqnError(f"{name}: cannot be read ({error.strerror}); run the workflow first") from error
    except ValueError as error:
        raise CvqnError(f"{name}: not valid JSON ({error})") from error
    for key, value in metrics.items() if isinstance(metrics, dict) else [("the file", metrics)]:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number and not (isinstance(value, str) and isinstance(metrics, dict)):
            raise CvqnError(f"{name}: {key} is not a finite number; write it again with cvqn metrics")
    return metrics


def compare(before: dict[str, float | str], after: dict[str, float | str]) -> list[Change]:
    """The change of every metric, those in `before` first."""
    return [_change(key, before.get(key), after.get(key)) for key in dict.fromkeys([*before, *after])]


def table(changes: list[Change], markdown: bool) -> str:
    """The changes as an aligned table or as Markdown, one row per metric."""
    rows = [
        {
            "metric": change.metric,
            "before": _number(change.before),
            "after": _number(change.after),
            "difference": f"{change.after - change.before:+.6g}" if _numbers(change.before, change.after) else "",
            "tolerance": _tolerance(change.tolerance),
            "verdict": f"**{change.verdict}**" if markdown and change.regression else change.verdict,
        }
        for change in changes
    ]
    sides = ("left", "right", "right", "right", "left", "left")
    return pd.DataFrame(rows).to_markdown(
        index=False, tablefmt="pipe" if markdown else "plain", disable_numparse=True, colalign=sides
    )


def _change(metric: str, before: float | str | None, after: float | str | None) -> Change:
    tolerance = next(one for one in TOLERANCES if re.fullmatch(one.pattern, metric))
    if not _numbers(before, after):
        verdict = GONE if _numbers(before) else NEW if _numbers(after) else SAME
    elif tolerance.allows(before, after):
        verdict = SAME
    elif tolerance.wanted in (EQUAL, ANY):
        verdict = CHANGED
    else:
        verdict = BETTER if (after < before) == (tolerance.wanted == LOWER) else WORSE
    return Change(metric, before, after, tolerance, verdict)


def _numbers(*values: float | str | None) -> bool:
    return not any(value is None or isinstance(value, str) for value in values)


def _number(value: float | str | None) -> str:
    return f"{value:.6g}" if _numbers(value) else value or ""


def _tolerance(tolerance: Tolerance) -> str:
    size = f"{tolerance.relative:.1%}" if tolerance.relative else f"{tolerance.absolute:g}"
    return f"{tolerance.wanted}, {size}" if tolerance.absolute or tolerance.relative else tolerance.wanted
