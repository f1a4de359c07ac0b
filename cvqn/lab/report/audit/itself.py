"""The audit of the paper against itself: what its printed numbers and published curves say about its own sentences.

No training is needed. Every statement carries its arithmetic as text, to be recomputed by hand, a verdict, and the rows
of the files that it comes from: cvqn/lab/report/paper.yaml (the numbers printed in the paper, by claim) and published
curves on Kodak (among them the points of Figure 3, from its authors' script).
"""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator

from cvqn.lab.report import published
from cvqn.lab.report.audit.claims import expected_number, paper
from cvqn.lab.report.inputs import CLAIMS

HOLDS, DOES_NOT_HOLD, NOT_CHECKABLE = "holds", "does not hold", "not checkable"
ITSELF_VERDICTS = (HOLDS, DOES_NOT_HOLD, NOT_CHECKABLE)
FROM, TO = 0.1, 0.6
"""Bits per pixel that Section 4.3 speaks of: "almost all tested BPPs, i.e., from 0.1 BPP to 0.6 BPP"."""

RATIOS = (0.25, 0.5, 0.25)
LEVELS = {"one-group": (5,), "levels-456": (4, 5, 6), "c32": (3, 5, 7), "levels-258": (2, 5, 8)}
PIXELS_PER_SYMBOL = 256  # four stages halve each side
PLACES = {"figure3": "Figure 3", "table1": "Table 1", "table2": "Table 2", "section2": "Section 2"}
POINTS = ("c16", "c32", "c48", "c64", "c80")
NAMES = {"se": "SE", "re": "RE", "c32": "predefined"}
CVQN = "figure3-cvqn"


@dataclass(frozen=True)
class Statement:
    """A statement of the paper; `arithmetic` is lines of text, `evidence` pairs of a file and what was read in it."""

    id: str
    place: str
    statement: str
    arithmetic: tuple[str, ...]
    verdict: str
    evidence: tuple[tuple[str, str], ...]


def paper_against_itself() -> list[Statement]:
    """Every statement that the paper's own numbers and published curves can be held against; reads files only."""
    return [*_central(), *_figure_3(), *_tables(), *_bounds(), *_equations()]


def as_json(statements: Sequence[Statement]) -> dict:
    """The statements and the count of each verdict, ready for JSON."""
    counts = Counter(one.verdict for one in statements)
    entries = [
        asdict(one) | {"evidence": [{"path": path, "rows": rows} for path, rows in one.evidence]} for one in statements
    ]
    return {"counts": {verdict: counts[verdict] for verdict in ITSELF_VERDICTS}, "statements": entries}


# The curves


def _central() -> list[Statement]:
    balle = _above(
        "itself.above.balle-2017",
        "Abstract, Sections 1 and 5",
        "Superior to the state of the art without a hyperprior VAE: held against Ballé et al. 2017, which has none, "
        "optimised for MS-SSIM as CVQN is (cited, but not drawn in Figure 3)",
        "balle-2017",
    )
    return [balle]


def _figure_3() -> list[Statement]:
    drawn = [
        _above(
            f"itself.above.{name.removeprefix('figure3-')}",
            "Figure 3, Section 4.3",
            f"Above {curve.codec} for almost all tested BPPs from 0.1 to 0.6",
            name,
        )
        for name, curve in published.curves("figure-3").items()
        if name != CVQN
    ]
    toderici = _above(
        "itself.above.toderici-2017",
        "Section 4.3",
        "Above Toderici et al. 2017 for almost all tested BPPs from 0.1 to 0.6 (named in the text, not drawn)",
        "toderici-2017",
    )
    return [*drawn, toderici, _toderici_is_not_drawn(), _same_model_twice(), _best_configurations()]


