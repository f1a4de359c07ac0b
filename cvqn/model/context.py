"""The context model of a group: masked 3D convolutions over (channel, row, column), after Mentzer et al. 2018."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 27
CENTRE = 13


class MaskedConv3d(nn.Module):
    """A 3x3x3 convolution that sees only the positions before its own in raster order.

    Taps are numbered in raster order of (channel, row, column). A hollow mask keeps the 13 taps before the centre, a
    solid mask the centre as well. Weight `[outputs, inputs, 3, 3, 3]`, bias `[outputs]`. With `padded`, the input is
    zero-padded by 1; without it, the output lacks the first channel, and one row or column at each side.
    """

    def __init__(self, inputs: int, outputs: int, *, hollow: bool, padded: bool = True):
        super().__init__()
        self.padded = padded
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

        The mask is zero for the next channel, so only the kernel's planes of the previous and the own channel are used.
        """
        weight = self.masked_weight[:, :, :2].contiguous(memory_format=torch.channels_last_3d)
        if not self.padded:
            return F.conv3d(features, weight, self.bias)
        return F.conv3d(F.pad(features, (0, 0, 0, 0, 1, 0)), weight, self.bias, padding=(0, 1, 1))


class Activations(NamedTuple):
    """Outputs of the layers before the last, `[B, K, channels, rows, columns]` each."""

    x1: Tensor  # output of the first layer, at least 0
    y: Tensor  # inside the residual block, at least 0
    x2: Tensor  # output of the residual block


class ContextModel(nn.Module):
    """Predicts each symbol of one group from those before it in raster order (Section 3.3).

    A hollow convolution, a residual block of two solid convolutions, and a solid convolution to the logits; width K.

    Args:
        levels: Q, the number of symbols.
        width: K, 192 in the released code, 24 in Mentzer et al. 2018.
        relu_logits: clip the logits at zero, as the released code does.
        detach_input: stop the rate's gradient before it reaches the encoder, as Mentzer et al. do.
        padded: zero-pad the input of each layer. If false, the caller pads the values by 4 channels in front and by 4
            rows and columns at each side (Mentzer et al.); logits are then returned for the unpadded volume only.
    """

    def __init__(
        self, levels: int, width: int, *, relu_logits: bool = False, detach_input: bool = False, padded: bool = True
    ):
        super().__init__()
        self.levels = levels
        self.width = width
        self.relu_logits = relu_logits
        self.detach_input = detach_input
        self.padded = padded
        self.first = MaskedConv3d(1, width, hollow=True, padded=padded)
        self.residual1 = MaskedConv3d(width, width, hollow=False, padded=padded)
        self.residual2 = MaskedConv3d(width, width, hollow=False, padded=padded)
        self.last = MaskedConv3d(width, levels, hollow=False, padded=padded)

    def activations(self, values: Tensor) -> Activations:
        """Outputs of the first three layers for quantized values `[B, C_g, h, w]`."""
        x1 = F.relu(self.first(values.unsqueeze(1)), inplace=True)
        y = F.relu(self.residual1(x1), inplace=True)
        inside = x1 if self.padded else x1[:, :, 2:, 2:-2, 2:-2]
        return Activations(x1, y, inside + self.residual2(y))

    def forward(self, values: Tensor) -> Tensor:
        """Logits `[B, Q, C_g, h, w]` (natural log, unnormalized) of quantized values `[B, C_g, h, w]`.

        If not `padded`, the values include the caller's padding and the logits do not.
        """
        if self.detach_input:
            values = values.detach()
        logits = self.last(self.activations(values).x2).float()
        if self.relu_logits:
            logits = F.relu(logits)
        return logits

    def cross_entropy(self, values: Tensor, symbols: Tensor) -> Tensor:
        """Nats spent on each of the symbols 0..Q-1, `[B, C_g, h, w]`; `values` as for `forward`."""
        return F.cross_entropy(self(values), symbols, reduction="none")
