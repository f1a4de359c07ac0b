"""The assembled network of Mentzer et al. 2018, and its loss."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvqn.bitstream.order import NO_MARGIN, Margin
from cvqn.model.context import ContextModel
from cvqn.model.ms_ssim import ms_ssim
from cvqn_baselines.learned.mentzer.network import Decoder, Encoder, Quantizer, importance_mask
from cvqn_baselines.learned.mentzer.settings import MentzerSettings, MentzerTraining

MARGIN = Margin(front=4, side=4, symbol=0)  # 1 for each of the context model's four layers
CENTRE_RANGE = 2.0  # for a network whose centres are loaded afterwards


class Mentzer(nn.Module):
    """Encoder, importance map, quantizer, context model, decoder."""

    def __init__(self, settings: MentzerSettings, centre_range: float = CENTRE_RANGE):
        super().__init__()
        self.settings = settings
        sizes = settings.channels, settings.scaled_features, settings.groups
        self.encoder = Encoder(*sizes)
        self.decoder = Decoder(*sizes)
        self.quantizer = Quantizer(settings.levels, centre_range)
        context = settings.context
        self.margin = MARGIN if context.padding == "volume" else NO_MARGIN
        self.context = ContextModel(
            settings.levels,
            context.width,
            relu_logits=context.relu_logits,
            detach_input=True,
            padded=context.padding == "layers",
        )

    def analyse(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The masked latent before quantization and its mask, float32 `[B, C, h, w]`, of images `[B, 3, 8 h, 8 w]`."""
        encoded = self.encoder(images).float()
        mask = importance_mask(encoded[:, 0], self.settings.channels, self.settings.mask)
        return encoded[:, 1:] * mask, mask

    def continued(self, volume: Tensor, margin: Tensor) -> Tensor:
        """Values or symbols `[B, C, h, w]` surrounded by the margin, which is filled with the scalar `margin`."""
        front, side, _ = self.margin
        batch, channels, rows, columns = volume.shape
        whole = margin.expand(batch, channels + front, rows + 2 * side, columns + 2 * side).clone()
        whole[:, front:, side : side + rows, side : side + columns] = volume
        return whole

    def nats(self, values: Tensor, symbols: Tensor) -> Tensor:
        """Nats spent on each symbol, `[B, C, h, w]`; there is no gradient to the values."""
        centres = self.quantizer.centres.detach()
        return self.context.cross_entropy(self.continued(values.detach(), centres[self.margin.symbol]), symbols)

    def forward(self, images: Tensor) -> "Forward":
        """Everything the loss needs, of images `[B, 3, H, W]` in [0, 1], H and W multiples of 8."""
        latent, mask = self.analyse(images)
        values, symbols = self.quantizer(latent)
        bits = self.nats(values, symbols) / math.log(2)
        return Forward(self.decoder(values), latent, mask, symbols, bits)

    def regularization(self, weight_decay: float, centre_decay: float) -> Tensor:
        """L2 of the convolutions of encoder and decoder, and of the centres: half the sum of squares, weighted."""
        transforms = nn.ModuleList([self.encoder, self.decoder]).modules()
        weights = [module.weight for module in transforms if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))]
        squares = torch.stack([weight.square().sum() for weight in weights]).sum()
        return 0.5 * (weight_decay * squares + centre_decay * self.quantizer.centres.square().sum())


class Forward(NamedTuple):
    """One pass through the network."""

    reconstruction: Tensor  # [B, 3, H, W], not clipped
    latent: Tensor  # [B, C, h, w], masked, not quantized
    mask: Tensor  # [B, C, h, w]
    symbols: Tensor  # int64 [B, C, h, w]
    bits: Tensor  # cross entropy of each symbol, [B, C, h, w]

    def bpp(self) -> Tensor:
        """Cross entropy in bits per pixel of each image, `[B]`."""
        return self.bits.flatten(1).sum(dim=1) / self.reconstruction[0, 0].numel()


class Loss(NamedTuple):
    """The loss and its terms, scalars."""

    total: Tensor
    ms_ssim: Tensor
    real: Tensor  # bits per symbol
    mask: Tensor  # bits times mask, per symbol
    regularization: Tensor


def loss(forward: Forward, images: Tensor, regularization: Tensor, settings: MentzerTraining) -> Loss:
    """alpha (1 - MS-SSIM) + beta max(H - target, 0) + regularization, as in the released code.

    H is the mean of H_real, bits per symbol, and H_mask, bits times mask; only through H_mask does the rate train the
    importance map. With `rate: mask`, H is H_mask alone. With `context_loss: own`, the context model is trained by
    beta H_real instead.
    """
    reconstruction = forward.reconstruction.float()
    quality = ms_ssim(reconstruction.clamp(0, 1) if settings.clamp else reconstruction, images).mean()
    own = settings.context_loss == "own"
    bits = forward.bits.detach() if own else forward.bits
    real, mask = bits.mean(), (bits * forward.mask).mean()
    rate = 0.5 * (real + mask) if settings.rate == "both" else mask
    total = settings.alpha * (1 - quality) + settings.beta * F.relu(rate - settings.target) + regularization
    if own:
        total = total + settings.beta * forward.bits.mean()
    return Loss(total, quality, real, mask, regularization)
