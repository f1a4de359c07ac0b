"""A start for trainings of minutes: weights that make the network a transform coder fitted to the training images.

The encoder's main path becomes a cascade of principal components. Every latent channel is a digit of one component:
the component itself, or what the quantizer leaves of it, as in successive refinement. The decoder's main path is fitted
by least squares from the quantized latent. Residual branches begin small, except the one that computes the rests.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvqn.model.cvqn import CVQN
from cvqn.model.initialization import preserve_variance
from cvqn.model.network import Decoder, ResidualGroup

BRANCH = 0.005  # gain of residual branches: what they add disturbs the coder
POSITIONS = 1 << 16  # samples of a fit
RIDGE = 1e-4  # of the mean square of a fit's inputs
LOAD, LARGEST_LOAD = 0.8, 5.0  # standard deviations up to a first digit's outer level: a level, at most


class Digit(NamedTuple):
    """What a latent channel carries: `scale` times a component, or times what the digits before leave of it."""

    component: int
    levels: int  # Q of the channel's group
    scale: float
    before: "Digit | None" = None  # these digits as one, of as many levels as they have together


@torch.no_grad()
def start_as_transform_coder(model: CVQN, images: Tensor) -> None:
    """Turn a fresh model into a transform coder of `images` `[N, 3, H, W]` in [0, 1], in place."""
    model.eval()
    preserve_variance(model.encoder, branch=BRANCH)
    preserve_variance(model.decoder, branch=BRANCH)
    latent, features = _fit_encoder(model, images)
    _fit_decoder(model.decoder, model.controller.quantize(latent), features, images)
    model.train()


def allocate(values: Tensor, levels: list[int], budget: int) -> list[Digit]:
    """A digit for each of the levels, in turn for the component of which most is left.

    Args:
        values: samples of the components, `[D, n]`, of zero mean.
        levels: Q of each digit.
        budget: hidden units that all but the first digits may use, see `hidden_units`.
    """
    rest, digits = values.clone(), []
    coded: dict[int, Digit] = {}  # the digits of a component so far, as one
    for count in levels:
        left = rest.square().mean(dim=1)
        for component, so_far in coded.items():
            if hidden_units(so_far) > budget:
                left[component] = 0
        component = int(left.argmax())
        before = coded.get(component)
        if before:
            budget -= hidden_units(before)
            scale, product = before.scale * count, before.levels * count
        else:
            load = min(LOAD * count, LARGEST_LOAD)
            scale, product = (count - 1) / 2 / (load * float(values[component].std()) + 1e-9), count
        coded[component] = Digit(component, product, scale)
        rest[component] -= staircase(rest[component] * scale, count) / scale
        digits.append(Digit(component, count, scale, before))
    return digits


def staircase(values: Tensor, levels: int) -> Tensor:
    """The nearest of `levels` centred values with unit steps, with ramps between them."""
    slope = steepness(levels)
    return sum(((values - edge) * slope + 0.5).clamp(0, 1) for edge in _edges(levels)) - (levels - 1) / 2


def steepness(levels: int) -> int:
    """Of the ramps between the levels: where a value falls on one, the rest is wrong by up to half a step.

    A ramp's two biases, 1 apart and below 1024, are still 1 apart when they are rounded to float16.
    """
    return 2 ** int(math.log2(2048 / levels))


def hidden_units(before: Digit) -> int:
    """ReLUs that compute what these digits leave: two a ramp, and one for the value itself."""
    return 2 * (before.levels - 1) + 1


def _fit_encoder(model: CVQN, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Fit stages and tail; returns the latent, and what enters each stage and leaves the last, finest first."""
    encoder, controller = model.encoder, model.controller
    head = encoder.head
    head.weight.mul_(BRANCH)
    head.weight[:3] = 0
    head.weight[[0, 1, 2], [0, 1, 2], 1, 1] = 1
    features = [_batches(lambda x: head(x - encoder.mean), images)]
    unit = torch.ones(head.out_channels)  # of each feature, such that features times units are an orthonormal transform
    for *before, project in encoder.body[:-1]:
        x = _batches(nn.Sequential(*before), features[-1])
        unit = unit.repeat_interleave(4)
        basis, spread, mean = _principal_components(x * unit[:, None, None])
        outputs = project.out_channels
        features.append(_project(project, x, basis[:outputs], spread[:outputs].sqrt(), mean, unit))
        unit = spread[:outputs].sqrt()

    *before, group, project = encoder.body[-1]
    unit = unit.repeat_interleave(4)
    x = _batches(nn.Sequential(*before), features[-1])
    basis, spread, mean = _principal_components(x * unit[:, None, None])
    count = project.out_channels
    features.append(_project(project, x, basis[:count], spread[:count].sqrt(), mean, unit))
    values = _samples(features[-1]) * spread[:count].sqrt()

    levels = torch.tensor(controller.levels).repeat_interleave(torch.tensor(controller.sizes))
    levels = levels[controller.order.argsort()].flip(0).tolist()  # of the channels, the last, most important one first
    digits = allocate(values.T, levels[:count], x.shape[1])
    rests = [digit for digit in digits if digit.before]
    lowest = basis[len(basis) - len(rests) :]  # directions whose own content gives way to the rests
    offset = basis @ mean
    _compute_rests(group, rests, basis * unit, offset, lowest * unit, lowest / unit, _thin(x))
    rows = torch.cat([lowest, basis[:count]]) * unit
    bias = torch.cat([torch.zeros(len(rests)), -offset[:count]])
    pick = [rests.index(d) if d.before else len(rests) + d.component for d in digits]
    used = {d.component for d in digits}
    pick += [len(rests) + k for k in range(count) if k not in used][: count - len(digits)]
    _point(project, rows[pick], bias[pick])
    _point_tail(model.encoder.tail, digits)
    latent = _batches(nn.Sequential(*before, group, project, encoder.tail), features[-2])
    if model.importance is not None:
        factor = model.importance(torch.ones_like(latent[:1, :, :1, :1])).flatten()
        encoder.tail.weight.div_(factor[:, None, None, None])
        encoder.tail.bias.div_(factor)
    return latent, features


