"""An exponential moving average of a network's weights, kept from half time on."""

import torch
from torch import Tensor, nn


class Average:
    """The average of the weights from the step `start` on; buffers, which are no weights, are taken as they are.

    Until it has some weight of its own it forgets faster: the decay at the n-th update is at most n / (n + 10).
    """

    def __init__(self, network: nn.Module, decay: float, start: int):
        self.network, self.decay, self.start = network, decay, start
        self.weights: dict[str, Tensor] = {}
        self.updates = 0

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step` steps."""
        if step < self.start:
            return
        parameters = dict(self.network.named_parameters())
        if not self.weights:
            self.weights = {name: parameter.detach().clone() for name, parameter in parameters.items()}
            return
        self.updates += 1
        share = 1 - min(self.decay, self.updates / (self.updates + 10))
        torch._foreach_lerp_(list(self.weights.values()), [parameters[name] for name in self.weights], share)

    def state_dict(self) -> dict[str, object]:
        """What a resumed training needs."""
        return {"weights": self.weights, "updates": self.updates}

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`."""
        own = dict(self.network.named_parameters())
        self.weights = {name: tensor.to(own[name].device) for name, tensor in state["weights"].items()}
        self.updates = state["updates"]
