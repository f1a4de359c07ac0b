import pytest
import pytorch_msssim
import torch

from cvqn.model.ms_ssim import ms_ssim, scales_for


@pytest.mark.parametrize("size", [(161, 161), (192, 256), (163, 201), (256, 256)])
def test_agrees_with_pytorch_msssim(size):
    x = torch.rand(2, 3, *size)
    x = torch.nn.functional.avg_pool2d(x, 5, 1, 2)
    y = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
    expected = pytorch_msssim.ms_ssim(x, y, data_range=1.0, size_average=False)
    torch.testing.assert_close(ms_ssim(x, y), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("side", "scales"), [(11, 1), (16, 1), (21, 2), (41, 3), (64, 3), (81, 4), (128, 4), (161, 5)])
def test_small_crops_use_fewer_scales(side, scales):
    assert scales_for(side, 500) == scales
    x = torch.rand(1, 3, side, side)
    assert ms_ssim(x, x).item() == pytest.approx(1, abs=1e-5)
    assert ms_ssim(x, torch.rand_like(x)).item() < 0.9


def test_too_small_is_refused():
    with pytest.raises(ValueError, match="11"):
        scales_for(10, 10)


def test_gradient_is_finite_on_opposite_images():
    x = torch.rand(1, 3, 64, 64)
    y = (1 - x).requires_grad_()
    ms_ssim(x, y).sum().backward()
    assert torch.isfinite(y.grad).all()
