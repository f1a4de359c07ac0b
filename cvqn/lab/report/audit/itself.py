"""The audit of the paper against itself: its statements, checked against its printed numbers and published curves.

The statements are data, cvqn/lab/report/itself.yaml; this module holds the checks that they name. Every statement gets
a verdict, its arithmetic as text, to be recomputed by hand, and the rows of the files that the numbers come from:
cvqn/lab/report/paper.yaml (the numbers printed in the paper, by claim) and published curves on Kodak (among them the
points of Figure 3, from its authors' script).
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import yaml
from scipy.interpolate import PchipInterpolator

from cvqn.lab.report import published
from cvqn.lab.report.audit.claims import expected_number, paper
from cvqn.lab.report.inputs import CLAIMS, STATEMENTS

HOLDS, DOES_NOT_HOLD, NOT_CHECKABLE = "holds", "does not hold", "not checkable"
ITSELF_VERDICTS = (HOLDS, DOES_NOT_HOLD, NOT_CHECKABLE)
CVQN = "figure3-cvqn"
LINES = "{lines}"
WORDS = {"ms_ssim": "MS-SSIM", "bpp": "BPP", "psnr": "PSNR"}
FileRows = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Statement:
    """A statement of the paper; `arithmetic` holds lines of text, `evidence` pairs of a file and the rows used."""

    id: str
    place: str
    statement: str
    arithmetic: tuple[str, ...]
    verdict: str
    evidence: FileRows


@dataclass(frozen=True)
class Found:
    """The result of a check: whether the statement holds (None: not checkable), and numbers and lines to print."""

    holds: bool | None
    values: dict[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    evidence: FileRows = ()


def paper_against_itself() -> list[Statement]:
    """Every statement that can be checked against the paper's own numbers and published curves; reads files only."""
    return [_statement(entry) for entry in _data()["statements"]]


def as_json(statements: Sequence[Statement]) -> dict:
    """The statements and the count of each verdict, ready for JSON."""
    counts = Counter(one.verdict for one in statements)
    entries = [
        asdict(one) | {"evidence": [{"path": path, "rows": rows} for path, rows in one.evidence]} for one in statements
    ]
    return {"counts": {verdict: counts[verdict] for verdict in ITSELF_VERDICTS}, "statements": entries}


@cache
def _data() -> dict[str, Any]:
    return dict(yaml.safe_load(STATEMENTS.read_text(encoding="utf-8")))


def _statement(entry: dict[str, Any]) -> Statement:
    rows = ((os.path.relpath(CLAIMS), ", ".join(entry["rows"])),) if "rows" in entry else ()
    about = (entry["id"], entry["place"], entry["statement"])
    if "verdict" in entry:
        return Statement(*about, tuple(entry["arithmetic"]), entry["verdict"], rows)
    check: Callable[..., Found] = CHECKS[entry["check"]]
    found = check(**entry.get("with", {}))
    arithmetic = [
        line
        for text in entry["arithmetic"]
        for line in (found.lines if text == LINES else [text.format(**found.values)])
    ]
    verdict = {None: NOT_CHECKABLE, True: HOLDS, False: DOES_NOT_HOLD}[found.holds]
    return Statement(*about, tuple(arithmetic), verdict, (*found.evidence, *rows))


# The curves


def above(curve: str) -> Found:
    """Whether CVQN's plotted curve is above another over almost all of the range; straight lines join the points."""
    own, other = published.curves()[CVQN], published.curves()[curve]
    first, last = _data()["range"]
    low, high = max(first, own.bpp[0], other.bpp[0]), min(last, own.bpp[-1], other.bpp[-1])
    at = np.unique([low, high, *(rate for rate in (*own.bpp, *other.bpp) if low < rate < high)])
    ours, theirs = (np.interp(at, one.bpp, one.ms_ssim_db) for one in (own, other))
    stretches, crossings = _won(at, ours - theirs)
    whole = last - first
    share = sum(end - start for start, end in stretches) / whole
    smooth = np.linspace(low, high, 100_001)
    monotone = [PchipInterpolator(np.log(one.bpp), one.ms_ssim_db)(np.log(smooth)) for one in (own, other)]
    enough = next(claim.tolerance.at_least for claim in paper() if claim.id == _data()["almost_all"])
    differences = zip(at, ours, theirs, strict=True)
    values = {
        "low": low,
        "high": high,
        "differences": "; ".join(f"{rate:.4g}: {a:.4f} - {b:.4f} = {a - b:+.4f}" for rate, a, b in differences),
        "lengths": " + ".join(f"({end:.4f} - {start:.4f})" for start, end in stretches) or "0",
        "won": share * whole,
        "range": whole,
        "share": share,
        "enough": enough,
        "smooth": float(np.mean(monotone[0] > monotone[1])) * (high - low) / whole,
    }
    evidence = tuple((_csv(one), f"lines 2-{len(published.curves()[one].bpp) + 1}") for one in (CVQN, curve))
    return Found(share >= enough, values, crossings, evidence)


