"""metrics.json: every headline number of a scale as flat, finite scalars, for comparison between commits."""

import math

import pandas as pd

from cvqn.lab.report.runs import Runs

POINT = ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db", "cross_entropy_bpp")


def metrics(
    runs: Runs, codecs: pd.DataFrame, bd_rates: pd.DataFrame | None, channels: dict[str, float], config: dict
) -> dict[str, float]:
    """Keys in order:

    `<experiment>.<metric>`: the mean over seeds of the last checkpoint, and `.<metric>_std` where there are several;
    `<experiment>.best.<metric>`: the same of the best checkpoint; `<experiment>.bpp_change_percent` against the first
    experiment of the tables; `codec.<codec>.<setting>.<metric>`; `bd_rate.<curve>` and `bd_ms_ssim.<curve>`, a
    published curve as `published.<curve>`; and `channels` as given. What was not measured has no key.
    """
    found: dict[str, float] = {}
    for name in config["experiments"]:
        for checkpoint, prefix in (("last", name), ("best", f"{name}.best")):
            one = runs.get(name, checkpoint)
            for metric in POINT if one is not None else ():
                if metric in one.values or metric == "ms_ssim_db":
                    means = one.means(metric)
                    found[f"{prefix}.{metric}"] = means.mean()
                    if len(means) > 1:
                        found[f"{prefix}.{metric}_std"] = means.std(ddof=1)
    baseline = config["report"]["table1"][0]
    for name in dict.fromkeys([*config["report"]["table1"][1:], *config["report"]["table2"][1:]]):
        if f"{name}.bpp" in found and f"{baseline}.bpp" in found:
            found[f"{name}.bpp_change_percent"] = 100 * (found[f"{name}.bpp"] / found[f"{baseline}.bpp"] - 1)
    for row in codecs.to_dict("records"):
        for metric in ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db"):
            found[f"codec.{row['codec']}.{row['setting']}.{metric}"] = row[metric]
    for row in [] if bd_rates is None else bd_rates.to_dict("records"):
        anchor = row["anchor"] if row["kind"] == "measured" else f"published.{row['anchor']}"
        found[f"bd_rate.{anchor}"] = row["bd_rate_percent"]
        found[f"bd_ms_ssim.{anchor}"] = row["bd_ms_ssim_db"]
    found |= channels
    return {key: float(f"{value:.10g}") for key, value in found.items() if value is not None and math.isfinite(value)}
