"""Initialization of short trainings: the encoder from principal components, the decoder by least squares.

The encoder's main path is a cascade of principal components, every latent channel one of them at the step of least
error. A strong one has several channels, shifted by parts of a step, which together are a finer quantizer. The
decoder's main path is fitted to the quantized latent. Residual branches begin small.
"""

from collections import Counter
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OTHER = 0.01  # weight in components of what is no colour plane
FIT, SEARCH = 1 << 16, 1 << 12  # positions that a fit and the search for a step see
RIDGE = 1e-4  # of the mean square of a fit's inputs
STEPS = torch.logspace(-0.52, 0.48, 15).tolist()  # .3 to 3 standard deviations


def fit_cascade(head: nn.Conv2d, stages: list[tuple[nn.Module, nn.Conv2d]], images: Tensor) -> tuple[list, Tensor]:
    """Make a head pass on the planes of images, and the projection after each stage give components of unit variance.

    Returns what enters each stage and leaves the last, and the deviations `[D]` of the last features among the pixels.
    Strided convolutions become PixelUnshuffle.
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
    """The strongest components of features `[N, D, h, w]`, of unit variance: matrix `[count, D]`, bias, deviations.

    Features have unit variance and these deviations among the pixels, one for each plane that was unshuffled. Where
    there are fewer components than asked for, the weakest stands for the rest.
    """
    unit = spread.repeat_interleave(x.shape[1] // len(spread))  # features times this: an orthonormal transform
    rows = rows_of(x).double() * unit
    mean = rows.mean(dim=0)
    variances, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    pick = [*reversed(range(len(unit))), *[0] * count][:count]
    spread = variances[pick].clamp(min=1e-8 * float(variances[-1])).sqrt().float()
    basis = vectors.T[pick].float()
    return basis * unit / spread[:, None], -(basis @ mean.float()) / spread, spread


def deal(values: Tensor, spread: Tensor, groups: list[tuple[int, int]]) -> list[tuple[int, float, float]]:
    """Component, step and shift of each channel, assigned one by one to the component with the most error left.

    Takes samples of components of unit variance, `[D, n]`, their deviations `[D]`, falling, and levels and size of each
    group, the most important first. A component stays within one group, its channels side by side.
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
    """Relative error of the mean of shifted quantizers of `values`, and its step, where that is least."""
    half, power, results = (levels - 1) / 2, float(values.square().mean()) + 1e-12, []
    for step in STEPS:
        coded = sum((values / step + shift + half).round().clamp(0, levels - 1) - half for shift in shifts(copies))
        results.append((float((coded * step / copies - values).square().mean()) / power, step))
    return min(results)


def shifts(copies: int) -> list[float]:
    """What is added to each copy of a component, in steps."""
    return [(place - (copies - 1) / 2) / copies for place in range(copies)]


def fit_upward(steps: list[tuple], tail: nn.Conv2d, x: Tensor, features: list[Tensor], images: Tensor) -> None:
    """Fit a decoder's convolutions from `x` upward: steps, each with what follows it, to features, the tail to images.

    Features are the encoder's, coarsest first; the first outputs of each step follow them, the others stay random.
    """
    for (conv, after), target in zip(steps, features, strict=True):
        finer = target.shape[-1] // x.shape[-1]  # 2 before PixelShuffle
        target = F.pixel_unshuffle(target[:, : conv.out_channels // finer**2], finer)
        x = in_batches(after, least_squares(conv, x, target))
    least_squares(tail, x, images)


def least_squares(conv: nn.Conv2d, x: Tensor, target: Tensor) -> Tensor:
    """Fit a convolution of stride 1 from `x` to its first outputs, `target`; returns what it gives for `x`."""
    some = x[: max(1, FIT // x[0, 0].numel())]
    inputs = rows_of(F.unfold(some, conv.kernel_size, padding=conv.padding).unflatten(2, some.shape[2:]))
    solution = solve(inputs, rows_of(target))
    conv.weight[: len(solution)] = solution[:, :-1].reshape(-1, *conv.weight.shape[1:])
    conv.bias[: len(solution)] = solution[:, -1]
    return in_batches(conv, x)


def solve(inputs: Tensor, target: Tensor) -> Tensor:
    """Weights and, as the last column, bias `[outputs, D + 1]` from rows `[n, D]` to `[n, outputs]`, with a ridge."""
    inputs = F.pad(inputs.double(), (0, 1), value=1.0)
    gram = inputs.T @ inputs
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    return torch.linalg.solve(gram, inputs.T @ target.double()).T.float()


def centre(conv: nn.Conv2d, matrix: Tensor, bias: Tensor) -> None:
    """Make a convolution the matrix `[outputs, D]` of what one stride covers, in the order of PixelUnshuffle."""
    patch = slice(conv.padding[0], conv.padding[0] + conv.stride[0])
    conv.weight.zero_()
    conv.weight[:, :, patch, patch] = matrix.reshape(conv.weight[:, :, patch, patch].shape)
    conv.bias.copy_(bias)


def rows_of(x: Tensor, positions: int = FIT) -> Tensor:
    """`[n, D]`, one row per position of the first images of `[N, D, h, w]`, as many as make that many positions."""
    return x[: max(1, positions // x[0, 0].numel())].movedim(1, -1).flatten(0, -2)


def in_batches(function, x: Tensor, size: int = 16) -> Tensor:
    return torch.cat([function(some) for some in x.split(size)])
