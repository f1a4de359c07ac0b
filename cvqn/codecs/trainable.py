"""A network in training: what the training loop requires of a learned codec."""

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
    """The quantity that training minimizes."""

    total: Tensor
    """A scalar."""


class Trainable(nn.Module):
    """Base of the networks that the training loop can train.

    `forward` takes images `[B, 3, H, W]` in [0, 1], H and W multiples of `stride`, and returns a `Forward`.
    """

    stride: int

    def start(self, crops: Crops) -> None:
        """Fit initial weights to training images, before the first step; by default nothing."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for Adam, each with `params` and its learning rate `lr`; the log shows the rate of the first."""
        raise NotImplementedError

    def loss(self, forward: Forward, images: Tensor) -> Loss:
        """The loss of a pass over `images`, computed in float32."""
        raise NotImplementedError

    def describe(self, forward: Forward, loss: Loss) -> dict[str, float]:
        """A row of the log; its columns include `loss`, `bpp` and `ms_ssim`."""
        raise NotImplementedError

    def fault(self, row: dict[str, float]) -> str | None:
        """How a row of the log shows that the training has diverged, or None; a loss that is not finite always does."""
        return None

    def end_epoch(self, epoch: int, crops: Crops) -> None:
        """Called after each epoch, counted from 1; by default does nothing."""

    @torch.inference_mode()
    def export(self, images: Tensor) -> dict[str, Tensor]:
        """Every tensor that encoding and decoding need.

        Called in evaluation mode, with float32 weights on a CPU.

        Args:
            images: `[B, 3, H, W]` in [0, 1], training images for calibration.
        """
        return dict(self.state_dict())
