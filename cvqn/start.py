"""Initialization for short trainings: the encoder from principal components, the decoder by least squares.

The encoder's main path is a cascade of principal components. Every latent channel is one component, scaled to the
quantization step of least error. A strong component gets several channels, shifted by fractions of a step, which
together quantize it more finely. The decoder's main path is fitted to the quantized latent. Residual branches begin
small.
"""

from collections import Counter
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OTHER = 0.01  # deviation assumed for the head's random outputs, against 1 for the colour planes
FIT, SEARCH = 1 << 16, 1 << 12  # about how many positions a fit and the search for a step use
RIDGE = 1e-4  # relative to the mean square of a fit's inputs
STEPS = torch.logspace(-0.52, 0.48, 15).tolist()  # .3 to 3 standard deviations


def fit_cascade(head: nn.Conv2d, stages: list[tuple[nn.Module, nn.Conv2d]], images: Tensor) -> tuple[list, Tensor]:
    """Fit an encoder: the head passes on the colour planes, each projection gives components of unit variance.

    Strided convolutions are set to act as PixelUnshuffle.

    Args:
        head: the first convolution.
        stages: for each stage, what precedes its projection, and the projection, a convolution.
        images: `[N, 3, H, W]`.

    Returns:
        The input of each stage and the output of the last, and the standard deviations `[D]` of the components.
    """
    planes = min(head.in_channels, head.out_channels)
    others = head.weight[planes:].clone()
    centre(head, torch.eye(head.out_channels, head.in_channels), torch.zeros(head.out_channels))
    head.weight[planes:] = others
    features, spread = [in_batches(head, images)], torch.tensor([1.0] * planes + [OTHER] * len(others))
    for before, project in stages:
        for down in (layer for layer in before if isinstance(layer, nn.Conv2d)):
            centre(down, torch.eye(down.out_channels), torch.zeros(down.out_channels))
        x = in_batches(before, features[-1])
        matrix, bias, spread = components(x, spread, project.out_channels)
        centre(project, matrix, bias)
        features.append(in_batches(project, x))
    return features, spread


def components(x: Tensor, spread: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The strongest principal components of features, scaled to unit variance.

    Args:
        x: features `[N, D, h, w]`, scaled to unit variance before they were unshuffled.
        spread: their standard deviations before that scaling, one for each plane that was unshuffled.
        count: components to return; if there are fewer, the weakest is repeated.

    Returns:
        Matrix `[count, D]` and bias `[count]` that give the components, and their standard deviations `[count]`.
    """
    unit = spread.repeat_interleave(x.shape[1] // len(spread))  # undoes the scaling: an orthonormal transform of pixels
    rows = rows_of(x).double() * unit
    mean = rows.mean(dim=0)
    variances, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    pick = [*reversed(range(len(unit))), *[0] * count][:count]
    spread = variances[pick].clamp(min=1e-8 * float(variances[-1])).sqrt().float()
    basis = vectors.T[pick].float()
    return basis * unit / spread[:, None], -(basis @ mean.float()) / spread, spread


def deal(values: Tensor, spread: Tensor, groups: list[tuple[int, int]]) -> list[tuple[int, float, float]]:
    """Assign channels one by one to the component with the most error left: component, step and shift of each.

    The channels of a component are adjacent, and in one group while components are left.

    Args:
        values: samples of the components, scaled to unit variance, `[D, n]`.
        spread: standard deviations of the components, `[D]`, in descending order.
        groups: levels and size of each group, the most important first.
    """
    search = cache(lambda component, levels, copies: best_step(values[component], levels, copies))
    channels, taken = [], set()
    for levels, size in groups:
        copies = Counter()
        free = [k for k in range(len(values)) if k not in taken] or range(len(values))
        for _ in range(size):
            left = [float(spread[k]) ** 2 * (search(k, levels, copies[k])[0] if copies[k] else 1) for k in free]
            copies[free[left.index(max(left))]] += 1
        for k in sorted(copies):
            channels += [(k, search(k, levels, copies[k])[1], shift) for shift in shifts(copies[k])]
        taken |= set(copies)
    return channels


def best_step(values: Tensor, levels: int, copies: int) -> tuple[float, float]:
    """The least relative squared error of the mean of `copies` shifted quantizers of `values`, and their step."""
    half, power, results = (levels - 1) / 2, float(values.square().mean()) + 1e-12, []
    for step in STEPS:
        coded = sum((values / step + shift + half).round().clamp(0, levels - 1) - half for shift in shifts(copies))
        results.append((float((coded * step / copies - values).square().mean()) / power, step))
    return min(results)


def shifts(copies: int) -> list[float]:
    """The offset of each copy of a component, in quantization steps."""
    return [(place - (copies - 1) / 2) / copies for place in range(copies)]


def fit_upward(steps: list[tuple], tail: nn.Conv2d, x: Tensor, features: list[Tensor], images: Tensor) -> None:
    """Fit the convolutions of a decoder, from the latent `x` to the images.

    Args:
        steps: each a convolution and what follows it; its first outputs are fitted, the others stay random.
        tail: the last convolution, fitted to `images`.
        x: the quantized latent `[N, C, h, w]`.
        features: what the steps are fitted to: the encoder's features, coarsest first.
        images: `[N, 3, H, W]`.
    """
    for (conv, after), target in zip(steps, features, strict=True):
        finer = target.shape[-1] // x.shape[-1]  # 2 before PixelShuffle
        target = F.pixel_unshuffle(target[:, : conv.out_channels // finer**2], finer)
        x = in_batches(after, least_squares(conv, x, target))
    least_squares(tail, x, images)


def least_squares(conv: nn.Conv2d, x: Tensor, target: Tensor) -> Tensor:
    """Fit the first outputs of a convolution of stride 1 to `target`, given `x`; returns all its outputs for `x`."""
    some = x[: max(1, FIT // x[0, 0].numel())]
    inputs = rows_of(F.unfold(some, conv.kernel_size, padding=conv.padding).unflatten(2, some.shape[2:]))
    solution = solve(inputs, rows_of(target))
    conv.weight[: len(solution)] = solution[:, :-1].reshape(-1, *conv.weight.shape[1:])
    conv.bias[: len(solution)] = solution[:, -1]
    return in_batches(conv, x)


def solve(inputs: Tensor, target: Tensor) -> Tensor:
    """Ridge regression of rows `[n, outputs]` on rows `[n, D]`: `[outputs, D + 1]`, the bias in the last column."""
    inputs = F.pad(inputs.double(), (0, 1), value=1.0)
    gram = inputs.T @ inputs
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    return torch.linalg.solve(gram, inputs.T @ target.double()).T.float()


def centre(conv: nn.Conv2d, matrix: Tensor, bias: Tensor) -> None:
    """Make a convolution apply `matrix` `[outputs, D]` to the pixels of one stride, in the order of PixelUnshuffle."""
    patch = slice(conv.padding[0], conv.padding[0] + conv.stride[0])
    conv.weight.zero_()
    conv.weight[:, :, patch, patch] = matrix.reshape(conv.weight[:, :, patch, patch].shape)
    conv.bias.copy_(bias)


def rows_of(x: Tensor, positions: int = FIT) -> Tensor:
    """The features `[N, D, h, w]` as rows `[n, D]`, one per position, of as many images as fit into `positions`."""
    return x[: max(1, positions // x[0, 0].numel())].movedim(1, -1).flatten(0, -2)


def in_batches(function, x: Tensor, size: int = 16) -> Tensor:
    return torch.cat([function(some) for some in x.split(size)])