def _compute_rests(
    group: ResidualGroup, rests: list[Digit], basis: Tensor, offset: Tensor, read: Tensor, write: Tensor, x: Tensor
) -> None:
    """Let a residual group put the rests into the directions `write` `[R, D]`, in place of what `read` finds there.

    Args:
        rests: digits that follow others.
        basis: rows that give components (plus `offset`) of the group's input.
        x: samples of that input, `[n, D, h, w]`.
    """
    block, last = group[0], group[-1]
    block.attention.excite.weight.zero_()  # attention starts at exactly one half
    block.attention.excite.bias.zero_()
    last.weight.zero_()  # what else it added would push values over the edges that the rests are computed from
    last.weight[:, : len(rests), 1, 1] = write.T
    samples, unit = _samples(x), 0
    for place, digit in enumerate(rests):
        before = digit.before
        row = before.scale * basis[before.component]
        shift = -before.scale * offset[before.component]
        block.conv2.weight[place] = 0
        linear = row - read[place]
        linear[place] -= 1
        reach = 2 * (samples @ linear + shift).abs().max()  # keeps the ReLU of the linear part open
        slope = steepness(before.levels)
        ramps = [(row, shift - edge, side) for edge in _edges(before.levels) for side in (0.5, -0.5)]
        block.conv1.weight[unit : unit + 1 + len(ramps)] = 0
        block.conv1.weight[unit, :, 1, 1] = linear
        block.conv1.bias[unit] = shift + reach
        block.conv2.weight[place, unit, 1, 1] = 2
        block.conv2.bias[place] = 2 * ((before.levels - 1) / 2 - reach)
        for ramp, (direction, start, side) in enumerate(ramps, unit + 1):
            block.conv1.weight[ramp, :, 1, 1] = slope * direction
            block.conv1.bias[ramp] = slope * start + side
            block.conv2.weight[place, ramp, 1, 1] = -4 * side
        unit += 1 + len(ramps)