def _won(at: np.ndarray, gain: np.ndarray) -> tuple[list[tuple[float, float]], list[str]]:
    """The intervals where the piecewise linear `gain` `[points]` over `at` is above 0, and each crossing in words."""
    stretches: list[tuple[float, float]] = []
    crossings = []
    for (start, first), (end, second) in pairwise(zip(at.tolist(), gain.tolist(), strict=True)):
        if first * second < 0:
            zero = start + (end - start) * abs(first) / (abs(first) + abs(second))
            crossings.append(
                f"Equal at {start:.4g} + ({end:.4g} - {start:.4g}) x {abs(first):.4f} / "
                f"({abs(first):.4f} + {abs(second):.4f}) = {zero:.4f} bpp."
            )
            stretch = (start, zero) if first > 0 else (zero, end)
        elif max(first, second) <= 0:
            continue
        else:
            stretch = (start, end)
        if stretches and stretches[-1][1] == stretch[0]:
            stretch = (stretches.pop()[0], stretch[1])
        stretches.append(stretch)
    return stretches, crossings


def drawn(codec: str) -> Found:
    """Whether Figure 3 has a curve whose name contains `codec`."""
    names = [one.codec for one in published.curves("figure-3").values()]
    evidence = ((os.path.join(os.path.dirname(_csv(CVQN)), "index.csv"), f"lines 2-{len(names) + 1}"),)
    return Found(any(codec in name for name in names), {"count": len(names), "names": ", ".join(names)}, (), evidence)


def same_model() -> Found:
    """Whether Figure 3's second point has the MS-SSIM of Table 1's last row."""
    decibel, table = _number("figure3.c32.ms_ssim_db"), _number("table1.c32.ms_ssim")
    error = 10 ** (-decibel / 10)
    gain, difference = table - _number("table1.one-group.ms_ssim"), 1 - error - table
    values = {
        "decibel": decibel,
        "error": error,
        "plotted": 1 - error,
        "plotted_bpp": _number("figure3.c32.bpp"),
        "table": table,
        "table_bpp": _number("table1.c32.bpp"),
        "difference": difference,
        "times": difference / gain,
        "gain": gain,
    }
    return Found(round(1 - error, 4) == table, values)


def not_above(pairs: Sequence[tuple[str, str]], rates: Sequence[float], most: float) -> Found:
    """Whether each codec's curve in Figure 3 is at most `most` dB below the codec's curve published elsewhere."""
    lines, largest = [], 0.0
    for plotted, known in pairs:
        ours, theirs = (published.curves()[name] for name in (plotted, known))
        at = [rate for rate in rates if ours.bpp[0] <= rate <= ours.bpp[-1]]
        own, other = (np.interp(at, one.bpp, one.ms_ssim_db) for one in (ours, theirs))
        largest = max(largest, float(np.max(other - own)))
        shown = "; ".join(
            f"{b:.2f} - {a:.2f} = {b - a:+.2f} at {rate:g}" for rate, a, b in zip(at, own, other, strict=True)
        )
        lines.append(f"{theirs.codec} as published elsewhere - Figure 3's, dB by bpp: {shown}.")
    evidence = tuple((_csv(name), "all lines") for pair in pairs for name in pair)
    return Found(largest <= most, {"largest": largest, "most": most}, lines, evidence)


# The tables


