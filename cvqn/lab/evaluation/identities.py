"""Statements of the paper that hold by definition, checked on the model's own code."""

import math

import numpy as np
import torch

from cvqn.model.quantizer import GMMQuantizer

LEVELS = range(2, 9)
LATENTS = 4001  # over twice the range of the means


def soft_quantizer() -> dict[str, object]:
    """Section 3.2: with equal weights and sigma = sqrt(2)/2 the GMM quantizer is the soft quantizer.

    The soft quantizer (Agustsson et al. 2017) gives each mean the weight softmax(-(z - mu)^2) and rounds to the
    nearest.

    Returns:
        `largest_difference` of soft values over Q = 2..8, as a share of the means' range; `hard_differences`, the
        number of latents whose hard values differ; `points`, the number of latents tried; and `levels`.
    """
    largest, different, points = 0.0, 0, 0
    for levels in LEVELS:
        generator = torch.Generator().manual_seed(levels)
        means = torch.sort(2 * torch.randn(levels, generator=generator)).values
        spread = float(means[-1] - means[0])
        latent = torch.linspace(float(means[0]) - spread / 2, float(means[-1]) + spread / 2, LATENTS)
        quantizer = _degenerate(levels, means)
        posterior = torch.softmax(quantizer.log_joint(latent), dim=-1)
        soft, hard = (posterior * quantizer.means).sum(dim=-1).detach(), quantizer(latent).symbols
        distance = np.square(latent.double().numpy()[:, None] - means.double().numpy())
        weights = np.exp(-distance)
        reference = weights @ means.double().numpy() / weights.sum(axis=1)
        largest = max(largest, float(np.abs(soft.double().numpy() - reference).max()) / spread)
        nearest = np.sort(distance, axis=1)
        clear = nearest[:, 1] - nearest[:, 0] > 1e-5  # halfway between two means, either is right
        different += int((hard.numpy() != distance.argmin(axis=1))[clear].sum())
        points += LATENTS
    return {"largest_difference": largest, "hard_differences": different, "points": points, "levels": list(LEVELS)}


@torch.no_grad()
def _degenerate(levels: int, means: torch.Tensor) -> GMMQuantizer:
    """A GMM quantizer with these means, equal weights and variance 1/2."""
    quantizer = GMMQuantizer(levels, rule="responsibility", mixture=True, variance_floor=0.0)
    quantizer.means.copy_(means)
    quantizer.log_weights.fill_(0.0)
    quantizer.log_sigmas.fill_(math.log(math.sqrt(2) / 2))
    return quantizer
