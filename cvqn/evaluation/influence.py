"""What each channel of a trained model does: its influence on the picture (Section 2), its bits, its symbols."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from cvqn.codec.wavefront import code_lengths
from cvqn.evaluation.metrics import ms_ssim, ms_ssim_db, psnr_db
from cvqn.images import pad_to_multiple
from cvqn.model.network import STRIDE
from cvqn.model.store import Stored

BATCH = 4  # channels cut at a time: that many decoded pictures in memory


@torch.inference_mode()
def analyse_picture(
    stored: Stored, picture: np.ndarray, influence: bool = True
) -> tuple[list[dict], list[dict], np.ndarray]:
    """Channels, groups and quantized maps of one picture, uint8 `[H, W, 3]`.

    Returns:
        a row a channel: `channel` and `group` counted from 1, `levels`, `position` (1: least important), `bits` (ideal
        code length), `luminance_correlation` (0..1, |Pearson| of quantized map and mean luminance of its 16x16
        blocks), and with `influence` `psnr_loss_db` and `ms_ssim_loss_db`;
        a row a group: `group`, `levels`, `channels`, `symbols`, `bits`, `bits_per_symbol`, `bound_bits_per_symbol`,
        `values_used`, and `value_<k>` and `share_<k>`, the k-th smallest value and its share;
        the maps, uint8 `[C, h, w]`: the rank 0..Q-1 of each element's value among its group's.
    """
    controller = stored.model.controller
    latent = _latent(stored, picture)
    symbols = [group[0] for group in controller.symbols(latent)]
    bits = code_lengths(stored.integer_models, [group.cpu().numpy() for group in symbols])
    values = controller.values([group[None] for group in symbols])
    ranks = [
        quantizer.means.argsort().argsort()[group]
        for quantizer, group in zip(controller.quantizers, symbols, strict=True)
    ]
    maps = controller.merge([group[None] for group in ranks])[0].byte().cpu().numpy()

    sizes, order = controller.sizes, controller.order.tolist()
    group_of = np.repeat(np.arange(len(sizes)), sizes)
    likeness = luminance_correlation(values[0].cpu().numpy(), picture)
    losses = influences(stored, picture, values) if influence else [{}] * len(order)
    channels = [
        {
            "channel": channel + 1,
            "group": int(group_of[position]) + 1,
            "levels": controller.levels[group_of[position]],
            "position": position + 1,
            "bits": float(np.concatenate(bits)[position]),
            "luminance_correlation": float(likeness[channel]),
            **losses[channel],
        }
        for position, channel in enumerate(order)
    ]
    means = [quantizer.means.sort().values.tolist() for quantizer in controller.quantizers]
    groups = [_group(*one) for one in zip(range(1, len(sizes) + 1), means, ranks, bits, strict=True)]
    return sorted(channels, key=lambda row: row["channel"]), groups, maps


@torch.inference_mode()
def influences(stored: Stored, picture: np.ndarray, values: Tensor) -> list[dict[str, float]]:
    """For each channel what PSNR and MS-SSIM (both dB) lose when its quantized values `[1, C, h, w]` are set to 0."""
    whole = next(_decode(stored, values, picture.shape))
    psnr, quality = psnr_db(picture, whole), ms_ssim_db(ms_ssim(picture, whole))
    losses = []
    for first in range(0, values.shape[1], BATCH):
        cut = range(first, min(first + BATCH, values.shape[1]))
        pruned = values.repeat(len(cut), 1, 1, 1)
        for row, channel in enumerate(cut):
            pruned[row, channel] = 0
        for decoded in _decode(stored, pruned, picture.shape):
            loss = {"psnr_loss_db": psnr - psnr_db(picture, decoded)}
            losses.append(loss | {"ms_ssim_loss_db": quality - ms_ssim_db(ms_ssim(picture, decoded))})
    return losses


def luminance_correlation(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """|Pearson| of each map `[C, h, w]` with the mean luminance of 16x16 blocks, `[C]`; 0 for a constant map."""
    luminance = pad_to_multiple(picture, STRIDE).astype(np.float64) @ (0.299, 0.587, 0.114)
    _, height, width = values.shape
    blocks = luminance.reshape(height, STRIDE, width, STRIDE).mean(axis=(1, 3)).ravel()
    maps = values.reshape(len(values), -1).astype(np.float64)
    maps, blocks = maps - maps.mean(axis=1, keepdims=True), blocks - blocks.mean()
    norms = np.linalg.norm(maps, axis=1) * np.linalg.norm(blocks)
    products = np.abs(maps @ blocks)
    return np.divide(products, norms, out=np.zeros(len(maps)), where=norms > 1e-9 * (1 + products))


def rank_correlations(channels: list[dict]) -> dict[str, float]:
    """Spearman's correlation between position in the order and loss averaged over images, by each measured loss."""
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


def _latent(stored: Stored, picture: np.ndarray) -> Tensor:
    device = next(stored.model.parameters()).device
    padded = torch.from_numpy(pad_to_multiple(picture, STRIDE)).to(device)
    return stored.model.analyse(padded.permute(2, 0, 1)[None].float() / 255)


def _decode(stored: Stored, values: Tensor, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The 8-bit pictures of quantized latents `[B, C, h, w]`."""
    decoded = (stored.model.decoder(values).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    for picture in decoded:
        yield np.ascontiguousarray(picture[: shape[0], : shape[1]])


def _group(group: int, means: list[float], ranks: Tensor, bits: np.ndarray) -> dict[str, float]:
    levels = len(means)
    counts = torch.bincount(ranks.flatten(), minlength=levels).cpu().numpy()
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
        **{f"value_{rank}": value for rank, value in enumerate(means)},
        **{f"share_{rank}": float(count / symbols) for rank, count in enumerate(counts)},
    }
