"""Analyses of channels and groups as tables by run."""

import numpy as np
import pandas as pd

from cvqn.lab.report.job_files import Importance


def by_image(channels: pd.DataFrame, run: str, column: str) -> pd.DataFrame | None:
    """A column of a run's channels.csv as `[channels, images]`; None if the run or the column was not measured."""
    if column not in channels:
        return None
    rows = channels[channels["run"] == run]
    table = rows.pivot(index="channel", columns="image", values=column)
    return None if table.empty or table.isna().to_numpy().any() else table.astype(float)


SAME_VALUE = 0.01
"""Values closer than this count as the same: a hundredth of the initial step between neighbours."""


def symbol_shares(groups: pd.DataFrame, run: str) -> dict[int, np.ndarray]:
    """For each group of a run, the share of every symbol over all images, `[levels]`, adding up to 1."""
    shares = {}
    for group, rows in groups[groups["run"] == run].groupby("group"):
        columns = [f"share_{symbol}" for symbol in range(int(rows["levels"].iloc[0]))]
        counts = rows[columns].to_numpy(dtype=float) * rows["symbols"].to_numpy(dtype=float)[:, None]
        shares[int(group)] = counts.sum(axis=0) / counts.sum()
    return shares


def distinct_values(groups: pd.DataFrame, run: str) -> int | None:
    """The number of different values that a run's groups use together, over all images; None if the values are missing.

    A value that two groups share counts once.
    """
    used: list[float] = []
    for group, shares in symbol_shares(groups, run).items():
        columns = [f"value_{rank}" for rank in range(len(shares))]
        row = groups[(groups["run"] == run) & (groups["group"] == group)].iloc[0]
        if not set(columns) <= set(groups.columns) or row[columns].isna().any():
            return None
        used += row[columns].to_numpy(dtype=float)[shares > 0].tolist()
    return 1 + int((np.diff(np.sort(used)) > SAME_VALUE).sum())


def channel_metrics(channels: pd.DataFrame, groups: pd.DataFrame, importance: list[Importance]) -> dict[str, float]:
    """Flat scalars by run: coded bits per symbol of each group, values used, rank correlations of influence."""
    found: dict[str, float] = {}
    for run in sorted(groups["run"].unique()):
        for group, own in groups[groups["run"] == run].groupby("group"):
            found[f"{run}.group{int(group)}.bits_per_symbol"] = own["bits"].sum() / own["symbols"].sum()
        if (used := distinct_values(groups, run)) is not None:
            found[f"{run}.values_used"] = used
        for column, name in (("psnr_loss_db", "psnr"), ("ms_ssim_loss_db", "ms_ssim")):
            agreement = agreement_between_images(channels, run, column)
            if agreement is not None:
                found[f"{run}.influence_agreement.{name}"] = agreement
    for one in importance:
        for key in ("order_rank_correlation", "weights_rank_correlation"):
            for column, value in getattr(one, key).items():
                found[f"{one.run}.{key}.{column.removesuffix('_loss_db')}"] = value
    return found


def agreement_between_images(channels: pd.DataFrame, run: str, column: str) -> float | None:
    """Spearman's correlation of the channels' losses between images: the mean over all pairs; None for one image."""
    losses = by_image(channels, run, column)
    if losses is None or losses.shape[1] < 2:
        return None
    ranks = losses.rank().to_numpy()
    pairs = np.corrcoef(ranks, rowvar=False)[np.triu_indices(losses.shape[1], 1)]
    return float(pairs.mean()) if np.isfinite(pairs).all() else None
