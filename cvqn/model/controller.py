"""The variable quantization controller (Section 3.3): sort, split, quantize and encode by group, merge."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cvqn.model.context import ContextModel
from cvqn.model.quantizer import GMMQuantizer


class Controlled(NamedTuple):
    """A quantized latent `[B, C, h, w]` and its cost; lists have one entry per group."""

    values: Tensor  # [B, C, h, w] in the latent's own channel order, for the decoder
    symbols: list[Tensor]  # int64 [B, C_g, h, w] in sorted order
    nats: list[Tensor]  # cross entropy of each symbol, [B, C_g, h, w]
    nll: list[Tensor]  # equation (5) of each element in nats, [B, C_g, h, w]


class Controller(nn.Module):
    """Quantizers and context models of G groups, and the order in which channels are assigned to them.

    `order` `[C]` lists the channels by ascending importance; group g takes the next C_g of them.
    """

    def __init__(self, sizes: list[int], quantizers: list[GMMQuantizer], contexts: list[ContextModel]):
        super().__init__()
        self.sizes = sizes
        self.quantizers = nn.ModuleList(quantizers)
        self.contexts = nn.ModuleList(contexts)
        self.register_buffer("order", torch.arange(sum(sizes)))

    @property
    def levels(self) -> list[int]:
        """Q of each group."""
        return [context.levels for context in self.contexts]

    def split(self, latent: Tensor) -> list[Tensor]:
        """The groups `[B, C_g, h, w]` of a latent `[B, C, h, w]`, sorted by importance."""
        return list(latent[:, self.order].split(self.sizes, dim=1))

    def merge(self, groups: list[Tensor]) -> Tensor:
        """The inverse of `split`."""
        return torch.cat(groups, dim=1)[:, self.order.argsort()]

    def quantize(self, latent: Tensor) -> Tensor:
        """Quantized values in the latent's own order, without the context models."""
        return self.merge([q(z).values for q, z in zip(self.quantizers, self.split(latent), strict=True)])

    def symbols(self, latent: Tensor) -> list[Tensor]:
        """Symbols of each group, int64 `[B, C_g, h, w]`."""
        return [q(z).symbols for q, z in zip(self.quantizers, self.split(latent), strict=True)]

    def values(self, symbols: list[Tensor]) -> Tensor:
        """The quantized latent `[B, C, h, w]` of symbols, int64 `[B, C_g, h, w]` of each group, in its own order."""
        return self.merge([q.means[s] for q, s in zip(self.quantizers, symbols, strict=True)])

    def forward(self, latent: Tensor) -> Controlled:
        """Quantize a latent `[B, C, h, w]` and compute the terms of the loss for each group."""
        quantized = [q(z) for q, z in zip(self.quantizers, self.split(latent), strict=True)]
        nats = [c.cross_entropy(q.values, q.symbols) for c, q in zip(self.contexts, quantized, strict=True)]
        return Controlled(
            self.merge([q.values for q in quantized]), [q.symbols for q in quantized], nats, [q.nll for q in quantized]
        )
