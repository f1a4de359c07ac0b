"""The tables as Markdown pages: rounded, with the paper's value beside ours, and the scale named."""

import pandas as pd

from cvqn.report.markdown import markdown_table

NOT_MEASURED = "not measured"
METRICS = {"psnr_db": ("PSNR", 3), "ms_ssim": ("MS-SSIM", 4), "bpp": ("BPP", 4)}
TITLES = {
    "table1": "Table 1: channel importance, C = 32",
    "table2": "Table 2: combinations of levels, C = 32",
}


def variants_page(table: str, summary: pd.DataFrame, single: pd.DataFrame, scale: str) -> str:
    """Table 1 or 2: means over seeds with their spread, the paper's values, then every run."""
    rows = []
    for row in summary.to_dict("records"):
        cells = {"q": row["levels"], "importance": row["importance"], "checkpoint": row["checkpoint"]}
        for metric, (name, digits) in METRICS.items():
            cells[name] = _mean(row, metric, digits)
            cells[f"{name}, paper"] = _number(row[f"{metric}_paper"], digits) or "–"
        cells["BPP change"] = _percent(row["bpp_change_percent"])
        cells["change, paper"] = _percent(row["bpp_change_percent_paper"])
        rows.append(cells)
    names = list(METRICS.values())
    parts = [
        _head(TITLES[table], scale),
        "`last` is the model at the end of training; `best` the checkpoint of best MS-SSIM on the test set, the paper's protocol. "
        "Mean ± standard deviation (min to max) over the seeds.",
        markdown_table([{key: value for key, value in row.items() if table == "table2" or not key.startswith("PSNR")} for row in rows]),
        "## Every run",
    ]
    if single.empty:
        parts.append(NOT_MEASURED)
    else:
        runs = [
            {"run": row["run"], "checkpoint": row["checkpoint"]}
            | {name: _number(row[metric], digits) for metric, (name, digits) in zip(METRICS, names, strict=True)}
            | {"BPP, cross entropy": _number(row.get("cross_entropy_bpp"), 4) or "–", "images": row["images"]}
            for row in single.to_dict("records")
        ]
        parts += [markdown_table(runs), f"Bitstreams, measurement files and lines: `{table}-runs.csv`."]
    return "\n\n".join(parts) + "\n"


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
    note = f"Means over {images} images; dB is that of the mean MS-SSIM; seconds an image. Files and lines: `rate-distortion.csv`."
    return "\n\n".join([_head("Rate and distortion", scale), note, markdown_table(rows, right=list(rows[0])[2:])]) + "\n"


def bd_rate_page(table: pd.DataFrame, scale: str) -> str:
    """BD-rates against measured and published curves."""
    rows = [
        {
            "CVQN against": row["anchor"],
            "curve": row["kind"],
            "BD-rate, %": _interval(row, "bd_rate_percent", 1),
            "BD-MS-SSIM, dB": _interval(row, "bd_ms_ssim_db", 2),
            "shared range": f"{100 * row['overlap']:.0f} %",
            "the paper's points, BD-rate": _percent(row["paper_percent"], 1),
        }
        for row in table.to_dict("records")
    ]
    note = (
        "Mean difference over the shared range of MS-SSIM in dB (Akima interpolation); negative rates favour CVQN. In brackets the "
        "95 % interval over the choice of images, the same ones for both curves where the other was measured here."
    )
    return "\n\n".join([_head("BD-rate of CVQN", scale), note, markdown_table(rows)]) + "\n"


def equation7_page(table: pd.DataFrame, scale: str) -> str:
    """Bound, measured bits and diversity."""
    rows = [
        {
            "run": row["run"],
            "q": row["levels"],
            "group": row["group"],
            "bound, bit/symbol": f"{row['bound_bits_per_symbol']:.5f}",
            "entropy": f"{row['entropy_bits_per_symbol']:.4f}",
            "coded": f"{row['coded_bits_per_symbol']:.4f}",
            "values used": f"{row['values_used']} of {row['values']}",
        }
        for row in table.to_dict("records")
    ]
    note = (
        "The bound is log2 q of a group and r^T log2 q of a run (group all); entropy is that of single symbols, without context; coded is "
        "what the context model spends."
    )
    return "\n\n".join([_head("Equation (7): bound, bits and diversity", scale), note, markdown_table(rows)]) + "\n"


def _head(title: str, scale: str) -> str:
    return f"# {title}" + ("" if scale == "paper" else f"\n\nScale {scale}: a demonstration, not a reproduction.")


def _mean(row: dict, metric: str, digits: int) -> str:
    mean, std = row[f"{metric}_mean"], row[f"{metric}_std"]
    if _absent(mean):
        return NOT_MEASURED
    if _absent(std):
        return f"{mean:.{digits}f} (one seed)"
    return f"{mean:.{digits}f} ± {std:.{digits}f} ({row[f'{metric}_min']:.{digits}f} to {row[f'{metric}_max']:.{digits}f})"


def _interval(row: dict, name: str, digits: int) -> str:
    if _absent(row[name]):
        return "no shared range"
    return f"{row[name]:+.{digits}f} [{row[f'{name}_low']:+.{digits}f}, {row[f'{name}_high']:+.{digits}f}]"


def _number(value: float | None, digits: int) -> str:
    return "" if _absent(value) else f"{value:.{digits}f}"


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if _absent(value) else f"{value:+.{digits}f} %"


def _absent(value: object) -> bool:
    return value is None or pd.isna(value)