def all_better(metric: str, rows: Sequence[str], than: str) -> Found:
    """Whether every one of `rows` is better than the row `than`: a higher quality, or a lower BPP."""
    sign = -1 if metric == "bpp" else 1
    better = [sign * (_number(f"{row}.{metric}") - _number(f"{than}.{metric}")) > 0 for row in rows]
    lines = [f"{_label(row)}: {_difference(metric, row, than)}" for row in rows]
    return Found(all(better), {"better": sum(better), "count": len(better)}, lines)


def percentages(table: str, names: Sequence[str]) -> Found:
    """Whether each printed percentage is possible for rates that round to the printed ones."""
    base, half, lines, possible = _number(f"{table}.one-group.bpp"), 5e-5, [], []
    for name in names:
        rate, printed = _number(f"{table}.{name}.bpp"), _number(f"{table}.{name}.bpp_change")
        ends = [100 * ((rate - sign * half) / (base + sign * half) - 1) for sign in (1, -1)]
        possible.append(ends[0] - 5e-3 <= printed <= ends[1] + 5e-3)
        lines.append(
            f"{_label(f'{table}.{name}')}: 100 x ({rate:.4f} / {base:.4f} - 1) = {100 * (rate / base - 1):.3f}; "
            f"printed {printed:.2f}; with rates rounded to 0.0001 anything from {ends[0]:.2f} to {ends[1]:.2f}"
        )
    return Found(all(possible), lines=lines)


def equal(rows: Sequence[str], tables: tuple[str, str]) -> Found:
    """Whether rows have the same numbers in both tables."""
    pairs = [(_number(f"{tables[0]}.{row}"), _number(f"{tables[1]}.{row}")) for row in rows]
    lines = [f"{_label(f'{tables[0]}.{row}')}: {a:.4f} and {b:.4f}" for row, (a, b) in zip(rows, pairs, strict=True)]
    return Found(all(a == b for a, b in pairs), lines=lines)


def in_order(rows: Sequence[str]) -> Found:
    """Whether MS-SSIM falls and the rate rises from row to row."""
    quality, rate = ([_number(f"{row}.{metric}") for row in rows] for metric in ("ms_ssim", "bpp"))
    values = {
        "ms_ssim": " > ".join(f"{value:.4f}" for value in quality),
        "bpp": " < ".join(f"{value:.4f}" for value in rate),
    }
    return Found(_falling(quality) and _falling(rate[::-1]), values)


def difference(metric: str, first: str, second: str) -> Found:
    """A difference to show; it decides nothing, because its uncertainty is unknown."""
    return Found(None, {"difference": _difference(metric, first, second)})


def within_table(row: str, found: float) -> Found:
    """Whether a PSNR that others measured differs from a row of Table 2 by no more than its rows do."""
    printed, rows = _number(f"{row}.psnr"), [_number(f"table2.{name}.psnr") for name in _rows()]
    values = {
        "found": found,
        "printed": printed,
        "difference": found - printed,
        "most": max(rows),
        "least": min(rows),
        "range": max(rows) - min(rows),
    }
    return Found(abs(found - printed) <= max(rows) - min(rows), values)


def best(row: str) -> Found:
    """Whether a row of Table 2 has the best MS-SSIM and the best PSNR."""
    lines, holds = [], True
    for metric, name in (("ms_ssim", "MS-SSIM"), ("psnr", "PSNR, dB")):
        values = {one: _number(f"table2.{one}.{metric}") for one in _rows()}
        holds &= all(values[row] > value for one, value in values.items() if one != row)
        lines.append(f"{name}: " + ", ".join(f"{_label(f'table2.{one}')} {value:g}" for one, value in values.items()))
    return Found(holds, lines=lines)


def worse(row: str, than: Sequence[str], beside: str) -> Found:
    """Whether a row is worse than others in MS-SSIM and PSNR; `beside` is shown and not judged."""
    metrics = ("ms_ssim", "psnr")
    lines = [
        f"{WORDS[metric]} against {_label(other)}: {_difference(metric, row, other)}"
        for metric in metrics
        for other in (*than, beside)
    ]
    pairs = [(_number(f"{row}.{metric}"), _number(f"{other}.{metric}")) for metric in metrics for other in than]
    return Found(all(own < other for own, other in pairs), lines=lines)


# The bound of equation (7)


