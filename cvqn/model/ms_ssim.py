"""MS-SSIM for training (Wang et al. 2003): differentiable, per image, fixed data range, for crops from 11 pixels up.

Where pytorch-msssim is defined this agrees with it. Speed is a matter of layout: all planes of a batch lie side by
side in memory, one number of each after the other, so that a depthwise convolution runs over all of them at once.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03
FLOOR = 1e-6  # a power below 1 has infinite slope at 0


def scales_for(height: int, width: int) -> int:
    """How many of the five scales fit: the window must fit the picture at the coarsest.

    Raises:
        ValueError: a side is shorter than the window, 11 pixels.
    """
    side = min(height, width)
    fitting = [scale for scale in range(1, len(WEIGHTS) + 1) if side > (WINDOW - 1) * 2 ** (scale - 1)]
    if not fitting:
        raise ValueError(f"MS-SSIM needs sides of at least {WINDOW} pixels, not {height}x{width}")
    return fitting[-1]


@functools.cache
def _taps(device: torch.device) -> Tensor:
    """The 1D Gaussian window, float32 `[11]`."""
    distance = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-(distance**2) / (2 * SIGMA**2))
    return (window / window.sum()).float().to(device)


def _blur(planes: Tensor) -> Tensor:
    """Each plane under the window where it fits, `[B, P, h - 10, w - 10]`, of planes `[B, P, h, w]`."""
    count = planes.shape[1]
    window = _taps(planes.device).expand(count, 1, 1, WINDOW)
    return F.conv2d(F.conv2d(planes, window.mT, groups=count), window, groups=count)


def _terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term of each of P planes, `[P]`, at one scale, of `[1, P, h, w]`."""
    mean_x, mean_y, square, product = _blur(torch.cat([x, y, x * x + y * y, x * y]))
    means, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    contrast = (2 * (product - means) + K2**2) / (square - squares + K2**2)
    luminance = (2 * means + K1**2) / (squares + K1**2)
    return (luminance * contrast).mean(dim=(1, 2)), contrast.mean(dim=(1, 2))


@torch.autocast("cuda", enabled=False)
def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """MS-SSIM of each image, `[B]`, mean over channels, of float images `[B, C, H, W]` with data range 1.

    Crops too small for five scales use as many as fit, with the weights scaled to the sum that all five have.
    """
    images, channels = x.shape[:2]
    scales = scales_for(*x.shape[-2:])
    weights = [weight * sum(WEIGHTS) / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    x, y = _side_by_side(x), _side_by_side(y)
    product = torch.ones(images * channels, device=x.device)
    for scale, weight in enumerate(weights):
        full, contrast = _terms(x, y)
        term = full if scale == scales - 1 else contrast
        product = product * term.clamp(min=FLOOR) ** weight
        if scale < scales - 1:
            padding = [side % 2 for side in x.shape[-2:]]
            x, y = F.avg_pool2d(x, 2, padding=padding), F.avg_pool2d(y, 2, padding=padding)
    return product.reshape(images, channels).mean(dim=1)


def _side_by_side(images: Tensor) -> Tensor:
    """The planes of `[B, C, H, W]` as `[1, B C, H, W]`, on a CPU in the layout of its fast depthwise kernels."""
    planes = images.float().flatten(0, 1).unsqueeze(0)
    return planes.contiguous(memory_format=torch.channels_last) if planes.device.type == "cpu" else planes
