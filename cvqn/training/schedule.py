"""Learning rates: one Adam with a parameter group for each part of the network, and a factor common to all."""

import math

import torch

from cvqn.model.cvqn import CVQN


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
    """Adam with the learning rates of Section 4.1; each group keeps its own under `initial_lr`."""
    rates = training["learning_rates"]
    quantizers = list(model.controller.quantizers)
    mixture = [p for q in quantizers for p in (q.log_weights, q.log_sigmas) if p.requires_grad]
    parts = [
        (model.encoder.parameters(), rates["encoder"]),
        (model.importance.parameters() if model.importance is not None else [], rates["importance"]),
        ([q.means for q in quantizers], rates["quantizer"]),
        (mixture, rates["quantizer"] * training["mixture_rate"]),
        (model.controller.contexts.parameters(), rates["context"]),
        (model.decoder.parameters(), rates["decoder"]),
    ]
    groups = [{"params": list(parameters), "lr": rate, "initial_lr": rate} for parameters, rate in parts]
    return torch.optim.Adam([group for group in groups if group["params"]], betas=tuple(training["betas"]), fused=True)


def set_learning_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Every group's rate becomes its initial one times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
