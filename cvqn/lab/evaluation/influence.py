"""Analysis of a trained model by channel: influence on the picture (Section 2), bits and symbols."""

import numpy as np
from scipy.stats import spearmanr

from cvqn.codecs.interface import HasChannels, Picture
from cvqn.lab.evaluation.metrics import ms_ssim, ms_ssim_db, psnr_db
from cvqn.padding import pad_to_multiple

BATCH = 4  # channels set to 0 at a time, each of which takes the memory of one decoded picture


def analyse_picture(
    model: HasChannels, picture: Picture, influence: bool = True
) -> tuple[list[dict], list[dict], np.ndarray]:
    """Channels, groups and quantized maps of one picture, uint8 `[H, W, 3]`.

    Returns:
        a row per channel: `channel` and `group`, both counted from 1; `levels`; `position` (1: least important);
        `bits` (ideal code length); `luminance_correlation` (0..1, |Pearson| of the quantized map and the mean luminance
        of its blocks); and, with `influence`, `psnr_loss_db` and `ms_ssim_loss_db`;
        a row per group: `group`, `levels`, `channels`, `symbols`, `bits`, `bits_per_symbol`, `bound_bits_per_symbol`,
        `values_used`, and `value_<k>` and `share_<k>`, the k-th smallest value (from 0) and its share of the symbols;
        the maps, uint8 `[C, h, w]`: the rank 0..Q-1 of each element's value among the values of its group.
    """
    symbols = model.symbols(picture)
    bits, ranks, values = model.code_lengths(symbols), model.ranks(symbols), model.values(symbols)
    order, sizes, levels = model.layout
    group_of = np.repeat(np.arange(len(sizes)), sizes)
    likeness = luminance_correlation(values, picture, model.stride)
    losses = influences(model, picture, values) if influence else [{}] * len(order)
    channels = [
        {
            "channel": channel + 1,
            "group": int(group_of[position]) + 1,
            "levels": levels[group_of[position]],
            "position": position + 1,
            "bits": float(np.concatenate(bits)[position]),
            "luminance_correlation": float(likeness[channel]),
            **losses[channel],
        }
        for position, channel in enumerate(order)
    ]
    groups = [_group(*one) for one in zip(range(1, len(sizes) + 1), model.group_values(), ranks, bits, strict=True)]
    return sorted(channels, key=lambda row: row["channel"]), groups, model.merge(ranks).astype(np.uint8)


def influences(model: HasChannels, picture: Picture, values: np.ndarray) -> list[dict[str, float]]:
    """For each channel, the loss of PSNR and MS-SSIM (both dB) when its quantized values are set to 0.

    `values` is the quantized latent `[C, h, w]`.
    """
    height, width, _ = picture.shape
    [whole] = model.reconstruct(values[None], height, width)
    psnr, quality = psnr_db(picture, whole), ms_ssim_db(ms_ssim(picture, whole))
    losses = []
    for first in range(0, len(values), BATCH):
        cut = range(first, min(first + BATCH, len(values)))
        pruned = np.repeat(values[None], len(cut), axis=0)
        for row, channel in enumerate(cut):
            pruned[row, channel] = 0
        for decoded in model.reconstruct(pruned, height, width):
            loss = {"psnr_loss_db": psnr - psnr_db(picture, decoded)}
            losses.append(loss | {"ms_ssim_loss_db": quality - ms_ssim_db(ms_ssim(picture, decoded))})
    return losses


def luminance_correlation(values: np.ndarray, picture: Picture, stride: int) -> np.ndarray:
    """|Pearson| of each map `[C, h, w]` with the mean luminance of stride x stride blocks, `[C]`; 0 if constant."""
    luminance = pad_to_multiple(picture, stride).astype(np.float64) @ (0.299, 0.587, 0.114)
    _, height, width = values.shape
    blocks = luminance.reshape(height, stride, width, stride).mean(axis=(1, 3)).ravel()
    maps = values.reshape(len(values), -1).astype(np.float64)
    maps, blocks = maps - maps.mean(axis=1, keepdims=True), blocks - blocks.mean()
    norms = np.linalg.norm(maps, axis=1) * np.linalg.norm(blocks)
    products = np.abs(maps @ blocks)
    return np.divide(products, norms, out=np.zeros(len(maps)), where=norms > 1e-9 * (1 + products))


def rank_correlations(channels: list[dict]) -> dict[str, float]:
    """Spearman's correlation of the channels' positions with their losses averaged over images, for each loss."""
    found = {}
    for loss in ("psnr_loss_db", "ms_ssim_loss_db"):
        rows = [row for row in channels if loss in row]
        if rows:
            by_position: dict[int, list[float]] = {}
            for row in rows:
                by_position.setdefault(row["position"], []).append(row[loss])
            positions = sorted(by_position)
            correlation = spearmanr(positions, [np.mean(by_position[position]) for position in positions]).statistic
            if np.isfinite(correlation):
                found[loss] = float(correlation)
    return found


def _group(group: int, values: np.ndarray, ranks: np.ndarray, bits: np.ndarray) -> dict[str, float]:
    levels = len(values)
    counts = np.bincount(ranks.ravel(), minlength=levels)
    symbols = int(counts.sum())
    return {
        "group": group,
        "levels": levels,
        "channels": len(bits),
        "symbols": symbols,
        "bits": float(bits.sum()),
        "bits_per_symbol": float(bits.sum() / symbols),
        "bound_bits_per_symbol": float(np.log2(levels)),
        "values_used": int((counts > 0).sum()),
        **{f"value_{rank}": float(value) for rank, value in enumerate(values)},
        **{f"share_{rank}": float(count / symbols) for rank, count in enumerate(counts)},
    }
