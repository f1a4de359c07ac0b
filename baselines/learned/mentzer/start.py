"""Initialization of Mentzer's network from principal components (see `cvqn.start`); not part of the published method.

A ReLU removes half of a signal, so each component is carried by a pair of channels, itself and its negative. The means
and variances of batch normalization are measured on the images. The skip of each residual group doubles the signal,
which only changes its scale. The strongest components are the first channels of the latent, which the importance map
closes last; at first it is nearly open. Centre 0, which fills the margin, is the one nearest to 0, the value of closed
channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvqn.start import FIT, SEARCH, components, deal, in_batches, rows_of, solve
from cvqn_baselines.learned.mentzer.model import Mentzer
from cvqn_baselines.learned.mentzer.network import MOMENTUM, Body

BRANCH = 0.1  # standard deviation that a residual block adds to a signal, relative to the signal's
OPEN, OPEN_SPREAD = 4.0, 0.5  # mean and standard deviation of the importance map before its sigmoid
PATCH = slice(1, 3)  # the taps of a 5x5 kernel that cover one stride of 2


@torch.no_grad()
def start_from_components(model: Mentzer, images: Tensor) -> None:
    """Fit a fresh network to `images` `[N, 3, H, W]` in [0, 1], in place."""
    model.eval()
    normalize, first, second, body, last = model.encoder
    expand, decoder_body, finer, final, _ = model.decoder
    pictures = in_batches(normalize, images)
    halves, spread = _down(first, pictures, torch.ones(pictures.shape[1]), of_pairs=False)
    quarters, spread = _down(second, halves, spread, of_pairs=True)
    _to_latent(model, last, _through(body, quarters), spread)
    values = in_batches(lambda some: model.quantizer(model.analyse(some)[0]).values, images)
    x = _through(decoder_body, _up(expand, values, _paired(_signed(quarters, len(spread)))))
    x = _up(finer, x, _paired(_signed(halves, first[2].num_features // 2)))
    _up(final, x, pictures)
    model.train()


def _down(layer: nn.Sequential, x: Tensor, spread: Tensor, *, of_pairs: bool) -> tuple[Tensor, Tensor]:
    """Fit a strided layer to give pairs of components of `x`; returns its output and the components' deviations."""
    conv, normalization = layer[1], layer[2]
    signed = _signed(x, len(spread)) if of_pairs else x
    count = normalization.num_features // 2
    matrix, _, deviations = components(F.pixel_unshuffle(signed, 2), spread, count)
    _place(conv, torch.cat([matrix, -matrix]), len(spread), of_pairs)
    _measure(normalization, in_batches(layer[:2], x))
    return in_batches(layer, x), deviations


def _to_latent(model: Mentzer, layer: nn.Sequential, x: Tensor, spread: Tensor) -> None:
    """Fit the last layer of the encoder to give components scaled to the quantizer's step of 1."""
    conv, normalization = layer[1], layer[2]
    levels, channels = model.settings.levels, model.settings.channels
    model.quantizer.centres.copy_(_centres(levels))
    signed = _signed(x, len(spread))
    scale = signed.std(dim=(0, 2, 3), keepdim=True)
    unshuffled = F.pixel_unshuffle(signed / scale, 2)
    matrix, bias, deviations = components(unshuffled, spread, min(channels, unshuffled.shape[1]))
    rows = rows_of(unshuffled, SEARCH) @ matrix.T + bias
    dealt = deal(rows.T, deviations, [(levels, channels)])
    component, step, shift = (torch.tensor(column) for column in zip(*dealt, strict=True))
    of_latent = matrix[component] / scale.flatten().repeat_interleave(4)
    importance = conv.weight[:1].clone()
    _place(conv, torch.cat([torch.zeros(1, matrix.shape[1]), of_latent]), len(spread), True)
    conv.weight[:1] = importance
    _measure(normalization, in_batches(layer[:2], x))
    normalization.weight.copy_(torch.cat([torch.tensor([OPEN_SPREAD]), 1 / step]))
    normalization.bias.copy_(torch.cat([torch.tensor([OPEN]), shift]))


