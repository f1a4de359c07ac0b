"""The quantizer of Section 3.2: a mixture of Gaussians whose components are the quantization levels."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SOFT_VARIANCE = 0.5  # sigma = sqrt(2)/2, at which equation (3) with equal weights is the soft quantizer


class Quantized(NamedTuple):
    """A quantized latent; each tensor has the latent's shape."""

    values: Tensor  # the chosen means in the forward pass; in the backward pass the gradient is that of equation (4)
    symbols: Tensor  # int64 0..Q-1, the index of the chosen mean
    nll: Tensor  # -log p(z) in nats for each element, equation (5)


class GMMQuantizer(nn.Module):
    """Equations (2) to (5) for one group, in the log domain.

    Means start one unit apart around zero, with equal weights and variances of 1/2: the soft quantizer.

    Args:
        levels: Q, at least 2.
        rule: `responsibility` chooses the mean by equation (3); `nearest` chooses as the released code does, the mean
            nearest in units of its own standard deviation, ignoring the weights.
        mixture: learn weights and variances; if false, this stays the soft quantizer.
        variance_floor: added to every learned variance, so that no component collapses onto a point.
    """

    def __init__(self, levels: int, *, rule: str, mixture: bool, variance_floor: float):
        super().__init__()
        self.rule = rule
        self.variance_floor = variance_floor if mixture else 0.0
        start = 0.5 * math.log(SOFT_VARIANCE - self.variance_floor)
        self.means = nn.Parameter(torch.arange(levels, dtype=torch.float32) - (levels - 1) / 2)
        self.log_weights = nn.Parameter(torch.zeros(levels), requires_grad=mixture)
        self.log_sigmas = nn.Parameter(torch.full((levels,), start), requires_grad=mixture)

    @property
    def variances(self) -> Tensor:
        """sigma^2 of each component, `[Q]`."""
        return torch.exp(2 * self.log_sigmas) + self.variance_floor

    def log_joint(self, latent: Tensor) -> Tensor:
        """log(pi_q N(z | mu_q, sigma_q^2)), `[..., Q]`: the summands of equation (2)."""
        distance = (latent.unsqueeze(-1) - self.means) ** 2
        log_normal = -0.5 * (distance / self.variances + torch.log(2 * math.pi * self.variances))
        return F.log_softmax(self.log_weights, dim=0) + log_normal

    def forward(self, latent: Tensor) -> Quantized:
        """Quantize a latent of any shape."""
        latent = latent.float()
        log_joint = self.log_joint(latent)
        if self.rule == "responsibility":
            symbols = log_joint.argmax(dim=-1)
        else:
            symbols = ((latent.unsqueeze(-1) - self.means) ** 2 / self.variances).argmin(dim=-1)
        nll = -torch.logsumexp(log_joint, dim=-1)
        responsibilities = torch.exp(log_joint + nll.unsqueeze(-1))
        soft = (responsibilities * self.means).sum(dim=-1)
        hard = self.means.detach()[symbols]
        return Quantized(hard + (soft - soft.detach()), symbols, nll)

    @torch.no_grad()
    def is_monotone(self, latent: Tensor) -> bool:
        """Whether no value in `latent` is quantized to a smaller mean than a value below it.

        With unequal variances, the values that equation (3) assigns to a mean need not form an interval.
        """
        ordered = latent.flatten().float().sort().values
        return bool((self.means[self(ordered).symbols].diff() >= 0).all())
