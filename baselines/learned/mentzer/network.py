"""Encoder, decoder, importance map and quantizer of Mentzer et al. 2018, as in the released code (arch CVPR).

Every convolution has batch normalization and no bias. Padding is TensorFlow's SAME, which at stride 2 adds one more row
at the bottom than at the top, and one more column on the right than on the left.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

STRIDE = 8  # pixels per position of the latent, along a side
MEAN = (121.85369873, 113.58860779, 100.63715363)  # of RGB, 0..255, from the released code
VARIANCE = (4746.37695312, 4454.13964844, 4812.234375)
BLOCKS = 3  # residual blocks in a group
MOMENTUM, EPSILON = 0.1, 1e-5  # of batch normalization; the momentum is 1 minus TensorFlow's decay


def reach(groups: int) -> int:
    """How far the convolutions of encoder or decoder see to each side, in positions of the latent.

    Convolutions by pixels per step: 5x5 at 1 and at 2, two 3x3 in each of 3 B + 1 blocks at 4, and 5x5 at 4 (in the
    decoder 3x3 at 8).
    """
    pixels = 2 + 2 * 2 + 4 * 2 * (BLOCKS * groups + 1) + 8
    return -(-pixels // STRIDE) + 1


class Crop(nn.Module):
    """Removes the last row and column."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :-1, :-1]


def _normalized(outputs: int, relu: bool, *convolution: nn.Module) -> nn.Sequential:
    normalize = nn.BatchNorm2d(outputs, EPSILON, MOMENTUM)
    return nn.Sequential(*convolution, normalize, *([nn.ReLU(inplace=True)] if relu else []))


def conv(inputs: int, outputs: int, *, relu: bool = True) -> nn.Sequential:
    """A 3x3 convolution of stride 1, normalized."""
    return _normalized(outputs, relu, nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))


def down(inputs: int, outputs: int, *, relu: bool = True) -> nn.Sequential:
    """A 5x5 convolution of stride 2, normalized; the input's sides must be even."""
    return _normalized(outputs, relu, nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(inputs, outputs, 5, 2, bias=False))


def up(inputs: int, outputs: int, kernel: int, *, relu: bool = True) -> nn.Sequential:
    """A transposed convolution of stride 2 with SAME padding, normalized; doubles the sides."""
    transposed = nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding=(kernel - 3) // 2, bias=False)
    return _normalized(outputs, relu, transposed, Crop())


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a skip; the first has a ReLU, except in the block after the groups."""

    def __init__(self, features: int, *, relu: bool = True):
        super().__init__()
        self.conv1 = conv(features, features, relu=relu)
        self.conv2 = conv(features, features, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x))


class ResidualGroup(nn.Sequential):
    """Three residual blocks with a skip around them."""

    def __init__(self, features: int):
        super().__init__(*(ResidualBlock(features) for _ in range(BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Body(nn.Sequential):
    """B residual groups and one more block, with a skip around all of them."""

    def __init__(self, features: int, groups: int):
        super().__init__(*(ResidualGroup(features) for _ in range(groups)), ResidualBlock(features, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Encoder(nn.Sequential):
    """Images `[B, 3, 8 h, 8 w]`, 0..1, to `[B, C + 1, h, w]`: the importance map's channel, then the latent's."""

    def __init__(self, channels: int, features: int, groups: int):
        super().__init__(
            Normalize(),
            down(3, features // 2),
            down(features // 2, features),
            Body(features, groups),
            down(features, channels + 1, relu=False),
        )


class Decoder(nn.Sequential):
    """Quantized latents `[B, C, h, w]` to images `[B, 3, 8 h, 8 w]`, nominally in 0..1, not clipped."""

    def __init__(self, channels: int, features: int, groups: int):
        super().__init__(
            up(channels, features, 3),
            Body(features, groups),
            up(features, features // 2, 5),
            up(features // 2, 3, 5, relu=False),
            Denormalize(),
        )


class _Fixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(3, 1, 1) / 255, persistent=False)
        self.register_buffer("deviation", torch.tensor(VARIANCE).sqrt().reshape(3, 1, 1) / 255, persistent=False)


class Normalize(_Fixed):
    """Normalizes images in 0..1 by the fixed mean and standard deviation."""

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.deviation


class Denormalize(_Fixed):
    """The inverse of `Normalize`, in float32."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float() * self.deviation + self.mean


def importance_mask(logits: Tensor, channels: int, kind: str) -> Tensor:
    """The mask `[B, C, h, w]`, in 0..1, of an importance map's channel `[B, h, w]`: clip(C sigmoid(.) - c, 0, 1).

    With `ceiling`, as in its paper, the mask is rounded up to 0 or 1, and the gradient ignores the rounding.
    """
    levels = torch.arange(channels, device=logits.device, dtype=torch.float32).reshape(-1, 1, 1)
    mask = (channels * torch.sigmoid(logits.float()).unsqueeze(1) - levels).clamp(0, 1)
    return mask if kind == "clip" else mask.ceil().detach() + (mask - mask.detach())


class Quantized(NamedTuple):
    """A quantized latent; each tensor has the latent's shape."""

    values: Tensor  # the nearest centres; in the backward pass the gradient is that of the soft quantizer
    symbols: Tensor  # int64 0..L-1


class Quantizer(nn.Module):
    """L learned centres, the same for all channels.

    Hard: the nearest centre. Soft, for the gradient: centres weighted by softmax(-|z - c|^2), sigma = 1.
    """

    def __init__(self, levels: int, spread: float):
        super().__init__()
        self.centres = nn.Parameter(torch.empty(levels).uniform_(-spread, spread))

    def forward(self, latent: Tensor) -> Quantized:
        """Quantize a float32 latent of any shape."""
        distances = (latent.unsqueeze(-1) - self.centres) ** 2
        symbols = distances.argmin(dim=-1)
        soft = (torch.softmax(-distances, dim=-1) * self.centres).sum(dim=-1)
        return Quantized(self.centres.detach()[symbols] + (soft - soft.detach()), symbols)