def _above(name: str, place: str, statement: str, curve: str) -> Statement:
    """The share of 0.1 to 0.6 bpp at which CVQN's plotted points lie above, on straight lines between points."""
    own, other = published.curves()[CVQN], published.curves()[curve]
    low, high = max(FROM, own.bpp[0], other.bpp[0]), min(TO, own.bpp[-1], other.bpp[-1])
    at = np.unique([low, high, *(rate for rate in (*own.bpp, *other.bpp) if low < rate < high)])
    ours, theirs = (np.interp(at, one.bpp, one.ms_ssim_db) for one in (own, other))
    stretches, crossings = _won(at, ours - theirs)
    share, enough = sum(end - start for start, end in stretches) / (TO - FROM), _almost_all()
    smooth = np.linspace(low, high, 100_001)
    monotone = [PchipInterpolator(np.log(one.bpp), one.ms_ssim_db)(np.log(smooth)) for one in (own, other)]
    smooth_share = float(np.mean(monotone[0] > monotone[1])) * (high - low) / (TO - FROM)
    differences = zip(at, ours, theirs, strict=True)
    lengths = " + ".join(f"({end:.4f} - {start:.4f})" for start, end in stretches) or "0"
    arithmetic = (
        f"Both curves are known from {low:.4g} to {high:.4g} bpp; what is not covered counts as not won.",
        "MS-SSIM in dB by bpp, CVQN - the other, straight lines between the points: "
        + "; ".join(f"{rate:.4g}: {a:.4f} - {b:.4f} = {a - b:+.4f}" for rate, a, b in differences),
        *crossings,
        f"Above over {lengths} = {share * (TO - FROM):.4f} of {TO - FROM:.1f} bpp: {share:.3f}, of which "
        f"{enough:g} or more is taken as almost all.",
        f"On the monotone curves of the tables in place of straight lines: {smooth_share:.3f}.",
    )
    evidence = tuple((_csv(one), f"lines 2-{len(published.curves()[one].bpp) + 1}") for one in (CVQN, curve))
    return Statement(name, place, statement, arithmetic, _judge(share >= enough), evidence)


def _won(at: np.ndarray, gain: np.ndarray) -> tuple[list[tuple[float, float]], list[str]]:
    """The stretches where the piecewise linear `gain` `[points]` over `at` is above 0, and each crossing in words."""
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


def _toderici_is_not_drawn() -> Statement:
    drawn = [one.codec for one in published.curves("figure-3").values()]
    return Statement(
        "itself.figure3-names",
        "Section 4.3",
        "Figure 3 depicts the methods that the text compares with, [Toderici et al., 2017] among them",
        (
            f"Figure 3 has {len(drawn)} curves: {', '.join(drawn)}.",
            "The text names Toderici 2017 where the figure draws Johnston 2018.",
        ),
        _judge(any("Toderici" in codec for codec in drawn)),
        ((os.path.join(os.path.dirname(_csv(CVQN)), "index.csv"), f"lines 2-{len(drawn) + 1}"),),
    )


def _same_model_twice() -> Statement:
    decibel, table = _number("figure3.c32.ms_ssim_db"), _number("table1.c32.ms_ssim")
    error = 10 ** (-decibel / 10)
    gain = table - _number("table1.one-group.ms_ssim")
    return Statement(
        "itself.same-model",
        "Figure 3, Table 1",
        "The second point of Figure 3 and the last row of Table 1 are the same model, q = [3,5,7], C = 32",
        (
            f"Figure 3: 1 - 10^(-{decibel:.8f} / 10) = 1 - {error:.4f} = {1 - error:.4f} at "
            f"{_number('figure3.c32.bpp'):.3f} bpp; Table 1: {table:.4f} at {_number('table1.c32.bpp'):.4f} bpp.",
            f"{1 - error:.4f} - {table:.4f} = {1 - error - table:+.4f}: {(1 - error - table) / gain:.1f} times the "
            f"{gain:+.4f} that Table 1 shows for splitting. The rates agree. (Table 1 has means of three runs.)",
        ),
        _judge(round(1 - error, 4) == table),
        _rows("figure3.c32.bpp", "figure3.c32.ms_ssim_db", "table1.c32.ms_ssim", "table1.c32.bpp"),
    )


