"""How well each stored order of channels, learned or predefined, agrees with the channels' measured influence."""

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.output import markdown_page, markdown_table, number, one_seed
from cvqn.lab.report.sources import Sources

LOSSES = ("psnr", "ms_ssim")


def table(sources: Sources) -> pd.DataFrame:
    """A row per run of Table 1 with several groups: Spearman's correlations with the losses averaged over the images.

    `order_<loss>` is for a channel's place in the order, `weights_<loss>` for SE's weight w, which other methods do not
    have. A correlation is missing if the influence was not measured.

    Raises:
        CvqnError: no such run was analysed, or a file is damaged.
    """
    groups = sources.groups.groupby("run")["group"].nunique() if len(sources.groups) else {}
    rows = []
    for experiment in sources.configuration.report.table1:
        for run in (one for one in sources.analysed if one.experiment == experiment and groups[one.name] > 1):
            path, found = sources.importance(run)
            row = {"experiment": experiment, "importance": found.kind, "run": run.name}
            for what in ("order", "weights"):
                correlations = getattr(found, f"{what}_rank_correlation")
                row |= {f"{what}_{loss}": correlations.get(f"{loss}_loss_db") for loss in LOSSES}
            rows.append(row | {"file": path})
    if not rows:
        raise CvqnError("no run of Table 1 with groups was analysed; run cvqn evaluate on one first")
    return pd.DataFrame(rows)


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown, with rounded correlations."""
    rows = [
        {
            "importance": row["importance"],
            "run": row["run"],
            "order and PSNR loss": number(row["order_psnr"], 2),
            "order and MS-SSIM loss": number(row["order_ms_ssim"], 2),
            "SE's w and PSNR loss": number(row["weights_psnr"], 2),
            "SE's w and MS-SSIM loss": number(row["weights_ms_ssim"], 2),
        }
        for row in table.to_dict("records")
    ]
    note = (
        "Spearman's rank correlation of two quantities over the channels. The first is the channel's place in the "
        "order of importance, or SE's weight w. The second is the loss in dB, averaged over the images, when the "
        f"channel's quantized values are set to 0. {one_seed(table)}Files: `importance.csv`."
    )
    return markdown_page("Order of the channels and their influence", sources.scale, note, markdown_table(rows))