def _up(layer: nn.Sequential, x: Tensor, target: Tensor) -> Tensor:
    """Fit the first outputs of a transposed layer, before the ReLU, to `target`, given `x`; returns its output."""
    conv, normalization = layer[0], layer[2]
    count, shift, kernel = target.shape[1], conv.padding[0], conv.kernel_size[0]
    intercepts = []
    around = F.pad(x, (1, 1, 1, 1))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        taps = [
            (i, j) for i in range(kernel) for j in range(kernel)
            if (row + shift - i) % 2 == 0 and (column + shift - j) % 2 == 0
        ]  # fmt: skip
        places = [(1 + (row + shift - i) // 2, 1 + (column + shift - j) // 2) for i, j in taps]
        some = max(1, FIT // x[0, 0].numel())
        seen = [around[:some, :, r : r + x.shape[2], c : c + x.shape[3]] for r, c in places]
        solution = solve(rows_of(torch.cat(seen, dim=1)), rows_of(target[:some, :, row::2, column::2]))
        weights = solution[:, :-1].reshape(count, len(taps), -1)
        for tap, (i, j) in enumerate(taps):
            conv.weight[:, :count, i, j] = weights[:, tap].T
        intercepts.append(solution[:, -1])
    fitted = in_batches(layer[:2], x)
    _measure(normalization, fitted)
    normalization.weight[:count] = normalization.running_var[:count].add(normalization.eps).sqrt()
    normalization.bias[:count] = fitted[:, :count].mean(dim=(0, 2, 3)) + torch.stack(intercepts).mean(dim=0)
    return in_batches(layer, x)


def _through(body: Body, x: Tensor) -> Tensor:
    """Make every residual block add little, and measure the normalizations on `x`; returns the output for `x`."""
    deviation = float(x.std())
    for number, group in enumerate(body):
        blocks = group if isinstance(group, nn.Sequential) else [group]
        for block in blocks:
            block.conv2[-1].weight.fill_(BRANCH * deviation * 2**number)  # the skips double the signal in each group
    normalizations = [module for module in body.modules() if isinstance(module, nn.BatchNorm2d)]
    for normalization in normalizations:
        normalization.reset_running_stats()
        normalization.momentum = None  # the mean over all batches
    body.train()
    in_batches(body, x)
    body.eval()
    for normalization in normalizations:
        normalization.momentum = MOMENTUM
    return in_batches(body, x)


def _measure(normalization: nn.BatchNorm2d, x: Tensor) -> None:
    """Set a normalization's mean and variance to those of its input `x`."""
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    normalization.running_mean.copy_(mean)
    normalization.running_var.copy_(variance)


def _place(conv: nn.Conv2d, matrix: Tensor, planes: int, of_pairs: bool) -> None:
    """Make a strided convolution's first outputs apply `matrix` `[outputs, 4 planes]`, to the difference of pairs."""
    kernel = matrix.reshape(len(matrix), planes, 2, 2)
    conv.weight[: len(matrix)] = 0
    conv.weight[: len(matrix), :planes, PATCH, PATCH] = kernel
    if of_pairs:
        conv.weight[: len(matrix), planes : 2 * planes, PATCH, PATCH] = -kernel


def _signed(x: Tensor, planes: int) -> Tensor:
    """The components that pairs of channels carry."""
    return x[:, :planes] - x[:, planes : 2 * planes]


def _paired(x: Tensor) -> Tensor:
    """Components followed by their negatives."""
    return torch.cat([x, -x], dim=1)


def _centres(levels: int) -> Tensor:
    """Centres one unit apart around 0, in order of distance from 0."""
    centres = torch.arange(levels, dtype=torch.float32) - (levels - 1) / 2
    return centres[centres.abs().argsort(stable=True)]
