"""The context model of a group: masked 3D convolutions over (channel, row, column), after Mentzer et al. 2018."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 27
CENTRE = 13


class MaskedConv3d(nn.Module):
    """A 3x3x3 convolution, zero padding 1, that sees only what precedes a position in raster order.

    Taps are numbered in raster order of (channel, row, column): a hollow mask keeps the 13 before the centre, a
    solid one the centre too. Weight `[outputs, inputs, 3, 3, 3]`, bias `[outputs]`.
    """

    def __init__(self, inputs: int, outputs: int, *, hollow: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3, 3))
        self.bias = nn.Parameter(torch.empty(outputs))
        taps = CENTRE if hollow else CENTRE + 1
        bound = 1 / math.sqrt(inputs * taps)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        mask = (torch.arange(TAPS) < taps).float().reshape(3, 3, 3)
        self.register_buffer("mask", mask, persistent=False)

    @property
    def masked_weight(self) -> Tensor:
        """The weight with every unseen tap at zero, `[outputs, inputs, 3, 3, 3]`."""
        return self.weight * self.mask

    def forward(self, features: Tensor) -> Tensor:
        """Convolve `[B, inputs, channels, h, w]`, the group's channels on axis 2, to `[B, outputs, channels, h, w]`.

        No kernel reaches a later channel, so two thirds of it are enough: the channel before and the channel itself.
        """
        weight = self.masked_weight[:, :, :2].contiguous(memory_format=torch.channels_last_3d)
        return F.conv3d(F.pad(features, (0, 0, 0, 0, 1, 0)), weight, self.bias, padding=(0, 1, 1))


class ContextModel(nn.Module):
    """Probabilities of the symbols of one group, each from those before it in raster order (Section 3.3).

    A hollow convolution, one residual block of two solid ones, and a solid one to the logits; width K.

    Args:
        levels: Q, the number of symbols.
        width: K, 192 in the released code, 24 in Mentzer et al. 2018.
        relu_logits: clip the logits at zero, as the released code does.
        detach_input: keep the rate's gradient from the encoder, as Mentzer et al. do.
    """

    def __init__(self, levels: int, width: int, *, relu_logits: bool = False, detach_input: bool = False):
        super().__init__()
        self.levels = levels
        self.width = width
        self.relu_logits = relu_logits
        self.detach_input = detach_input
        self.first = MaskedConv3d(1, width, hollow=True)
        self.residual1 = MaskedConv3d(width, width, hollow=False)
        self.residual2 = MaskedConv3d(width, width, hollow=False)
        self.last = MaskedConv3d(width, levels, hollow=False)

    def forward(self, values: Tensor) -> Tensor:
        """Logits `[B, Q, C_g, h, w]` (natural log, unnormalised) of quantized values `[B, C_g, h, w]`."""
        if self.detach_input:
            values = values.detach()
        x1 = F.relu(self.first(values.unsqueeze(1)), inplace=True)
        x2 = x1 + self.residual2(F.relu(self.residual1(x1), inplace=True))
        logits = self.last(x2).float()
        if self.relu_logits:
            logits = F.relu(logits)
        return logits

    def cross_entropy(self, values: Tensor, symbols: Tensor) -> Tensor:
        """Nats spent on each symbol, `[B, C_g, h, w]`, of values and symbols (0..Q-1) of that shape."""
        return F.cross_entropy(self(values), symbols, reduction="none")
