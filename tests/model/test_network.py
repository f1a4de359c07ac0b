import itertools
import shutil

import pytest
import torch
import torch.nn.functional as F

from cvqn.model.cvqn import CVQN
from cvqn.model.initialization import preserve_variance
from cvqn.model.network import GDN, STRIDE, Decoder, Encoder


def test_down_sampling_is_equation_1():
    x = torch.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)
    shuffled = torch.nn.PixelUnshuffle(2)(x)
    for c, i, j, h, w in itertools.product(range(2), range(2), range(2), range(2), range(3)):
        assert shuffled[0, 4 * c + 2 * i + j, h, w] == x[0, c, 2 * h + i, 2 * w + j]


def test_paper_network_has_the_parameters_of_a_count_by_hand():
    def conv(inputs, outputs):
        return 9 * inputs * outputs + outputs

    def group(channels):
        attention = 2 * (channels * channels + channels)
        return 6 * (2 * conv(channels, channels) + attention) + conv(channels, channels)

    encoder = Encoder([32, 64, 128, 192], 32, 6, 1, "shuffle", False)
    expected = conv(3, 32) + sum(group(c) for c in (128, 256, 512, 768)) + conv(192, 32)
    expected += conv(128, 64) + conv(256, 128) + conv(512, 192) + conv(768, 192)
    assert sum(p.numel() for p in encoder.parameters()) == expected

    decoder = Decoder([192, 128, 64, 32], 32, 6, 1, False)
    expected = conv(32, 192) + sum(group(c) for c in (512, 256, 128, 128)) + conv(32, 3)
    expected += conv(192, 512) + conv(128, 256) + conv(64, 128) + conv(32, 128)
    assert sum(p.numel() for p in decoder.parameters()) == expected


@pytest.mark.parametrize("downsampling", ["shuffle", "strided"])
@pytest.mark.parametrize("gdn", [False, True])
def test_shapes(model_settings, downsampling, gdn):
    model = CVQN(model_settings(downsampling=downsampling, gdn=gdn))
    images = torch.rand(2, 3, 32, 48)
    forward = model(images)
    assert forward.latent.shape == (2, 16, 32 // STRIDE, 48 // STRIDE)
    assert forward.reconstruction.shape == images.shape
    assert forward.bpp().shape == (2,)


def test_gdn_is_its_formula():
    gdn = GDN(3)
    with torch.no_grad():
        gdn.gamma_root.uniform_(0.1, 1)
        gdn.beta_root.uniform_(0.5, 1)
    x = torch.randn(1, 3, 2, 2)
    y = gdn(x)
    for i, h, w in itertools.product(range(3), range(2), range(2)):
        norm = gdn.beta_root[i] ** 2 + sum(gdn.gamma_root[i, j] ** 2 * x[0, j, h, w] ** 2 for j in range(3))
        assert y[0, i, h, w].item() == pytest.approx((x[0, i, h, w] / norm.sqrt()).item(), abs=1e-6)


def test_gdn_starts_with_gamma_a_tenth_on_the_diagonal_and_beta_one():
    x = 3 * torch.randn(2, 5, 4, 4)
    torch.testing.assert_close(GDN(5)(x), x / (1 + 0.1 * x**2).sqrt(), atol=1e-5, rtol=0)
    assert (GDN(5).gamma >= 0).all()


def test_gdn_learns_across_channels_and_stays_positive():
    """Channels of which one hides the other's scale: what divides the first must come from the second."""
    gdn = GDN(2)
    loud = torch.rand(4, 1, 8, 8) * 5
    x = torch.cat([torch.randn(4, 1, 8, 8), loud], dim=1)
    target = x[:, :1] / (1 + 0.5 * loud**2).sqrt()
    optimizer = torch.optim.Adam(gdn.parameters(), 0.02)
    for _ in range(400):
        optimizer.zero_grad()
        F.mse_loss(gdn(x)[:, :1], target).backward()
        optimizer.step()
    assert gdn.gamma[0, 1].item() == pytest.approx(0.5, rel=0.2)
    with torch.no_grad():
        gdn.gamma_root.fill_(-1)
        gdn.beta_root.fill_(-1)
    assert torch.isfinite(gdn(x)).all()
    gdn.zero_grad()
    (-(gdn(x)[:, :1] ** 2)).sum().backward()  # asks for less: nothing below the bound sinks further
    assert (gdn.gamma_root.grad <= 0).all()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_gdn_compiles():
    gdn, x = GDN(4), torch.randn(2, 4, 6, 6)
    gradients = []
    for function in (gdn, torch.compile(gdn)):
        gdn.zero_grad()
        function(x).square().sum().backward()
        gradients.append(gdn.gamma_root.grad.clone())
    torch.testing.assert_close(*gradients)


def test_variance_preserving_start_neither_shrinks_nor_explodes(model_settings):
    model = CVQN(model_settings())
    images = torch.randn(4, 3, 64, 64).cumsum(dim=-1) / 8 + 0.5
    plain = model.encoder(images).var()
    preserve_variance(model.encoder)
    latent = model.encoder(images)
    assert 0.1 < latent.var() / images.var() < 10
    assert latent.var() > 10 * plain
