"""How well each stored order of channels, learned or predefined, agrees with the channels' measured influence."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.sources import read_json, run_name

LOSSES = ("psnr", "ms_ssim")


def importance_table(folders: Sequence[str | Path], config: dict) -> pd.DataFrame:
    """A row a run of Table 1 with several groups: Spearman's correlations with the losses averaged over the images.

    `order_<loss>` is that of a channel's place in the order; `weights_<loss>` that of SE's weight w, the others have
    none. nan where the influence was not measured.

    Args:
        folders: those of `cvqn analyse`.

    Raises:
        CvqnError: none of them is of such a run, or a file is damaged.
    """
    files = {Path(folder).name: Path(folder) / "importance.json" for folder in folders}
    names = [name for name in config["report"]["table1"] if len(config["experiments"][name]["model"]["levels"]) > 1]
    rows = []
    for name in names:
        for run in (run_name(name, seed) for seed in config["seeds"]):
            if run in files:
                found = read_json(files[run])
                row = {"experiment": name, "importance": found["kind"], "run": run}
                for what in ("order", "weights"):
                    correlations = found.get(f"{what}_rank_correlation", {})
                    row |= {f"{what}_{loss}": correlations.get(f"{loss}_loss_db") for loss in LOSSES}
                rows.append(row | {"file": str(files[run])})
    if not rows:
        raise CvqnError("no run of Table 1 with groups was analysed; run cvqn analyse on one first")
    return pd.DataFrame(rows)
