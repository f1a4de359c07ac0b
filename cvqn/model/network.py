"""Encoder and decoder (Section 3.1): residual groups with channel attention around (inverse) PixelShuffle."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K; the released code begins with it and trains it, here it is constant
STRIDE = 16  # pixels per latent position: four stages of 2
PEDESTAL, SMALLEST_BETA = 2.0**-36, 1e-6  # of GDN


def conv(inputs: int, outputs: int, *, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution with padding 1."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)


class ChannelAttention(nn.Module):
    """Multiplies every channel by a factor in (0, 1) computed from the means of all channels (Zhang et al. 2018)."""

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, max(1, channels // reduction), 1)
        self.excite = nn.Conv2d(max(1, channels // reduction), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(pooled))))


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, channel attention, and a skip."""

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        self.conv1 = conv(channels, channels)
        self.conv2 = conv(channels, channels)
        self.attention = ChannelAttention(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.conv2(F.relu(self.conv1(x), inplace=True)))


class ResidualGroup(nn.Sequential):
    """B residual blocks and a convolution, with a skip around all of them."""

    def __init__(self, channels: int, blocks: int, reduction: int):
        super().__init__(*(ResidualBlock(channels, reduction) for _ in range(blocks)), conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class GDN(nn.Module):
    """Generalized divisive normalization (Ballé et al. 2017): x_i / sqrt(beta_i + sum_j gamma_ij x_j^2).

    The paper does not mention it. The released code has one after every unshuffle, and before every shuffle the same
    one, not its inverse. As there, the trained parameters are the square roots of beta and gamma plus a pedestal of
    2^-36, so that a gamma of 0 still gets a gradient.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.beta_root = nn.Parameter((torch.ones(channels) + PEDESTAL).sqrt())
        self.gamma_root = nn.Parameter((0.1 * torch.eye(channels) + PEDESTAL).sqrt())

    @property
    def beta(self) -> Tensor:
        """`[C]`, at least 1e-6."""
        return _LowerBound.apply(self.beta_root, (SMALLEST_BETA + PEDESTAL) ** 0.5) ** 2 - PEDESTAL

    @property
    def gamma(self) -> Tensor:
        """`[C, C]`, at least 0."""
        return _LowerBound.apply(self.gamma_root, PEDESTAL**0.5) ** 2 - PEDESTAL

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(F.conv2d(x**2, self.gamma[:, :, None, None], self.beta))


class _LowerBound(torch.autograd.Function):
    """max(x, bound); the gradient passes where x is at least the bound, or where a descent step would raise x."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, x: Tensor, bound: float) -> Tensor:
        context.save_for_backward(x)
        context.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = context.saved_tensors
        return gradient * ((x >= context.bound) | (gradient < 0)), None


class Encoder(nn.Module):
    """Images `[B, 3, H, W]` in [0, 1], H and W multiples of 16, to latents `[B, C, H/16, W/16]`.

    Args:
        widths: C_0 .. C_3, channels into each stage; its residual group has four times as many.
        channels: C, of the latent.
        blocks: B, residual blocks per group.
        reduction: factor by which channel attention narrows its channels inside.
        downsampling: `shuffle` for equation (1), `strided` for a convolution of stride 2 instead.
        gdn: normalize after every down-sampling.
    """

    def __init__(self, widths: list[int], channels: int, blocks: int, reduction: int, downsampling: str, gdn: bool):
        super().__init__()
        self.head = conv(3, widths[0])
        stages = []
        for inputs, outputs in pairwise([*widths, widths[-1]]):
            down = nn.PixelUnshuffle(2) if downsampling == "shuffle" else conv(inputs, 4 * inputs, stride=2)
            normalize = [GDN(4 * inputs)] if gdn else []
            group = ResidualGroup(4 * inputs, blocks, reduction)
            stages.append(nn.Sequential(down, *normalize, group, conv(4 * inputs, outputs)))
        self.body = nn.Sequential(*stages)
        self.tail = conv(widths[-1], channels)
        self.register_buffer("mean", torch.tensor(RGB_MEAN).reshape(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.tail(self.body(self.head(images - self.mean)))


class Decoder(nn.Module):
    """Quantized latents `[B, C, h, w]` to images `[B, 3, 16 h, 16 w]`, nominally in [0, 1] but not clipped.

    `widths` D_0 .. D_3 are the channels into each stage; the residual group of stage t has 4 D_(t+1), the last 4 D_3.
    """

    def __init__(self, widths: list[int], channels: int, blocks: int, reduction: int, gdn: bool):
        super().__init__()
        self.head = conv(channels, widths[0])
        stages = []
        for inputs, outputs in pairwise([*widths, widths[-1]]):
            normalize = [GDN(4 * outputs)] if gdn else []
            group = ResidualGroup(4 * outputs, blocks, reduction)
            stages.append(nn.Sequential(conv(inputs, 4 * outputs), group, *normalize, nn.PixelShuffle(2)))
        self.body = nn.Sequential(*stages)
        self.tail = conv(widths[-1], 3)
        self.register_buffer("mean", torch.tensor(RGB_MEAN).reshape(3, 1, 1), persistent=False)

    def forward(self, latent: Tensor) -> Tensor:
        return self.tail(self.body(self.head(latent))) + self.mean
