"""Analyses of channels and groups as tables by run."""

import numpy as np
import pandas as pd


def by_image(channels: pd.DataFrame, run: str, column: str) -> pd.DataFrame | None:
    """A column of a run's channels.csv as `[channels, images]`; None where the run or the column was not measured."""
    if column not in channels:
        return None
    rows = channels[channels["run"] == run]
    table = rows.pivot(index="channel", columns="image", values=column)
    return None if table.empty or table.isna().to_numpy().any() else table.astype(float)


def symbol_shares(groups: pd.DataFrame, run: str) -> dict[int, np.ndarray]:
    """For each group of a run the share of every symbol, over all images, `[levels]`, adding up to 1."""
    shares = {}
    for group, rows in groups[groups["run"] == run].groupby("group"):
        columns = [f"share_{symbol}" for symbol in range(int(rows["levels"].iloc[0]))]
        counts = rows[columns].to_numpy(dtype=float) * rows["symbols"].to_numpy(dtype=float)[:, None]
        shares[int(group)] = counts.sum(axis=0) / counts.sum()
    return shares