def _best_configurations() -> Statement:
    pairs = (("figure3-jpeg2000", "jpeg2000-kakadu"), ("figure3-webp", "webp"), ("figure3-bpg-444", "bpg-444"))
    lines, largest = [], 0.0
    for drawn, known in pairs:
        ours, theirs = (published.curves()[name] for name in (drawn, known))
        rates = [rate for rate in (0.2, 0.3, 0.4, 0.5, 0.6) if ours.bpp[0] <= rate <= ours.bpp[-1]]
        plotted, other = (np.interp(rates, one.bpp, one.ms_ssim_db) for one in (ours, theirs))
        largest = max(largest, float(np.max(other - plotted)))
        values = zip(rates, plotted, other, strict=True)
        shown = "; ".join(f"{b:.2f} - {a:.2f} = {b - a:+.2f} at {rate:g}" for rate, a, b in values)
        lines.append(f"{theirs.codec} as published elsewhere - Figure 3's, dB by bpp: {shown}.")
    return Statement(
        "itself.best-configurations",
        "Section 4.3",
        "JPEG2000, WebP and BPG are drawn in the best performing configuration",
        (
            *lines,
            f"The largest difference is {largest:.2f} dB; up to 0.2 dB is taken as none.",
        ),
        _judge(largest <= 0.2),
        tuple((_csv(name), "all lines") for pair in pairs for name in pair),
    )


# The tables


def _tables() -> list[Statement]:
    return [
        _better_by_splitting(),
        _fewer_bits(),
        _percentages("table1", ("se", "re", "c32")),
        _percentages("table2", ("levels-456", "c32", "levels-258")),
        _tables_agree(),
        _predefined_best(),
        Statement(
            "itself.predefined-distinctly",
            "Section 4.2",
            "Predefined importance distinctly outperforms the SE-based and the RE-based",
            (
                f"Against RE: {_difference('ms_ssim', 'table1.c32', 'table1.re')} in MS-SSIM, one unit of the last "
                "digit printed. Both are means of three runs, of which no spread is printed.",
            ),
            NOT_CHECKABLE,
            _rows("table1.c32.ms_ssim", "table1.re.ms_ssim"),
        ),
        _public_retraining(),
        _best_of_table_2(),
        _degrades(),
        Statement(
            "itself.odd-levels",
            "Section 4.2",
            "Odd numbers of levels may do better than even ones",
            (
                "Table 2 has [5], [4,5,6], [3,5,7] and [2,5,8]: with the share of odd levels (100, 50, 100, 50 % of "
                "the channels) the bound and the spread of the levels change as well. No two rows differ in oddness "
                "alone.",
            ),
            NOT_CHECKABLE,
            _rows(*(f"table2.{name}.ms_ssim" for name in LEVELS)),
        ),
    ]


def _better_by_splitting() -> Statement:
    variants = [f"table1.{name}" for name in NAMES] + ["table2.levels-456", "table2.levels-258"]
    lines = tuple(f"{_label(name)}: {_difference('ms_ssim', name, 'table1.one-group')}" for name in variants)
    better = [_number(f"{name}.ms_ssim") > _number("table1.one-group.ms_ssim") for name in variants]
    return Statement(
        "itself.better-ms-ssim",
        "Section 4.2, Tables 1 and 2",
        "The channel importance and the splitting-merging module give better MS-SSIM than one group, [5]",
        ("MS-SSIM - that of [5]:", *lines, f"Better in {sum(better)} of {len(better)}."),
        _judge(all(better)),
        _rows(*(f"{name}.ms_ssim" for name in ("table1.one-group", *variants))),
    )


def _fewer_bits() -> Statement:
    variants = [f"table1.{name}" for name in NAMES] + ["table2.levels-456", "table2.levels-258"]
    lines = tuple(f"{_label(name)}: {_difference('bpp', name, 'table1.one-group')}" for name in variants)
    return Statement(
        "itself.fewer-bits",
        "Section 4.2, Tables 1 and 2",
        "The channel importance and the splitting-merging module give smaller BPP than one group, [5]",
        ("BPP - that of [5]:", *lines),
        _judge(all(_number(f"{name}.bpp") < _number("table1.one-group.bpp") for name in variants)),
        _rows(*(f"{name}.bpp" for name in ("table1.one-group", *variants))),
    )


