"""MS-SSIM for training (Wang et al. 2003): differentiable, per image, fixed data range, for crops from 11 pixels up.

Where pytorch-msssim is defined this agrees with it; the blur is two products with banded matrices, which on crops
takes about half the time of grouped convolutions.
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


@functools.lru_cache(maxsize=64)
def _blur_matrix(size: int, device: torch.device) -> Tensor:
    """The valid 1D Gaussian filter over `size` samples as a banded matrix `[size - 10, size]`."""
    taps = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    kernel = torch.exp(-(taps**2) / (2 * SIGMA**2))
    kernel = (kernel / kernel.sum()).float()
    matrix = torch.zeros(size - WINDOW + 1, size)
    for row in range(size - WINDOW + 1):
        matrix[row, row : row + WINDOW] = kernel
    return matrix.to(device)


def _blur(planes: Tensor) -> Tensor:
    down = _blur_matrix(planes.shape[-2], planes.device)
    across = _blur_matrix(planes.shape[-1], planes.device)
    return down @ (planes @ across.T)


def _terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term of each channel of each image, `[B, C]`, at one scale."""
    mean_x, mean_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    variance_x, variance_y, covariance = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    contrast = (2 * covariance + K2**2) / (variance_x + variance_y + K2**2)
    luminance = (2 * mean_x * mean_y + K1**2) / (mean_x**2 + mean_y**2 + K1**2)
    return (luminance * contrast).mean(dim=(2, 3)), contrast.mean(dim=(2, 3))


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """MS-SSIM of each image, `[B]`, mean over channels, of float images `[B, C, H, W]` with data range 1.

    Crops too small for five scales use as many as fit, with the weights scaled to the sum that all five have.
    """
    x, y = x.float(), y.float()
    scales = scales_for(*x.shape[-2:])
    weights = [weight * sum(WEIGHTS) / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    product = torch.ones(x.shape[:2], device=x.device)
    for scale, weight in enumerate(weights):
        full, contrast = _terms(x, y)
        term = full if scale == scales - 1 else contrast
        product = product * term.clamp(min=FLOOR) ** weight
        if scale < scales - 1:
            padding = [side % 2 for side in x.shape[-2:]]
            x, y = F.avg_pool2d(x, 2, padding=padding), F.avg_pool2d(y, 2, padding=padding)
    return product.mean(dim=1)
