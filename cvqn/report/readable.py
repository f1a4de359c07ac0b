"""The tables as Markdown pages: rounded, with the paper's value beside ours, and the scale named."""

import pandas as pd

from cvqn.report.output import markdown_table

NOT_MEASURED = "not measured"
METRICS = {"psnr_db": ("PSNR", 3), "ms_ssim": ("MS-SSIM", 4), "bpp": ("BPP", 4)}
TITLES = {
    "table1": "Table 1: channel importance, C = 32",
    "table2": "Table 2: combinations of levels, C = 32",
}


def variants_page(table: str, summary: pd.DataFrame, runs: pd.DataFrame, scale: str, monitored: bool) -> str:
    """Table 1 or 2: means over seeds with their spread, the paper's values, then every run.

    Args:
        monitored: whether the trainings were evaluated on their way, so that there was a best checkpoint to choose.
    """
    best = (
        "`best` the checkpoint of best MS-SSIM on the test set, the paper's protocol"
        if monitored
        else "`best` is the same one: no training was evaluated before its end"
    )
    rows = []
    for row in summary.to_dict("records"):
        cells = {"q": row["levels"], "importance": row["importance"], "checkpoint": row["checkpoint"]}
        for metric, (name, digits) in METRICS.items():
            if table == "table2" or metric != "psnr_db":
                cells[name] = _mean(row, metric, digits)
                cells[f"{name}, paper"] = _number(row[f"{metric}_paper"], digits)
        cells["BPP change"] = _percent(row["bpp_change_percent"])
        cells["change, paper"] = _percent(row["bpp_change_percent_paper"])
        rows.append(cells)
    own = runs[runs["experiment"].isin(summary["experiment"])]
    parts = [
        _head(TITLES[table], scale),
        f"`last` is the model at the end of training; {best}. Mean ± standard deviation (min to max) over the seeds.",
        markdown_table(rows),
        "## Every run",
        NOT_MEASURED if own.empty else _runs_table(own),
    ]
    return "\n\n".join(parts) + "\n"


def runs_page(runs: pd.DataFrame, scale: str) -> str:
    """Every run of every experiment."""
    note = "Means over the images. The archive of bitstreams, the measurement file and its lines: `runs.csv`."
    return "\n\n".join([_head("Every run", scale), note, _runs_table(runs)]) + "\n"


def extras_page(table: pd.DataFrame, scale: str) -> str:
    """The ablations beyond the paper."""
    note = "One seed each, at the end of training, beside the runs of Table 2 with it. Files and lines: `extras.csv`."
    return "\n\n".join([_head("Beyond the paper: ablations", scale), note, _runs_table(table)]) + "\n"


def rate_distortion_page(table: pd.DataFrame, scale: str) -> str:
    """All codecs and settings."""
    rows = [
        {
            "codec": row["codec"],
            "setting": row["setting"],
            "bpp": f"{row['bpp']:.4f}",
            "MS-SSIM": f"{row['ms_ssim']:.4f}",
            "MS-SSIM, dB": f"{row['ms_ssim_db']:.2f}",
            "PSNR, dB": f"{row['psnr_db']:.2f}",
            "encode, s": f"{row['encode_s']:.2f}",
            "decode, s": f"{row['decode_s']:.2f}",
        }
        for row in table.to_dict("records")
    ]
    images = ", ".join(str(count) for count in sorted(table["images"].unique()))
    note = (
        f"Means over {images} images; dB is that of the mean MS-SSIM; seconds an image. "
        "Files and lines: `rate-distortion.csv`."
    )
    return (
        "\n\n".join([_head("Rate and distortion", scale), note, markdown_table(rows, right=list(rows[0])[2:])]) + "\n"
    )


def bd_rate_page(table: pd.DataFrame, scale: str) -> str:
    """BD-rates against measured and published curves."""
    rows = [
        {
            "CVQN against": row["anchor"],
            "curve": row["kind"],
            "BD-rate, %": _interval(row, "bd_rate_percent", 1),
            "BD-MS-SSIM, dB": _interval(row, "bd_ms_ssim_db", 2),
            "shared range": "–" if _absent(row["overlap"]) else f"{100 * row['overlap']:.0f} %",
            "the paper's points, BD-rate": _percent(row["paper_percent"], 1),
        }
        for row in table.to_dict("records")
    ]
    note = (
        "Mean difference over the shared range of MS-SSIM in dB (monotone interpolation); negative rates favour CVQN. "
        "In brackets the 95 % interval over the choice of images, the same ones for both curves where both were "
        "measured here; a published curve, of which only the points are known, is held fixed. Where a number would "
        "mean nothing, the reason stands in its place (test: CVQN; anchor: the other curve)."
    )
    return "\n\n".join([_head("BD-rate of CVQN", scale), note, markdown_table(rows) if rows else NOT_MEASURED]) + "\n"


