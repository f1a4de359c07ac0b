"""Channel importance (Section 3.3), which decides the order in which channels are given levels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOMENTUM = 0.1


class SqueezeExcitation(nn.Module):
    """The importance of C channels by average pooling and two 1x1 convolutions (Section 3.3, after Hu et al. 2018).

    The paper only sorts by w, so w gets no gradient. With `scale_latent` the latent is multiplied by w, so that the
    loss trains w: by its mean over the batch in training, by its running mean in evaluation. Without it the latent is
    unchanged and w is never trained, as in the released code.
    """

    def __init__(self, channels: int, reduction: int, *, scale_latent: bool):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        self.scale_latent = scale_latent
        self.register_buffer("importance", torch.full((channels,), 0.5))

    def forward(self, latent: Tensor) -> Tensor:
        """The latent `[B, C, h, w]`, with `scale_latent` each channel multiplied by its importance in (0, 1)."""
        if self.training:
            pooled = latent.float().mean(dim=(2, 3))
            weights = torch.sigmoid(self.excite(F.relu(self.squeeze(pooled)))).float().mean(dim=0)
            with torch.no_grad():
                self.importance.lerp_(weights, MOMENTUM)
        else:
            weights = self.importance
        return latent * weights.reshape(-1, 1, 1).to(latent.dtype) if self.scale_latent else latent


@torch.no_grad()
def reconstruction_errors(
    latent: Tensor,
    images: Tensor,
    reconstruct: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Equation (6) over a batch: the mean distance `[C]` to the originals with each channel set to 0 in turn.

    Args:
        latent: `[N, C, h, w]`, before the quantizer.
        images: `[N, 3, H, W]` in [0, 1].
        reconstruct: quantizer and decoder, from latent to images.
        distance: from two batches of images to one number per image, `[N]`, such as 1 - MS-SSIM.
    """
    errors = []
    for channel in range(latent.shape[1]):
        pruned = latent.clone()
        pruned[:, channel] = 0
        errors.append(distance(reconstruct(pruned), images).mean())
    return torch.stack(errors)
