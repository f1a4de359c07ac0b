"""Learned codecs side by side: what each model cost to train, how large it is, what it achieves."""

import pandas as pd

from cvqn.codecs import registry
from cvqn.lab.evaluation.bd_rate import Reason, compare
from cvqn.lab.provenance.training import read_provenance
from cvqn.lab.report.budget import COLUMNS as BUDGET
from cvqn.lab.report.budget import budget, span
from cvqn.lab.report.curves import measured_curves
from cvqn.lab.report.output import markdown_page, markdown_table, number
from cvqn.lab.report.sources import Sources, read_table

COLUMNS = {
    **BUDGET,
    "parameters": ("parameters", 0),
    "kmacs_per_pixel": ("kMAC per pixel", 1),
    "bpp": ("bpp", 4),
    "ms_ssim": ("MS-SSIM", 4),
    "psnr_db": ("PSNR, dB", 2),
    "encode_s": ("encode, CPU s", 2),
    "decode_s": ("decode, CPU s", 2),
}
MEASURED = ["bpp", "ms_ssim", "psnr_db", "encode_s", "decode_s", "images", "measurements"]


def table(sources: Sources) -> pd.DataFrame:
    """A row per measured run of every learned curve, at its last checkpoint, by codec and rate.

    Each row has the training's `Budget`; `exact`: whether a file decodes to the same symbols on every machine; and
    `bd_rate_percent`, the codec's BD-rate against the method of the rate curve, with its 95 % interval over images, or
    the `bd_rate_reason` why there is none.

    Raises:
        CvqnError: no run of the rate curve was measured, or a run's record is missing or damaged.
    """
    [path] = sources.files("complexity")
    sizes = read_table(path, ("experiment", "parameters", "macs_per_pixel")).set_index("experiment")
    found = sources.means[sources.means["checkpoint"] == "last"]
    deltas, rows = _deltas(sources), []
    for codec, experiments in sources.learned_curves.items():
        own = found[(found["codec"] == codec) & found["experiment"].isin(experiments)].sort_values("bpp")
        for run in own.to_dict("records"):
            about = {"codec": codec, "experiment": run["experiment"], "run": run["setting"], "seed": int(run["seed"])}
            had = budget(read_provenance(sources.results.training(run["setting"])))
            size = sizes.loc[run["experiment"]]
            rows.append(
                about
                | had._asdict()
                | {"parameters": int(size["parameters"]), "kmacs_per_pixel": size["macs_per_pixel"] / 1000}
                | {"exact": registry.learned(codec).exact}
                | {column: run.get(column) for column in MEASURED}
                | deltas.get(codec, {})
            )
    return pd.DataFrame(rows)


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown, with rounded numbers and each codec's BD-rate."""
    method = registry.title(sources.method)
    rows = [
        {"run": row["run"], "codec": registry.title(row["codec"])}
        | {label: number(row[column], digits) for column, (label, digits) in COLUMNS.items()}
        for row in table.to_dict("records")
    ]
    codecs = [
        {
            "codec": registry.title(codec),
            f"BD-rate against {method}": _delta(own.iloc[0]) if codec != sources.method else "–",
            **{label: span(own[column].tolist(), digits) for column, (label, digits) in BUDGET.items()},
            "trained on": ", ".join(own["machine"].unique()),
            "decodes to the same symbols on every machine": "yes" if own["exact"].all() else "not guaranteed",
        }
        for codec, own in table.groupby("codec", sort=False)
    ]
    note = (
        "All codecs were trained here on the same images. Networks and initializations differ, so the ranking says "
        f"nothing about the original papers. {_budgets(table, sources.method)}Crops are counted each time that they "
        "were seen. Parameters and operations are those of encoder, decoder and entropy model together. CPU hours are "
        "the processor time of the training. Encode and decode are CPU seconds per image, – if a GPU was used."
    )
    return markdown_page(
        "Learned codecs", sources.scale, note, markdown_table(codecs), markdown_table(rows, list(COLUMNS))
    )


def _budgets(table: pd.DataFrame, method: str) -> str:
    """A sentence on whether the curves had equal numbers of steps."""
    steps = {codec: own["steps"].tolist() for codec, own in table.groupby("codec", sort=False)}
    others = [one for codec, own in steps.items() if codec != method for one in own]
    if not others:
        return ""
    if set(steps[method]) == set(others) and len(set(others)) == 1:
        return f"Every training had {span(others)} steps. "
    return (
        f"The trainings behind the curve of {registry.title(method)} had {span(steps[method])} steps, those of the "
        f"other codecs {span(others)}: BD-rates are not at an equal budget. For a comparison at equal steps, "
        "see the audit's claims `central.equal-steps`. "
    )


def _deltas(sources: Sources) -> dict[str, dict[str, object]]:
    """The BD-rate of each other learned codec against the method."""
    curves, resamplings = measured_curves(sources), sources.configuration.report.bootstrap
    anchor, found = curves[sources.method], {}
    for codec in sources.learned_curves.keys() & curves.keys() - {sources.method}:
        delta = compare(anchor.points, curves[codec].points, resamplings).rate_percent
        if isinstance(delta, Reason):
            found[codec] = {"bd_rate_reason": str(delta)}
        else:
            ends = dict(zip(("bd_rate_percent", "bd_rate_percent_low", "bd_rate_percent_high"), delta, strict=True))
            found[codec] = {**ends, "bd_rate_reason": ""}
    return found


def _delta(row: pd.Series) -> str:
    if row.get("bd_rate_reason"):
        return f"no number: {row['bd_rate_reason']}"
    return f"{row['bd_rate_percent']:+.1f} % [{row['bd_rate_percent_low']:+.1f}, {row['bd_rate_percent_high']:+.1f}]"