def equation7_page(table: pd.DataFrame, scale: str) -> str:
    """Bound, measured bits and diversity of each combination, means over its runs."""
    bits = ["bound_bits_per_symbol", "entropy_bits_per_symbol", "coded_bits_per_symbol"]
    means = table.groupby(["experiment", "levels", "group"], sort=False)[bits].mean()
    used = table.groupby(["experiment", "levels", "group"], sort=False)["values_used"].agg(
        lambda one: "/".join(map(str, one))
    )
    there = table.groupby(["experiment", "levels", "group"], sort=False)["values"].first()
    first = means.xs("all", level="group").iloc[0]
    rows = []
    for (experiment, levels, group), row in means.iterrows():
        cells = {"experiment": experiment, "q": levels, "group": group}
        for name, column in zip(("bound, bit/symbol", "entropy", "coded"), bits, strict=True):
            change = (
                f" ({100 * (row[column] / first[column] - 1):+.2f} %)"
                if group == "all" and experiment != first.name[0]
                else ""
            )
            cells[name] = f"{row[column]:.4f}{change}"
        rows.append(cells | {"values used": f"{used[experiment, levels, group]} of {there[experiment, levels, group]}"})
    note = (
        "The bound is log2 q of a group and r^T log2 q of a run (group all); entropy is that of single symbols, "
        f"without context; coded is what the context model spends. In brackets the change against {first.name[0]}. "
        f"Values used: one number a run. {_seeds(table)}Every run: `equation7.csv`."
    )
    return "\n\n".join([_head("Equation (7): bound, bits and diversity", scale), note, markdown_table(rows)]) + "\n"


def importance_page(table: pd.DataFrame, scale: str) -> str:
    """Rank correlations of each run's order with influence."""
    rows = [
        {
            "importance": row["importance"],
            "run": row["run"],
            "order and PSNR loss": _number(row["order_psnr"], 2),
            "order and MS-SSIM loss": _number(row["order_ms_ssim"], 2),
            "SE's w and PSNR loss": _number(row["weights_psnr"], 2),
            "SE's w and MS-SSIM loss": _number(row["weights_ms_ssim"], 2),
        }
        for row in table.to_dict("records")
    ]
    note = (
        "Spearman's rank correlation, over the channels, of their place in the order of importance (and of SE's weight "
        "w) with what the decoded pictures lose, in dB and averaged over the images, when the channel's quantized "
        f"values are set to 0. {_seeds(table)}Files: `importance.csv`."
    )
    return "\n\n".join([_head("Order of the channels and their influence", scale), note, markdown_table(rows)]) + "\n"


def _seeds(table: pd.DataFrame) -> str:
    """Says so where every experiment has one run only."""
    return "One seed each. " if table.groupby("experiment")["run"].nunique().max() == 1 else ""


def _head(title: str, scale: str) -> str:
    return f"# {title}" + ("" if scale == "paper" else f"\n\nScale {scale}: a demonstration, not a reproduction.")


def _runs_table(runs: pd.DataFrame) -> str:
    rows = [
        {"run": row["run"]}
        | {name: _number(row[metric], digits) for metric, (name, digits) in METRICS.items()}
        | {
            "BPP, cross entropy": _number(row.get("cross_entropy_bpp"), 4),
            "BPP, bound": _number(row.get("bound_bpp"), 4),
            "images": row["images"],
        }
        for row in runs.to_dict("records")
    ]
    return markdown_table(rows, right=list(rows[0])[1:])


def _mean(row: dict, metric: str, digits: int) -> str:
    mean, std = row[f"{metric}_mean"], row[f"{metric}_std"]
    if _absent(mean):
        return NOT_MEASURED
    if _absent(std):
        return f"{mean:.{digits}f} (one seed)"
    low, high = row[f"{metric}_min"], row[f"{metric}_max"]
    return f"{mean:.{digits}f} ± {std:.{digits + 1}f} ({low:.{digits}f} to {high:.{digits}f})"


def _interval(row: dict, name: str, digits: int) -> str:
    if _absent(row[name]):
        return f"no number: {row[f'{name}_reason']}"
    return f"{row[name]:+.{digits}f} [{row[f'{name}_low']:+.{digits}f}, {row[f'{name}_high']:+.{digits}f}]"


def _number(value: float | None, digits: int) -> str:
    return "–" if _absent(value) else f"{value:.{digits}f}"


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if _absent(value) else f"{value:+.{digits}f} %"


def _absent(value: object) -> bool:
    return value is None or pd.isna(value)
