"""The analysis of equation (7): bound, measured bits and diversity of values for each combination of levels."""

import math

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.channels import distinct_values, symbol_shares
from cvqn.lab.report.output import markdown_page, markdown_table, one_seed
from cvqn.lab.report.sources import Sources

BITS = {
    "bound_bits_per_symbol": "bound, bit/symbol",
    "entropy_bits_per_symbol": "entropy",
    "coded_bits_per_symbol": "coded",
}


def table(sources: Sources) -> pd.DataFrame:
    """One row for each run of the tables (`group` is "all"), followed by one for each of its groups.

    `bound_bits_per_symbol` is log2 q_g for a group and r^T log2 q for a run. `entropy_bits_per_symbol` is the entropy
    of single symbols, `coded_bits_per_symbol` what the context model spends. `values` is q_g for a group and the sum of
    q_g for a run; `values_used` is the number of distinct values that occur. In a run's, a value that several groups
    share counts once; it is empty if the analysis has no values.

    Raises:
        CvqnError: no run of the tables was analysed.
    """
    report = sources.configuration.report
    rows = []
    for experiment in dict.fromkeys([*report.table2, *report.table1]):
        for run in (one.name for one in sources.analysed if one.experiment == experiment):
            own = sources.groups[sources.groups["run"] == run]
            levels = str([int(group["levels"].iloc[0]) for _, group in own.groupby("group")])
            about = {"experiment": experiment, "levels": levels, "run": run}
            rows += [about | part | {"file": own["file"].iloc[0]} for part in _parts(own, run)]
    if not rows:
        raise CvqnError("no run of the tables was analysed; run cvqn evaluate on them first")
    return pd.DataFrame(rows)


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown: each combination of levels, with means over its runs."""
    parts = table.groupby(["experiment", "levels", "group"], sort=False)
    first = table.iloc[0]["experiment"]
    base = table[(table["experiment"] == first) & (table["group"] == "all")][list(BITS)].mean()
    rows = []
    for (experiment, levels, group), own in parts:
        cells = {"experiment": experiment, "q": levels, "group": group}
        for column, label in BITS.items():
            mean = own[column].mean()
            compared = group == "all" and experiment != first
            cells[label] = f"{mean:.4f}" + (f" ({100 * (mean / base[column] - 1):+.2f} %)" if compared else "")
        used = "/".join(str(one) or "–" for one in own["values_used"])
        rows.append(cells | {"values used": f"{used} of {own['values'].iloc[0]}"})
    note = (
        "The bound is log2 q of a group and r^T log2 q of a run (group all). Entropy is that of single symbols, "
        f"without context; coded is what the context model spends. In brackets is the change against {first}. "
        "Values used: one number per run; a value that groups share counts once. "
        f"{one_seed(table)}Every run: `equation7.csv`."
    )
    return markdown_page("Equation (7): bound, bits and diversity", sources.scale, note, markdown_table(rows))


def _parts(rows: pd.DataFrame, run: str) -> list[dict[str, object]]:
    """The row of the whole run, then those of its groups."""
    groups = []
    for group, shares in symbol_shares(rows, run).items():
        own = rows[rows["group"] == group]
        used, symbols = shares[shares > 0], int(own["symbols"].sum())
        bits = (math.log2(len(shares)), -float(np.sum(used * np.log2(used))), own["bits"].sum() / symbols)
        groups.append({"group": str(group), "symbols": symbols} | dict(zip(BITS, bits, strict=True)))
        groups[-1] |= {"values_used": len(used), "values": len(shares)}
    symbols = sum(one["symbols"] for one in groups)
    bits = {column: sum(one[column] * one["symbols"] for one in groups) / symbols for column in BITS}
    distinct = distinct_values(rows, run)
    values = {"values_used": "" if distinct is None else distinct, "values": sum(one["values"] for one in groups)}
    return [{"group": "all", "symbols": symbols} | bits | values, *groups]