def _percentages(table: str, names: Sequence[str]) -> Statement:
    """Whether each printed percentage can come from rates that round to the printed ones."""
    base, half, lines, possible = _number(f"{table}.one-group.bpp"), 5e-5, [], []
    for name in names:
        rate, printed = _number(f"{table}.{name}.bpp"), _number(f"{table}.{name}.bpp_change")
        ends = [100 * ((rate - sign * half) / (base + sign * half) - 1) for sign in (1, -1)]
        possible.append(ends[0] - 5e-3 <= printed <= ends[1] + 5e-3)
        lines.append(
            f"{_label(f'{table}.{name}')}: 100 x ({rate:.4f} / {base:.4f} - 1) = {100 * (rate / base - 1):.3f}; "
            f"printed {printed:.2f}; with rates rounded to 0.0001 anything from {ends[0]:.2f} to {ends[1]:.2f}"
        )
    return Statement(
        f"itself.percentages.{table}",
        f"Table {table[-1]}",
        "The printed percentages are those of the printed rates",
        tuple(lines),
        _judge(all(possible)),
        _rows(*(f"{table}.{name}.bpp" for name in ("one-group", *names)), *(f"{table}.{n}.bpp_change" for n in names)),
    )


def _tables_agree() -> Statement:
    keys = [f"{name}.{metric}" for name in ("one-group", "c32") for metric in ("ms_ssim", "bpp")]
    pairs = [(_number(f"table1.{key}"), _number(f"table2.{key}")) for key in keys]
    return Statement(
        "itself.tables-agree",
        "Tables 1 and 2",
        "The two models that stand in both tables have the same numbers in both",
        tuple(f"{_label(f'table1.{key}')}: {a:.4f} and {b:.4f}" for key, (a, b) in zip(keys, pairs, strict=True)),
        _judge(all(a == b for a, b in pairs)),
        _rows(*(f"{table}.{key}" for key in keys for table in ("table1", "table2"))),
    )


def _predefined_best() -> Statement:
    order = ("table1.c32", "table1.re", "table1.se")
    quality, rate = ([_number(f"{name}.{metric}") for name in order] for metric in ("ms_ssim", "bpp"))
    return Statement(
        "itself.predefined-best",
        "Table 1, Section 4.2",
        "Predefined importance is best by MS-SSIM and BPP, ahead of RE, ahead of SE",
        (
            "MS-SSIM: " + " > ".join(f"{value:.4f}" for value in quality),
            "BPP: " + " < ".join(f"{value:.4f}" for value in rate),
        ),
        _judge(_falling(quality) and _falling(rate[::-1])),
        _rows(*(f"{name}.{metric}" for metric in ("ms_ssim", "bpp") for name in order)),
    )


def _public_retraining() -> Statement:
    printed, found = _number("table2.c32.psnr"), 26.949
    rows = [_number(f"table2.{row}.psnr") for row in LEVELS]
    return Statement(
        "itself.public-retraining",
        "Table 2",
        "Trained by others, the released code gives the PSNR of [3,5,7]: a public retraining, a second reproduction",
        (
            "https://github.com/zs-zhong/CVQN/issues/3 (2021), predefined importance: PSNR 26.949 dB on Kodak, around "
            "26.9 dB when trained again on 4,035 images; MS-SSIM and BPP are said to be as in the paper.",
            f"{found:.3f} - {printed:.3f} = {found - printed:+.3f} dB; all rows of Table 2 lie within "
            f"{max(rows):.3f} - {min(rows):.3f} = {max(rows) - min(rows):.3f} dB.",
        ),
        _judge(abs(found - printed) <= max(rows) - min(rows)),
        _rows(*(f"table2.{row}.psnr" for row in LEVELS)),
    )


def _best_of_table_2() -> Statement:
    lines, best = [], True
    for metric, name in (("ms_ssim", "MS-SSIM"), ("psnr", "PSNR, dB")):
        values = {row: _number(f"table2.{row}.{metric}") for row in LEVELS}
        best &= all(values["c32"] > value for row, value in values.items() if row != "c32")
        lines.append(f"{name}: " + ", ".join(f"{_label(f'table2.{row}')} {value:g}" for row, value in values.items()))
    return Statement(
        "itself.357-best",
        "Table 2",
        "[3,5,7] has the best MS-SSIM and the best PSNR",
        tuple(lines),
        _judge(best),
        _rows(*(f"table2.{row}.{metric}" for metric in ("ms_ssim", "psnr") for row in LEVELS)),
    )


