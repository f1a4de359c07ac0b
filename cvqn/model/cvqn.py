"""The assembled network and its loss, equation (8)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cvqn.model.context import ContextModel
from cvqn.model.controller import Controlled, Controller, group_sizes
from cvqn.model.importance import SqueezeExcitation
from cvqn.model.ms_ssim import ms_ssim
from cvqn.model.network import Decoder, Encoder
from cvqn.model.quantizer import GMMQuantizer


class CVQN(nn.Module):
    """Encoder, channel importance, variable quantization controller, decoder.

    Args:
        config: the resolved section `model` of an experiment; see params.yaml for every key.
    """

    def __init__(self, config: dict):
        super().__init__()
        self.config = config
        channels, blocks, reduction = config["channels"], config["blocks"], config["attention_reduction"]
        encoder_widths = [round(width * config["width"]) for width in config["encoder_widths"]]
        decoder_widths = [round(width * config["width"]) for width in config["decoder_widths"]]
        self.encoder = Encoder(encoder_widths, channels, blocks, reduction, config["downsampling"], config["gdn"])
        self.decoder = Decoder(decoder_widths, channels, blocks, reduction, config["gdn"])
        quantizer, context = config["quantizer"], config["context"]
        self.controller = Controller(
            group_sizes(channels, config["ratios"]),
            [GMMQuantizer(levels, **quantizer) for levels in config["levels"]],
            [ContextModel(levels, **context) for levels in config["levels"]],
        )
        self.importance = (
            SqueezeExcitation(channels, scale_latent=config["importance"]["scale_latent"])
            if config["importance"]["kind"] == "se"
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
    entropy: Tensor  # mean over groups of the mean nats a symbol
    gmm: Tensor  # mean over groups of the mean nats an element


def loss(forward: Forward, images: Tensor, *, alpha: float, beta: float, clamp: bool) -> Loss:
    """alpha (1 - MS-SSIM) + 1/G sum_g L_ent,g + beta 1/G sum_g L_GMM,g, equation (8).

    With `clamp` the distortion is measured on the clipped image, which has no gradient where it clips.
    """
    reconstruction = forward.reconstruction.clamp(0, 1) if clamp else forward.reconstruction
    quality = ms_ssim(reconstruction, images).mean()
    entropy = torch.stack([nats.mean() for nats in forward.controlled.nats]).mean()
    gmm = torch.stack([nll.mean() for nll in forward.controlled.nll]).mean()
    return Loss(alpha * (1 - quality) + entropy + beta * gmm, quality, entropy, gmm)
