"""The assembled network and its loss, equation (8)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvqn.model.context import ContextModel
from cvqn.model.controller import Controlled, Controller
from cvqn.model.importance import SqueezeExcitation
from cvqn.model.ms_ssim import ms_ssim
from cvqn.model.network import Decoder, Encoder
from cvqn.model.quantizer import GMMQuantizer
from cvqn.model.settings import ModelSettings


class CVQN(nn.Module):
    """Encoder, channel importance, variable quantization controller, decoder."""

    def __init__(self, settings: ModelSettings):
        super().__init__()
        self.settings = settings
        channels, blocks, reduction = settings.channels, settings.blocks, settings.attention_reduction
        encoder_widths = [round(width * settings.width) for width in settings.encoder_widths]
        decoder_widths = [round(width * settings.width) for width in settings.decoder_widths]
        self.encoder = Encoder(encoder_widths, channels, blocks, reduction, settings.downsampling, settings.gdn)
        self.decoder = Decoder(decoder_widths, channels, blocks, reduction, settings.gdn)
        self.controller = Controller(
            list(settings.group_sizes),
            [GMMQuantizer(levels, **dict(settings.quantizer)) for levels in settings.levels],
            [ContextModel(levels, **dict(settings.context)) for levels in settings.levels],
        )
        self.importance = (
            SqueezeExcitation(channels, settings.importance.reduction, scale_latent=settings.importance.scale_latent)
            if settings.importance.kind == "se"
            else None
        )

    def analyse(self, images: Tensor) -> Tensor:
        """The latent `[B, C, h, w]` that the controller quantizes, float32, of images `[B, 3, 16 h, 16 w]`."""
        latent = self.encoder(images).float()
        return self.importance(latent) if self.importance is not None else latent

    def reconstruct(self, latent: Tensor) -> Tensor:
        """Quantizer and decoder: images `[B, 3, 16 h, 16 w]` of an unquantized latent `[B, C, h, w]`."""
        return self.decoder(self.controller.quantize(latent))

    def forward(self, images: Tensor) -> "Forward":
        """Everything the loss needs, of images `[B, 3, H, W]` in [0, 1], H and W multiples of 16."""
        latent = self.analyse(images)
        controlled = self.controller(latent)
        return Forward(self.decoder(controlled.values).float(), latent, controlled)


class Forward(NamedTuple):
    """One pass through the network."""

    reconstruction: Tensor  # [B, 3, H, W], not clipped
    latent: Tensor  # [B, C, h, w]
    controlled: Controlled

    def bpp(self) -> Tensor:
        """Cross entropy in bits per pixel of each image, `[B]`."""
        nats = sum(group.flatten(1).sum(dim=1) for group in self.controlled.nats)
        return nats / (math.log(2) * self.reconstruction[0, 0].numel())


class Loss(NamedTuple):
    """Equation (8) and its terms, scalars."""

    total: Tensor
    ms_ssim: Tensor
    entropy: Tensor  # mean over groups of the mean nats per symbol
    gmm: Tensor  # mean over groups of the mean nats per element


def loss(forward: Forward, images: Tensor, *, alpha: float, beta: float, clamp: bool, reflect: int = 0) -> Loss:
    """alpha (1 - MS-SSIM) + 1/G sum_g L_ent,g + beta 1/G sum_g L_GMM,g, equation (8).

    Args:
        forward: a pass over `images`.
        images: `[B, 3, H, W]` in [0, 1].
        alpha: weight of the distortion.
        beta: weight of L_GMM.
        clamp: measure the distortion on the clipped reconstruction, which has no gradient where it is clipped.
        reflect: mirrored pixels by which both images are extended first, because the windows of MS-SSIM stay inside
            the image and give its border little weight.
    """
    reconstruction = forward.reconstruction.clamp(0, 1) if clamp else forward.reconstruction
    if reflect:
        reconstruction, images = (F.pad(x, (reflect,) * 4, mode="reflect") for x in (reconstruction, images))
    quality = ms_ssim(reconstruction, images).mean()
    entropy = torch.stack([nats.mean() for nats in forward.controlled.nats]).mean()
    gmm = torch.stack([nll.mean() for nll in forward.controlled.nll]).mean()
    return Loss(alpha * (1 - quality) + entropy + beta * gmm, quality, entropy, gmm)