def _degrades() -> Statement:
    against = {
        (metric, other): _number(f"table2.levels-258.{metric}") - _number(f"table2.{other}.{metric}")
        for metric in ("ms_ssim", "psnr")
        for other in ("levels-456", "c32", "one-group")
    }
    lines = tuple(
        f"{'MS-SSIM' if metric == 'ms_ssim' else 'PSNR'} against {_label(f'table2.{other}')}: "
        f"{_difference(metric, 'table2.levels-258', f'table2.{other}')}"
        for metric, other in against
    )
    return Statement(
        "itself.258-degrades",
        "Section 4.2, Table 2",
        "With levels too different, [2,5,8], the performance degrades against the other combinations",
        (*lines, "Against one group, [5], its PSNR is higher and its MS-SSIM lower."),
        _judge(all(value < 0 for (_, other), value in against.items() if other != "one-group")),
        _rows(*(f"table2.{row}.{metric}" for metric in ("ms_ssim", "psnr") for row in LEVELS)),
    )


# The bound of equation (7)


def _bounds() -> list[Statement]:
    values = {name: _bound(levels) for name, levels in LEVELS.items()}
    order = tuple(LEVELS)
    shown = tuple(_bound_in_words(levels) for levels in LEVELS.values())
    products = [levels[0] * levels[-1] for levels in LEVELS.values()]
    bpp = [_number(f"table2.{name}.bpp") for name in order]
    changes = tuple(
        f"{_label(f'table2.{name}')}: bound 100 x ({values[name]:.5f} / {values['one-group']:.5f} - 1) = "
        f"{100 * (values[name] / values['one-group'] - 1):.2f} %, rate {_number(f'table2.{name}.bpp_change'):.2f} %"
        for name in order[1:]
    )
    return [
        Statement(
            "itself.bound-order",
            "Sections 3.3 and 4.2",
            "log2 2 + log2 8 < log2 3 + log2 7 < log2 4 + log2 6 < 2 log2 5, so r^T log2 q is below log2 5 for each",
            (
                *shown,
                "The sums of two logarithms are in the order of the products: 16 < 21 < 24 < 25.",
            ),
            _judge(_falling(list(values.values())) and products[1:] == [24, 21, 16]),
            (),
        ),
        Statement(
            "itself.rates-follow-bound",
            "Section 4.2, Table 2",
            "The experimental results are consistent with the analysis: BPP falls as r^T log2 q does",
            ("BPP: " + " > ".join(f"{value:.4f}" for value in bpp), *changes),
            _judge(_falling(bpp)),
            _rows(*(f"table2.{name}.bpp" for name in order)),
        ),
        _below_bound(),
    ]


def _below_bound() -> Statement:
    points = [
        *((f"figure3.{name}", int(name[1:]), LEVELS["c32"]) for name in POINTS),
        *((f"table2.{name}", 32, levels) for name, levels in LEVELS.items()),
        ("table1.se", 32, LEVELS["c32"]),
        ("table1.re", 32, LEVELS["c32"]),
        ("section2", 32, (2,)),
    ]
    lines, below = [], True
    for name, channels, levels in points:
        rate, most = _number(f"{name}.bpp"), channels * _bound(levels) / PIXELS_PER_SYMBOL
        below &= rate < most
        lines.append(
            f"{PLACES[name.split('.')[0]]}, C = {channels}, q = {_q(levels)}: {channels} x {_bound(levels):.5f} / "
            f"{PIXELS_PER_SYMBOL} = {most:.5f} bpp; {rate:.4g} is {100 * (1 - rate / most):.1f} % below"
        )
    return Statement(
        "itself.rates-below-bound",
        "Section 3.3, equation (7)",
        "Every rate lies below the bound C r^T log2 q / 256, that of codes of one length for every value",
        (
            *lines,
            "So entropy coding with the context model saves a tenth at most. (C of the five points of Figure 3 is "
            "taken as 16, 32, 48, 64, 80: the paper says 16 to 80. Four stages of factor 2: a symbol of a channel "
            "for 256 pixels.)",
        ),
        _judge(below),
        _rows(*(f"{name}.bpp" for name, *_ in points)),
    )


