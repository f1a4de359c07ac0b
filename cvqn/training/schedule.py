"""Learning rates: one Adam with a parameter group for each part of the network, and a factor common to all."""

import math
from collections import defaultdict

import torch
from torch import nn

from cvqn.model.cvqn import CVQN

BIAS_FAN_IN = 10


def learning_rate_factor(training: dict, epoch: float) -> float:
    """The factor on every learning rate at an epoch, fractions allowed.

    `drops`: divided by `drop_factor` at each of `drop_epochs` (Section 4.1). `cosine`: a linear rise over
    `warmup_epochs`, then half a cosine to zero.
    """
    warmup = training["warmup_epochs"]
    rise = min(1.0, (epoch + 1e-3) / warmup) if warmup else 1.0
    if training["schedule"] == "drops":
        return rise / training["drop_factor"] ** sum(epoch >= drop for drop in training["drop_epochs"])
    progress = max(0.0, epoch - warmup) / max(training["epochs"] - warmup, 1e-9)
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def make_optimizer(model: CVQN, training: dict) -> torch.optim.Adam:
    """Adam with the learning rates of Section 4.1; each group keeps its own under `initial_lr`.

    With `rate_scaling: fan-in` a convolution of encoder and decoder gets its rate divided by the number of inputs to
    one output: Adam moves every weight by about its rate, so that outputs move by rate times fan-in (Yang et al. 2021,
    Tensor Programs V). Biases get a tenth. What has a rate of zero gets no gradient, which saves its time.
    """
    rates = training["learning_rates"]
    quantizers = list(model.controller.quantizers)
    mixture = [p for q in quantizers for p in (q.log_weights, q.log_sigmas) if p.requires_grad]
    parts = [
        *_transform(model.encoder, rates["encoder"], training["rate_scaling"]),
        (model.importance.parameters() if model.importance is not None else [], rates["importance"]),
        ([q.means for q in quantizers], rates["quantizer"]),
        (mixture, rates["quantizer"] * training["mixture_rate"]),
        (model.controller.contexts.parameters(), rates["context"]),
        *_transform(model.decoder, rates["decoder"], training["rate_scaling"]),
    ]
    groups = [{"params": list(parameters), "lr": rate, "initial_lr": rate} for parameters, rate in parts]
    for group in groups:
        for parameter in group["params"]:
            parameter.requires_grad_(group["lr"] > 0)
    groups = [group for group in groups if group["params"] and group["lr"] > 0]
    return torch.optim.Adam(groups, betas=tuple(training["betas"]), fused=True)


def _transform(transform: nn.Module, rate: float, scaling: str) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters with their rates; with fan-in those of equal rate together."""
    if scaling == "none":
        return [(list(transform.parameters()), rate)]
    by_fan_in = defaultdict(list)
    for parameter in transform.parameters():
        by_fan_in[parameter[0].numel() if parameter.dim() > 1 else BIAS_FAN_IN].append(parameter)
    return [(parameters, rate / fan_in) for fan_in, parameters in by_fan_in.items()]


def set_learning_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Every group's rate becomes its initial one times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
