"""Tables 1 and 2: experiments that differ in one setting, compared with the first one and with the paper's numbers."""

import numpy as np
import pandas as pd

from cvqn.lab.report.audit.claims import expected_number
from cvqn.lab.report.output import NOT_MEASURED, absent, markdown_page, markdown_table, number, percent
from cvqn.lab.report.runs import MeasuredExperiment
from cvqn.lab.report.sources import Sources
from cvqn.lab.report.tables import runs
from cvqn.lab.settings.runs import Run

TITLES = {
    "table1": "Table 1: channel importance, C = 32",
    "table2": "Table 2: combinations of levels, C = 32",
}
METRICS = {
    "table1": {"ms_ssim": ("MS-SSIM", 4), "bpp": ("BPP", 4)},
    "table2": {"psnr_db": ("PSNR", 3), "ms_ssim": ("MS-SSIM", 4), "bpp": ("BPP", 4)},
}
PAPER = {
    ((5,), "none"): "one-group",
    ((3, 5, 7), "se"): "se",
    ((3, 5, 7), "re"): "re",
    ((3, 5, 7), "predefined"): "c32",
    ((4, 5, 6), "predefined"): "levels-456",
    ((2, 5, 8), "predefined"): "levels-258",
}
"""The name in paper.yaml of each row of the paper's tables, by levels and importance."""


def table(sources: Sources, name: str) -> pd.DataFrame:
    """A row per experiment and checkpoint of the table `name`, table1 or table2; what was not measured is missing.

    For each metric, the mean, standard deviation (n - 1; missing for one seed), minimum and maximum over the seeds, and
    the paper's value; also the change of BPP in percent against the first experiment, and the names of the runs.
    """
    names = getattr(sources.configuration.report, name)
    rows = []
    for experiment in names:
        settings = sources.configuration.experiments[experiment]
        for checkpoint in sources.configuration.checkpoints(experiment):
            own, base = (sources.measured.get(one, checkpoint) for one in (experiment, names[0]))
            model = settings.model.plain()
            row = {
                "experiment": experiment,
                "levels": str(model.get("levels", "")),
                "importance": model.get("importance", {}).get("kind", ""),
                "checkpoint": checkpoint,
                "seeds": 0 if own is None else len(own.seeds),
            }
            for metric in ("psnr_db", "ms_ssim", "bpp"):
                row |= _spread(metric, own)
            row["bpp_change_percent"] = _change(own, base) if experiment != names[0] else None
            seeds = () if own is None else own.seeds
            row["runs"] = " ".join(Run(experiment, seed, checkpoint).name for seed in seeds)
            variant = PAPER.get((tuple(model.get("levels", ())), row["importance"]), experiment)
            rows.append(row | _paper(f"{name}.{variant}"))
    return pd.DataFrame(rows)


def page(table: pd.DataFrame, sources: Sources, name: str) -> str:
    """The table as Markdown: means over seeds with their spread, the paper's values, then every run."""
    data, made = sources.configuration.data, set(table["checkpoint"])
    names = {data.evaluation: "the test set, the paper's protocol"}
    selected = [
        f"`{checkpoint}` is the checkpoint of best MS-SSIM on {names.get(images, f'`{images}`')}"
        for checkpoint, images in data.selecting.items()
        if checkpoint in made
    ]
    words = "; ".join(selected) or "no checkpoint was chosen before the end"
    rows = [_cells(row, METRICS[name]) for row in table.to_dict("records")]
    every = runs.every_run(sources)
    own = every[every["experiment"].isin(table["experiment"])]
    return markdown_page(
        TITLES[name],
        sources.scale,
        f"`last` is the model at the end of training; {words}. Mean ± standard deviation (min to max) over the seeds.",
        markdown_table(rows),
        "## Every run",
        NOT_MEASURED if own.empty else runs.runs_table(own),
    )


def _spread(metric: str, own: MeasuredExperiment | None) -> dict[str, float | None]:
    keys = [f"{metric}_{part}" for part in ("mean", "std", "min", "max")]
    if own is None:
        return dict.fromkeys(keys)
    means = own.means(metric)
    std = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return dict(zip(keys, (float(means.mean()), std, float(means.min()), float(means.max())), strict=True))


def _change(own: MeasuredExperiment | None, base: MeasuredExperiment | None) -> float | None:
    return None if own is None or base is None else 100 * float(own.means("bpp").mean() / base.means("bpp").mean() - 1)


def _paper(claim: str) -> dict[str, float | None]:
    values = {"psnr_db": "psnr", "ms_ssim": "ms_ssim", "bpp": "bpp", "bpp_change_percent": "bpp_change"}
    return {f"{column}_paper": expected_number(f"{claim}.{value}") for column, value in values.items()}


def _cells(row: dict, metrics: dict[str, tuple[str, int]]) -> dict[str, str]:
    cells = {"q": row["levels"], "importance": row["importance"], "checkpoint": row["checkpoint"]}
    for metric, (label, digits) in metrics.items():
        cells[label] = _mean(row, metric, digits)
        cells[f"{label}, paper"] = number(row[f"{metric}_paper"], digits)
    cells["BPP change"] = percent(row["bpp_change_percent"])
    cells["change, paper"] = percent(row["bpp_change_percent_paper"])
    return cells


def _mean(row: dict, metric: str, digits: int) -> str:
    mean, std, low, high = (row[f"{metric}_{part}"] for part in ("mean", "std", "min", "max"))
    if absent(mean):
        return NOT_MEASURED
    if absent(std):
        return f"{mean:.{digits}f} (one seed)"
    return f"{mean:.{digits}f} ± {std:.{digits + 1}f} ({low:.{digits}f} to {high:.{digits}f})"
