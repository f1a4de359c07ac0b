"""A start for short trainings in which signals keep their variance through encoder and decoder."""

import math

from torch import nn

from cvqn.model.network import ResidualBlock, ResidualGroup


def preserve_variance(transform: nn.Module, *, branch: float = 0.3) -> None:
    """Initialize every 3x3 convolution of an encoder or decoder so that signals keep their variance.

    torch's own initialization shrinks it to a third per layer, and a short training does not recover. What ends a
    residual branch starts at `branch` of that, so that a group begins near the identity.
    """
    for module in transform.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            _normal(module, 1)
    for module in transform.modules():
        if isinstance(module, ResidualBlock):
            _normal(module.conv1, math.sqrt(2))  # a ReLU follows
            _normal(module.conv2, branch)
        elif isinstance(module, ResidualGroup):
            _normal(module[-1], branch)


def _normal(convolution: nn.Conv2d, gain: float) -> None:
    nn.init.normal_(convolution.weight, std=gain / math.sqrt(convolution.weight[0].numel()))
    nn.init.zeros_(convolution.bias)
