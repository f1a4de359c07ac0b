"""Tables 1 and 2, the rate-distortion table and BD-rates as data frames; `cvqn.report.readable` prints them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from baselines import published
from cvqn.errors import CvqnError
from cvqn.evaluation.bd_rate import Comparison, Reason, bd_rate, compare
from cvqn.evaluation.metrics import ms_ssim_db
from cvqn.evaluation.rate_distortion import points
from cvqn.report.audit.claims import expected_number
from cvqn.report.runs import Experiment, Runs
from cvqn.report.sources import run_name

VARIANT_METRICS = ("psnr_db", "ms_ssim", "bpp")


def variants(runs: Runs, config: dict, table: str) -> pd.DataFrame:
    """Table 1 or 2 (`table` is table1 or table2): a row an experiment and checkpoint.

    Mean, standard deviation (n - 1; nan for one seed), minimum and maximum over the seeds of each metric, the paper's
    value, the change of BPP in percent against the first experiment, and the runs by name.
    """
    rows = compare_experiments(runs, config, config["report"][table])
    for row in rows:
        for metric in VARIANT_METRICS:
            row[f"{metric}_paper"] = expected_number(f"{table}.{row['experiment']}.{metric.removesuffix('_db')}")
        row["bpp_change_percent_paper"] = expected_number(f"{table}.{row['experiment']}.bpp_change")
    return pd.DataFrame(rows)


def compare_experiments(runs: Runs, config: dict, names: Sequence[str]) -> list[dict]:
    """A row an experiment and checkpoint, as in `variants` but without the paper's values; empty where not measured."""
    found = {(name, checkpoint): runs.get(name, checkpoint) for name in names for checkpoint in ("last", "best")}
    rows = []
    for (name, checkpoint), one in found.items():
        model = config["experiments"][name]["model"]
        row = {
            "experiment": name,
            "levels": str(model["levels"]),
            "importance": model["importance"]["kind"],
            "checkpoint": checkpoint,
            "seeds": 0 if one is None else len(one.seeds),
        }
        for metric in VARIANT_METRICS:
            row |= _spread(metric, one)
        row["bpp_change_percent"] = _change(one, found[names[0], checkpoint]) if name != names[0] else None
        row["runs"] = "" if one is None else " ".join(run_name(name, seed, checkpoint) for seed in one.seeds)
        rows.append(row)
    return rows


def extras(runs: Runs, config: dict) -> pd.DataFrame:
    """The ablations beyond the paper against the paper's model: the first seed of each, c32 first.

    Only first seeds, as the ablations have no other, so that no mean over three seeds stands beside a single run.
    """
    first = config["seeds"][0]
    rows = every_run(runs)
    rows = rows[(rows["checkpoint"] == "last") & (rows["seed"] == first)]
    order = list(dict.fromkeys([*config["report"]["table2"], *config["extras"]]))
    rows = rows[rows["experiment"].isin(order)].sort_values("experiment", key=lambda names: names.map(order.index))
    if rows.empty:
        raise CvqnError("no run of extras was measured; run the target extras first")
    return rows.reset_index(drop=True)


def every_run(runs: Runs) -> pd.DataFrame:
    """A row a measured run and checkpoint: its means over the images, and the files and lines they come from."""
    return pd.DataFrame([row for one in runs for row in _runs(one)])


def rate_distortion(measurements: pd.DataFrame, config: dict) -> pd.DataFrame:
    """Every codec at every setting and every run of the rate curve: means over the images, and their files."""
    curve_runs = measurements["experiment"].isna() | measurements["experiment"].isin(config["report"]["rate_curve"])
    rows = []
    for (codec, setting), own in measurements[curve_runs].groupby(["codec", "setting"]):
        mean = own[["bpp", "ms_ssim", "psnr_db", "encode_s", "decode_s"]].mean()
        rows.append(
            {
                "codec": codec,
                "setting": setting,
                "images": len(own),
                "bytes": int(own["bytes"].sum()),
                "bpp": mean["bpp"],
                "ms_ssim": mean["ms_ssim"],
                "ms_ssim_db": ms_ssim_db(mean["ms_ssim"]),
                "psnr_db": mean["psnr_db"],
                "encode_s": mean["encode_s"],
                "decode_s": mean["decode_s"],
                **_evidence(own),
            }
        )
    order = ["cvqn", *config["codecs"]]
    table = pd.DataFrame(rows)
    table["rank"] = [order.index(codec) if codec in order else len(order) for codec in table["codec"]]
    return table.sort_values(["rank", "codec", "bpp"], kind="stable").drop(columns="rank").reset_index(drop=True)


