"""MS-SSIM of a training batch, value and gradient, against pytorch-msssim, and its blur against a plain one."""

from collections.abc import Callable, Iterator

import pytorch_msssim
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.clock import median, one_core
from benchmarks.rows import Row
from cvqn.lab.training.device import keep_freed_memory
from cvqn.model import ms_ssim as ours

BATCH, SIZE = 32, 256


def rows(device: str, batch: int = BATCH, size: int = SIZE, repeats: int = 5) -> Iterator[Row]:
    """Both on images `[batch, 3, size, size]`; pytorch-msssim needs sides above 160."""
    keep_freed_memory()
    torch.manual_seed(0)
    x, y = torch.rand(2, batch, 3, size, size, device=device)
    x.requires_grad_()
    peer = pytorch_msssim.MS_SSIM(data_range=1, size_average=False)

    def step(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(function(x, y).mean(), x)

    with one_core(device):
        fast, slow = median(step(ours.ms_ssim), device, repeats), median(step(peer.to(device)), device, repeats)
        what = f"MS-SSIM and its gradient, {batch} x 3 x {size} x {size}"
        limit = "memory: products of maps and their gradients; the blurs are under a third"
        yield Row(what, fast, "s", fast / slow, "pytorch-msssim", "< 1", limit)

        planes = x.detach().flatten(0, 1).unsqueeze(0)
        blurred, plain = ours._blur(ours._side_by_side(x.detach())), _plain_blur(planes)
        torch.testing.assert_close(blurred, plain, atol=1e-5, rtol=1e-4)
        side_by_side = ours._side_by_side(x.detach())
        fast = median(lambda: ours._blur(side_by_side), device, repeats)
        slow = median(lambda: _plain_blur(planes), device, repeats)
        limit = "memory: 11 + 11 multiplications for each number read"
        yield Row("its blur of one map", fast, "s", fast / slow, "one 11x11 convolution", "< 1", limit)


def _plain_blur(planes: Tensor) -> Tensor:
    """A depthwise convolution with the square window, planes one after the other in memory."""
    taps = ours._taps(planes.device)
    window = (taps[:, None] * taps).expand(planes.shape[1], 1, -1, -1)
    return F.conv2d(planes, window, groups=planes.shape[1])
