"""The analysis of equation (7): bound, measured bits and diversity of values for each combination of levels."""

import math

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.report.channels import distinct_values, symbol_shares
from cvqn.report.sources import run_name


def equation7(groups: pd.DataFrame, config: dict) -> pd.DataFrame:
    """One row for each run of the tables (`group` is "all"), followed by one for each of its groups.

    `bound_bits_per_symbol` is log2 q_g, for a run r^T log2 q; `entropy_bits_per_symbol` is that of single symbols,
    `coded_bits_per_symbol` what the context model spends; `values_used` counts the distinct values that occur, of
    `values` that there are: q_g, for a run their sum. A value that several groups share counts once in a run's
    `values_used`, which is empty where the analysis has no values.

    Raises:
        CvqnError: no run of the tables was analysed.
    """
    names = dict.fromkeys([*config["report"]["table2"], *config["report"]["table1"]])
    analysed = set(groups["run"])
    rows = []
    for name in names:
        levels = str(config["experiments"][name]["model"]["levels"])
        for run in (run_name(name, seed) for seed in config["seeds"]):
            if run in analysed:
                own = groups[groups["run"] == run]
                about = {"experiment": name, "levels": levels, "run": run}
                rows += [about | part | {"file": own["file"].iloc[0]} for part in _parts(own, run)]
    if not rows:
        raise CvqnError("no run of the tables was analysed; run cvqn analyse on them first")
    return pd.DataFrame(rows)


def _parts(rows: pd.DataFrame, run: str) -> list[dict[str, object]]:
    """The whole run, then its groups."""
    shares = symbol_shares(rows, run)
    groups = []
    for group, own in rows.groupby("group"):
        used = shares[int(group)][shares[int(group)] > 0]
        symbols = int(own["symbols"].sum())
        groups.append(
            {
                "group": str(int(group)),
                "symbols": symbols,
                "bound": symbols * math.log2(len(shares[int(group)])),
                "entropy": -symbols * float(np.sum(used * np.log2(used))),
                "coded": float(own["bits"].sum()),
                "values_used": len(used),
                "values": len(shares[int(group)]),
            }
        )
    whole = {key: sum(one[key] for one in groups) for key in groups[0] if key != "group"}
    distinct = distinct_values(rows, run)
    whole |= {"group": "all", "values_used": "" if distinct is None else distinct}
    return [_per_symbol(part) for part in (whole, *groups)]


def _per_symbol(part: dict[str, object]) -> dict[str, object]:
    bits = {f"{key}_bits_per_symbol": part[key] / part["symbols"] for key in ("bound", "entropy", "coded")}
    return {
        "group": part["group"],
        "symbols": part["symbols"],
        **bits,
        "values_used": part["values_used"],
        "values": part["values"],
    }