def _point_tail(tail: nn.Conv2d, digits: list[Digit]) -> None:
    """The latent's channels from the last down are the digits; any before them a random mixture of these."""
    channels = tail.out_channels
    tail.weight[:, :, :, :] *= BRANCH
    for place, digit in enumerate(digits):
        tail.weight[channels - 1 - place] = 0
        tail.weight[channels - 1 - place, place, 1, 1] = digit.levels if digit.before else digit.scale


def _fit_decoder(decoder: Decoder, latent: Tensor, features: list[Tensor], images: Tensor) -> None:
    *inner, last = features
    x = _least_squares(decoder.head, latent, last[:, : decoder.head.out_channels])
    for (expand, *after), target in zip(decoder.body, reversed(inner), strict=True):
        target = F.pixel_unshuffle(target[:, : expand.out_channels // 4], 2)
        x = _batches(nn.Sequential(*after), _least_squares(expand, x, target))
    _least_squares(decoder.tail, x, images - decoder.mean)


def _principal_components(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of `[N, D, h, w]`: orthonormal rows `[D, D]` by descending variance, standard deviations, mean `[D]`."""
    samples = _samples(x).double()
    mean = samples.mean(dim=0)
    variances, vectors = torch.linalg.eigh((samples - mean).T @ (samples - mean) / len(samples))
    return vectors.T.flip(0).float(), variances.flip(0).clamp(min=1e-8).sqrt().float(), mean.float()


def _project(conv: nn.Conv2d, x: Tensor, basis: Tensor, scale: Tensor, mean: Tensor, unit: Tensor) -> Tensor:
    """Make a convolution give centred components over `scale`, and return what it gives for `x`."""
    missing = conv.out_channels - len(basis)
    if missing > 0:  # more features than dimensions: the rest at random
        basis = torch.cat([basis, F.normalize(torch.randn(missing, basis.shape[1]))])
        scale = F.pad(scale, (0, missing), value=float(scale.mean()))
    _point(conv, basis * unit / scale[:, None], -(basis @ mean) / scale)
    return _batches(conv, x)


def _least_squares(conv: nn.Conv2d, x: Tensor, target: Tensor) -> Tensor:
    """Fit a 3x3 convolution from `x` to the first channels of its output, `target`; returns what it gives for `x`."""
    outputs = target.shape[1]
    inputs = _samples(F.unfold(_thin(x), 3, padding=1).unsqueeze(-1)).double()
    inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
    gram = inputs.T @ inputs
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    solution = torch.linalg.solve(gram, inputs.T @ _samples(target).double()).T.float()
    conv.weight[:outputs] = solution[:, :-1].reshape(outputs, *conv.weight.shape[1:])
    conv.bias[:outputs] = solution[:, -1]
    return _batches(conv, x)


def _thin(x: Tensor) -> Tensor:
    """The first of the images `[N, ...]`, as many as make POSITIONS samples."""
    return x[: max(1, POSITIONS // (x.shape[-2] * x.shape[-1]))]


def _samples(x: Tensor) -> Tensor:
    """`[n, D]`, one row a position of the first images of `[N, D, h, w]`."""
    return _thin(x).movedim(1, -1).flatten(0, -2)


def _point(conv: nn.Conv2d, matrix: Tensor, bias: Tensor) -> None:
    """Make a 3x3 convolution the matrix `[outputs, inputs]` at each position."""
    conv.weight.zero_()
    conv.weight[:, :, 1, 1] = matrix
    conv.bias.copy_(bias)


def _edges(levels: int) -> list[float]:
    """Where the nearest of the levels changes."""
    return [edge - (levels - 2) / 2 for edge in range(levels - 1)]


def _batches(function: Callable[[Tensor], Tensor], x: Tensor, size: int = 16) -> Tensor:
    return torch.cat([function(some) for some in x.split(size)])
