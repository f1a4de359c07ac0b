"""Initialization for short trainings that preserves the variance of signals through encoder and decoder."""

import math

from torch import nn

from cvqn.model.network import ResidualBlock, ResidualGroup


def preserve_variance(transform: nn.Module, *, branch: float = 0.3) -> None:
    """Initialize every 3x3 convolution of an encoder or decoder so that signals keep their variance.

    PyTorch's own initialization cuts the variance to a third per layer, from which a short training does not recover.
    The last convolution of each residual branch gets `branch` times the gain, so that a group begins near the identity.
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