# The equations


def _equations() -> list[Statement]:
    return [
        Statement(
            "itself.eq1-index",
            "Section 3.1, equation (1)",
            "Inverse PixelShuffle as printed, channel c(di + j) with 1 <= i, j <= d, preserves all information",
            (
                "d = 2: c = 1, i = 2, j = 2 goes to channel 1 x (2 x 2 + 2) = 6; c = 2, i = 1, j = 1 goes to "
                "2 x (2 x 1 + 1) = 6. Two different elements share a place, and with two channels the largest number "
                "is 2 x 6 = 12 of 8.",
                "A slip of notation: with indices from 0, c d^2 + d i + j is meant.",
            ),
            DOES_NOT_HOLD,
            (),
        ),
        Statement(
            "itself.soft-quantizer",
            "Section 3.2",
            "With pi = 1/Q and sigma = sqrt(2)/2 the GMM quantizer is the soft quantizer",
            (
                "2 sigma^2 = 2 x 2 / 4 = 1, so that N(z | mu, sigma^2) is a constant times exp(-(z - mu)^2). The "
                "constant and pi cancel in equation (4): a softmax of -(z - mu)^2, the soft quantizer at "
                "temperature 1.",
            ),
            HOLDS,
            (),
        ),
        Statement(
            "itself.eq7-equality",
            "Section 3.3, equation (7)",
            "H({Z_g}) = sum of H(Z_g): the joint entropy of the groups is the sum of theirs",
            (
                "Two groups that are copies of one fair bit: H together = 1 bit, the sum = 2 bits. Equality needs "
                "independent groups; in general H({Z_g}) <= sum of H(Z_g), from which the bound follows all the same.",
            ),
            DOES_NOT_HOLD,
            (),
        ),
        Statement(
            "itself.eq7-diversity",
            "Section 3.3",
            "The groups have sum of q_g values where one group has Q: better diversity",
            (
                "3 + 5 + 7 = 4 + 5 + 6 = 2 + 5 + 8 = 15 against 5 counts a value as often as groups have it. Values "
                "of different groups may coincide, and the trained values are not printed: 15 is the most.",
            ),
            NOT_CHECKABLE,
            (),
        ),
    ]


def _bound(levels: Sequence[int]) -> float:
    """r^T log2 q, bits per symbol."""
    ratios = RATIOS if len(levels) > 1 else (1.0,)
    return sum(ratio * math.log2(level) for ratio, level in zip(ratios, levels, strict=True))


def _bound_in_words(levels: Sequence[int]) -> str:
    if len(levels) == 1:
        return f"{_q(levels)}: log2 {levels[0]} = {_bound(levels):.5f}"
    parts = [f"{ratio:g} x {math.log2(level):.5f}" for ratio, level in zip(RATIOS, levels, strict=True)]
    return f"{_q(levels)}: {' + '.join(parts)} = {_bound(levels):.5f}"


def _q(levels: Sequence[int]) -> str:
    return f"[{','.join(map(str, levels))}]"


@cache
def _almost_all() -> float:
    return next(claim.tolerance.at_least for claim in paper() if claim.id == "figure3.above.rippel")


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
    levels = _q(LEVELS.get(name, LEVELS["c32"]))
    kind = f", {NAMES[name]}" if table == "table1" and name in NAMES else ""
    return levels + kind + "".join({"ms_ssim": ", MS-SSIM", "bpp": ", BPP"}[one] for one in metric)


def _judge(holds: bool) -> str:
    return HOLDS if holds else DOES_NOT_HOLD


def _falling(values: Sequence[float]) -> bool:
    return all(first > second for first, second in pairwise(values))


def _rows(*claims: str) -> tuple[tuple[str, str], ...]:
    return ((os.path.relpath(CLAIMS), ", ".join(claims)),)


def _csv(curve: str) -> str:
    return published.path(published.curves()[curve])
