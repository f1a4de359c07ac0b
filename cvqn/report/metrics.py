"""metrics.json: every headline number of a scale as a flat mapping, for comparison between commits."""

import math

import pandas as pd

from cvqn.report.runs import Runs

POINT = ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db", "cross_entropy_bpp")


def metrics(
    runs: Runs, codecs: pd.DataFrame, bd_rates: pd.DataFrame | None, channels: dict[str, float], config: dict
) -> dict[str, float | str]:
    """Finite numbers, or the reason why a delta between curves is none. Keys in order:

    `<experiment>.<metric>`: the mean over seeds of the last checkpoint, and `.<metric>_std` where there are several;
    `<experiment>.best.<metric>`: the same of the best checkpoint; `<experiment>.bpp_change_percent` against the first
    experiment of the tables; `codec.<codec>.<setting>.<metric>`; `bd_rate.<curve>` and `bd_ms_ssim.<curve>`, a
    published curve as `published.<curve>`; and `channels` as given. What was not measured has no key.
    """
    found: dict[str, float | str] = {}
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
        for key, column in (("bd_rate", "bd_rate_percent"), ("bd_ms_ssim", "bd_ms_ssim_db")):
            missing = pd.isna(row[column])
            found[f"{key}.{anchor}"] = f"no number: {row[f'{column}_reason']}" if missing else row[column]
    found |= channels
    return {
        key: value if isinstance(value, str) else float(f"{value:.10g}")
        for key, value in found.items()
        if isinstance(value, str) or (value is not None and math.isfinite(value))
    }
