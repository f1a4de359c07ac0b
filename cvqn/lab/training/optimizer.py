"""Adam over the parameter groups of a network, and a factor common to all learning rates."""

import math
from typing import Any

import torch
from torch import Tensor

from cvqn.codecs.trainable import Trainable
from cvqn.settings import TrainingSettings


def learning_rate_factor(training: TrainingSettings, epoch: float) -> float:
    """The factor on every learning rate at an epoch, which may be a fraction.

    `drops`: divided by `drop_factor` at each of `drop_epochs` (Section 4.1). `cosine`: half a cosine to zero after the
    warm-up, which fine-tuning always has. In each phase the factor first rises linearly over `warmup_epochs`.
    """
    tuning, warmup, epochs, factor = training.fine_tuning, training.warmup_epochs, training.epochs, 1.0
    fine_tunes = tuning is not None and epoch >= epochs
    if fine_tunes:
        epoch, epochs, factor = epoch - epochs, tuning.epochs, tuning.rate_factor
    factor *= min(1.0, (epoch + 1e-3) / warmup) if warmup else 1.0
    if training.schedule == "drops" and not fine_tunes:
        return float(factor / training.drop_factor ** sum(epoch >= drop for drop in training.drop_epochs))
    progress = max(0.0, epoch - warmup) / max(epochs - warmup, 1e-9)
    return factor * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def make_optimizer(
    network: Trainable, training: TrainingSettings, state: dict[str, Any] | None = None
) -> torch.optim.Adam:
    """Adam; each group keeps its own learning rate under `initial_lr`.

    Parameters with a rate of zero get no gradient, which saves time.

    Args:
        state: the optimizer's state, when a training is resumed.
    """
    groups = [{**group, "initial_lr": group["lr"]} for group in network.parameter_groups()]
    for group in groups:
        for parameter in group["params"]:
            parameter.requires_grad_(group["lr"] > 0)
    groups = [group for group in groups if group["params"] and group["lr"] > 0]
    optimizer = torch.optim.Adam(groups, betas=training.betas, fused=True, capturable=training.cuda_graphs)
    if state is not None:
        optimizer.load_state_dict(state)
    if training.cuda_graphs:  # a graph would replay a number as it was when recorded, but reads a tensor again
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=training.device)
    return optimizer


def set_learning_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to its initial rate times `factor`."""
    for group in optimizer.param_groups:
        rate = group["initial_lr"] * factor
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