def bounds_in_order() -> Found:
    """Whether r^T log2 q falls over the rows of Table 2, and the products of the outer levels with it."""
    levels = [_levels(name) for name in _rows()]
    products = [one[0] * one[-1] for one in levels]
    holds = _falling([_bound(one) for one in levels]) and _falling(products)
    shown = " < ".join(map(str, reversed(products)))
    return Found(holds, {"products": shown}, [_bound_in_words(one) for one in levels])


def rates_follow_bounds() -> Found:
    """Whether the rates of Table 2 fall in the order of the bounds."""
    first, *others = _rows()
    base = _bound(_levels(first))
    rates = [_number(f"table2.{name}.bpp") for name in (first, *others)]
    lines = []
    for name in others:
        own = _bound(_levels(name))
        lines.append(
            f"{_label(f'table2.{name}')}: bound 100 x ({own:.5f} / {base:.5f} - 1) = {100 * (own / base - 1):.2f} %, "
            f"rate {_number(f'table2.{name}.bpp_change'):.2f} %"
        )
    return Found(_falling(rates), {"rates": " > ".join(f"{value:.4f}" for value in rates)}, lines)


def rates_below_bounds() -> Found:
    """Whether every rate is below that of a fixed-length code."""
    lines, below, pixels = [], True, _data()["pixels_per_symbol"]
    for name, channels, of in _data()["bounded"]:
        levels = _levels(of)
        rate, bound = _number(f"{name}.bpp"), _bound(levels)
        most = channels * bound / pixels
        below &= rate < most
        lines.append(
            f"{_data()['places'][name.split('.')[0]]}, C = {channels}, q = {_q(levels)}: {channels} x {bound:.5f} / "
            f"{pixels} = {most:.5f} bpp; {rate:.4g} is {100 * (1 - rate / most):.1f} % below"
        )
    return Found(below, lines=lines)


CHECKS: dict[str, Callable[..., Found]] = {
    check.__name__: check
    for check in (
        above, drawn, same_model, not_above, all_better, percentages, equal, in_order, difference, within_table, best,
        worse, bounds_in_order, rates_follow_bounds, rates_below_bounds,
    )
}  # fmt: skip


def _rows() -> list[str]:
    """The rows of Table 2."""
    return [name for name in _data()["levels"] if name != "toy"]


def _levels(name: str) -> list[int]:
    return list(_data()["levels"].get(name, _data()["levels"]["c32"]))


def _weighted(levels: Sequence[int]) -> list[tuple[float, int]]:
    """The share of the channels and the levels of each group."""
    ratios = _data()["ratios"] if len(levels) > 1 else [1.0]
    return list(zip(ratios, levels, strict=True))


def _bound(levels: Sequence[int]) -> float:
    """r^T log2 q, bits per symbol."""
    return sum(ratio * math.log2(level) for ratio, level in _weighted(levels))


def _bound_in_words(levels: Sequence[int]) -> str:
    if len(levels) == 1:
        return f"{_q(levels)}: log2 {levels[0]} = {_bound(levels):.5f}"
    parts = [f"{ratio:g} x {math.log2(level):.5f}" for ratio, level in _weighted(levels)]
    return f"{_q(levels)}: {' + '.join(parts)} = {_bound(levels):.5f}"


def _q(levels: Sequence[int]) -> str:
    return f"[{','.join(map(str, levels))}]"


def _number(claim: str) -> float:
    found = expected_number(claim)
    if found is None:
        raise KeyError(f"{CLAIMS} has no number for {claim}")
    return found


def _difference(metric: str, first: str, second: str) -> str:
    a, b, digits = _number(f"{first}.{metric}"), _number(f"{second}.{metric}"), 3 if metric == "psnr" else 4
    return f"{a:.{digits}f} - {b:.{digits}f} = {a - b:+.{digits}f}"


def _label(row: str) -> str:
    """A row of a table, such as table1.se or table1.se.bpp, in words."""
    table, name, *metric = row.split(".")
    names = _data()["labels"]
    kind = f", {names[name]}" if table == "table1" and name in names else ""
    return _q(_levels(name)) + kind + "".join(f", {WORDS[one]}" for one in metric)


def _falling(values: Sequence[float]) -> bool:
    return all(first > second for first, second in pairwise(values))


def _csv(curve: str) -> str:
    return published.path(published.curves()[curve])
