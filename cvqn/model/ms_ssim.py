"""MS-SSIM for training (Wang et al. 2003): differentiable, per image, data range 1, for sides of at least 11 pixels.

It agrees with pytorch-msssim wherever that is defined. For speed, the planes of a batch are interleaved in memory, so
that one depthwise convolution runs over all of them at once.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03
FLOOR = 1e-6  # a power with an exponent below 1 has infinite slope at 0


def scales_for(height: int, width: int) -> int:
    """The number of scales, 1 to 5, at which the window still fits into the picture.

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
    """Planes `[B, P, h, w]` weighted by the window, without padding: `[B, P, h - 10, w - 10]`."""
    count = planes.shape[1]
    window = _taps(planes.device).expand(count, 1, 1, WINDOW)
    return F.conv2d(F.conv2d(planes, window.mT, groups=count), window, groups=count)


def _similarity(x: Tensor, y: Tensor, *, luminance: bool) -> Tensor:
    """Mean contrast-structure term of planes `[1, P, h, w]` at one scale, `[P]`; with `luminance`, their mean SSIM."""
    mean_x, square, product = _blur(torch.cat([x, x * x + y * y, x * y]))
    mean_y = _blur(y)[0]
    means, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    similarity = (2 * (product - means) + K2**2) / (square - squares + K2**2)
    if luminance:
        similarity = similarity * (2 * means + K1**2) / (squares + K1**2)
    return similarity.mean(dim=(1, 2))


@torch.autocast("cuda", enabled=False)
@torch.autocast("cpu", enabled=False)
def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """MS-SSIM of each image, `[B]`, averaged over channels, of float images `[B, C, H, W]` with data range 1.

    Images too small for five scales use as many as fit, with the weights rescaled to the sum of all five.

    Raises:
        ValueError: a side is shorter than the window, 11 pixels.
    """
    images, channels = x.shape[:2]
    scales = scales_for(*x.shape[-2:])
    weights = [weight * sum(WEIGHTS) / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    x, y = _side_by_side(x), _side_by_side(y)
    product = torch.ones(images * channels, device=x.device)
    for scale, weight in enumerate(weights):
        last = scale == scales - 1
        product = product * _similarity(x, y, luminance=last).clamp(min=FLOOR) ** weight
        if not last:
            padding = [side % 2 for side in x.shape[-2:]]
            x, y = F.avg_pool2d(x, 2, padding=padding), F.avg_pool2d(y, 2, padding=padding)
    return product.reshape(images, channels).mean(dim=1)


def _side_by_side(images: Tensor) -> Tensor:
    """The planes of `[B, C, H, W]` as `[1, B C, H, W]`; on a CPU channels last, for its fast depthwise kernels."""
    planes = images.float().flatten(0, 1).unsqueeze(0)
    return planes.contiguous(memory_format=torch.channels_last) if planes.device.type == "cpu" else planes