def bd_rates(measurements: pd.DataFrame, config: dict) -> pd.DataFrame:
    """BD-rate (percent) and BD-MS-SSIM (dB) of CVQN's last checkpoints against every measured and published curve.

    With 95 % intervals over the choice of images; where there is no number, `<delta>_reason` says why, and `left_out`
    counts the choices of images that gave none. `paper_percent` is the same number between the paper's plotted
    points of CVQN and those of the codec. Published curves are on Kodak: elsewhere they are left out.

    Raises:
        CvqnError: fewer than two rate points were measured.
    """
    own = measurements[
        measurements["experiment"].isin(config["report"]["rate_curve"]) & (measurements["checkpoint"] == "last")
    ]
    if own["experiment"].nunique() < 2:
        raise CvqnError("a BD-rate needs two rate points of CVQN or more; measure the runs of report.rate_curve")
    test = points(own, by="experiment")
    resamplings = config["report"]["bootstrap"]
    paper = published.curves("figure-3")
    rows = []
    for codec, rates in measurements[measurements["codec"] != "cvqn"].groupby("codec", sort=False):
        anchor = points(rates)
        comparison = compare(anchor, test, resamplings)
        rows.append(
            {
                "anchor": codec,
                "kind": "measured",
                **_bd(comparison),
                "paper_percent": None,
                "file": rates["file"].iloc[0],
            }
        )
    if config["data"]["evaluation"] == "kodak":
        cvqn = _published_points(paper["figure3-cvqn"])
        for name, curve in published.curves().items():
            comparison = compare(_published_points(curve), test, resamplings)
            plotted = bd_rate(_published_points(curve), cvqn) if name in paper and name != "figure3-cvqn" else None
            file = f"baselines/published/{name}.csv"
            rows.append(
                {"anchor": name, "kind": "published", **_bd(comparison), "paper_percent": plotted, "file": file}
            )
    return pd.DataFrame(rows)


def _spread(metric: str, one: Experiment | None) -> dict[str, float | None]:
    keys = [f"{metric}_{part}" for part in ("mean", "std", "min", "max")]
    if one is None:
        return dict.fromkeys(keys)
    means = one.means(metric)
    std = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return dict(zip(keys, (float(means.mean()), std, float(means.min()), float(means.max())), strict=True))


def _change(one: Experiment | None, base: Experiment | None) -> float | None:
    return None if one is None or base is None else 100 * float(one.means("bpp").mean() / base.means("bpp").mean() - 1)


def _runs(one: Experiment) -> list[dict]:
    """A row a run: its means over the images and where they come from."""
    rows = []
    for position, seed in enumerate(one.seeds):
        own = one.rows[one.rows["seed"] == seed]
        row = {
            "experiment": one.name,
            "checkpoint": one.checkpoint,
            "run": run_name(one.name, seed, one.checkpoint),
            "seed": seed,
            "images": len(own),
        }
        row |= {metric: float(values[position].mean()) for metric, values in one.values.items()}
        rows.append(row | {"ms_ssim_db": float(one.means("ms_ssim_db")[position])} | _evidence(own))
    return rows


def _evidence(rows: pd.DataFrame) -> dict[str, str]:
    """The archive of bitstreams, the measurement file, and the lines in it."""
    lines = sorted(rows["row"])
    ranges = f"{lines[0]}-{lines[-1]}" if lines == list(range(lines[0], lines[-1] + 1)) else " ".join(map(str, lines))
    return {"bitstreams": rows["bitstreams"].iloc[0], "measurements": rows["file"].iloc[0], "lines": ranges}


def _published_points(curve: published.PublishedCurve) -> tuple[np.ndarray, np.ndarray]:
    return curve.bpp, curve.ms_ssim_db


def _bd(comparison: Comparison) -> dict[str, float | str | None]:
    """Estimate and ends of both deltas, or the reason why there is none."""
    values = {}
    for name, delta in (("bd_rate_percent", comparison.rate_percent), ("bd_ms_ssim_db", comparison.ms_ssim_db)):
        missing = isinstance(delta, Reason)
        ends = (None, None, None) if missing else delta
        values |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        values[f"{name}_reason"] = str(delta) if missing else ""
    return values | {"overlap": comparison.overlap, "left_out": comparison.left_out}
