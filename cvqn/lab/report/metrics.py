"""metrics.json: every headline number of a scale as a flat mapping, for comparison between commits."""

import json
import math
from pathlib import Path

import pandas as pd

from cvqn.files import atomic_write
from cvqn.lab.report.channels import channel_metrics
from cvqn.lab.report.output import absent
from cvqn.lab.report.sources import Sources, read_table
from cvqn.lab.report.tables import rate_distortion
from cvqn.lab.settings.runs import CHECKPOINTS

DELTAS = {"bd_rate": "bd_rate_percent", "bd_ms_ssim": "bd_ms_ssim_db"}
POINT = ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db", "cross_entropy_bpp")


def write_metrics(sources: Sources, path: str | Path) -> None:
    """Write the metrics of a scale as JSON; deltas are read from the table bd-rate, which must exist.

    Raises:
        CvqnError: a file is missing or damaged.
    """
    columns = [column for delta in DELTAS.values() for column in (delta, f"{delta}_reason")]
    bd_rates = read_table(sources.results.table("bd-rate"), ("anchor", "kind", *columns))
    with atomic_write(path, "w") as file:
        json.dump(metrics(sources, bd_rates), file, indent=1)
        file.write("\n")


def metrics(sources: Sources, bd_rates: pd.DataFrame) -> dict[str, float | str]:
    """The headline numbers by key: finite numbers, or the reason why there is no delta between two curves.

    - `<experiment>.<metric>`: mean over the seeds at the last checkpoint, and `<metric>_std` for several seeds;
    - `<experiment>.best.<metric>` and `<experiment>.held-out.<metric>`: the same at the selected checkpoints;
    - `<experiment>.bpp_change_percent`: against the first experiment of the tables;
    - `codec.<codec>.<setting>.<metric>`: conventional codecs;
    - `bd_rate.<curve>` and `bd_ms_ssim.<curve>`; the name of a published curve is `published.<curve>`;
    - the keys of `channel_metrics`.

    What was not measured has no key.
    """
    found: dict[str, float | str] = {**_experiments(sources)}
    table = rate_distortion.table(sources)
    for row in table[table["experiment"] == ""].to_dict("records"):
        for metric in ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db"):
            found[f"codec.{row['codec']}.{row['setting']}.{metric}"] = row[metric]
    for row in bd_rates.to_dict("records"):
        anchor = row["anchor"] if row["kind"] == "measured" else f"published.{row['anchor']}"
        for key, column in DELTAS.items():
            missing = f"no number: {row[f'{column}_reason']}"
            found[f"{key}.{anchor}"] = missing if absent(row[column]) else row[column]
    importance = [sources.importance(run)[1] for run in sources.analysed]
    if importance:
        found |= channel_metrics(sources.channels, sources.groups, importance)
    return {
        key: value if isinstance(value, str) else float(f"{value:.10g}")
        for key, value in found.items()
        if isinstance(value, str) or (value is not None and math.isfinite(value))
    }


def _experiments(sources: Sources) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in sources.configuration.experiments:
        for checkpoint in CHECKPOINTS:
            prefix = name if checkpoint == "last" else f"{name}.{checkpoint}"
            one = sources.measured.get(name, checkpoint)
            for metric in POINT if one is not None else ():
                if metric in one.values or metric == "ms_ssim_db":
                    means = one.means(metric)
                    found[f"{prefix}.{metric}"] = means.mean()
                    if len(means) > 1:
                        found[f"{prefix}.{metric}_std"] = means.std(ddof=1)
    report = sources.configuration.report
    base = f"{report.table1[0]}.bpp"
    for name in dict.fromkeys([*report.table1[1:], *report.table2[1:]]):
        if f"{name}.bpp" in found and base in found:
            found[f"{name}.bpp_change_percent"] = 100 * (found[f"{name}.bpp"] / found[base] - 1)
    return found
