"""A network in training: what the training loop asks of a learned codec."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from cvqn.codecs.interface import Crops


class Forward(Protocol):
    """One pass of images through a network."""

    reconstruction: Tensor
    """`[B, 3, H, W]`, nominally in [0, 1], not clipped."""

    def bpp(self) -> Tensor:
        """Estimated bits per pixel of each image, `[B]`."""


class Loss(Protocol):
    """What is minimized."""

    total: Tensor
    """A scalar."""


class Trainable(nn.Module):
    """Base of the networks that a training can train; `forward` takes images `[B, 3, H, W]` in [0, 1].

    H and W are multiples of `stride`.
    """

    stride: int

    def start(self, crops: Crops) -> None:
        """Fit to the images what is fitted before the first step."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for Adam, each with `params` and its learning rate `lr`; the log shows the rate of the first."""
        raise NotImplementedError

    def loss(self, forward: Forward, images: Tensor) -> Loss:
        """The loss of a pass, in float32."""
        raise NotImplementedError

    def describe(self, forward: Forward, loss: Loss) -> dict[str, float]:
        """A row of the log; `loss`, `bpp` and `ms_ssim` are among its columns."""
        raise NotImplementedError

    def fault(self, row: dict[str, float]) -> str | None:
        """What in a row of the log shows that the training has diverged, beside a loss that is not finite."""
        return None

    def end_epoch(self, epoch: int, crops: Crops) -> None:
        """What happens after each epoch, counted from 1."""

    @torch.inference_mode()
    def export(self, images: Tensor) -> dict[str, Tensor]:
        """Every tensor that encoding and decoding need; `images` `[B, 3, H, W]` are for calibration.

        Called on a CPU, in evaluation mode, in float32.
        """
        return dict(self.state_dict())
