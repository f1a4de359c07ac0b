import math

import pytest
import torch

from cvqn.model.cvqn import CVQN, loss
from cvqn.model.importance import SqueezeExcitation, reconstruction_errors
from cvqn.model.ms_ssim import ms_ssim


def test_loss_is_equation_8(model_settings):
    model = CVQN(model_settings())
    images = torch.rand(2, 3, 64, 64)
    forward = model(images)
    terms = loss(forward, images, alpha=128, beta=0.001, clamp=False)
    entropy = sum(nats.mean() for nats in forward.controlled.nats) / 3
    gmm = sum(nll.mean() for nll in forward.controlled.nll) / 3
    expected = 128 * (1 - ms_ssim(forward.reconstruction, images).mean()) + entropy + 0.001 * gmm
    torch.testing.assert_close(terms.total, expected)
    bits = sum(nats[1].sum() for nats in forward.controlled.nats) / math.log(2)
    torch.testing.assert_close(forward.bpp()[1], bits / 64**2)


def test_every_parameter_is_trained(model_settings):
    images = torch.rand(2, 3, 64, 64)
    for kind in ("predefined", "se"):
        model = CVQN(model_settings(importance={"kind": kind}))
        with torch.no_grad():
            model.encoder.tail.weight *= 100  # or every symbol is the middle one, of value 0
        loss(model(images), images, alpha=128, beta=0.001, clamp=False).total.backward()
        without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert without == []


def test_squeeze_excitation_scales_by_the_batch_mean_and_keeps_a_running_one():
    module = SqueezeExcitation(4, 2, scale_latent=True)
    latent = torch.randn(3, 4, 2, 2)
    pooled = latent.mean(dim=(2, 3))
    weights = torch.sigmoid(module.excite(torch.relu(module.squeeze(pooled)))).mean(dim=0)
    torch.testing.assert_close(module(latent), latent * weights[:, None, None])
    torch.testing.assert_close(module.importance, 0.5 * 0.9 + 0.1 * weights.detach())
    module.eval()
    torch.testing.assert_close(module(latent), latent * module.importance[:, None, None])
    assert torch.equal(SqueezeExcitation(4, 2, scale_latent=False)(latent), latent)


def test_reconstruction_errors_are_equation_6(model_settings):
    model = CVQN(model_settings()).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        latent = model.analyse(images)
        errors = reconstruction_errors(latent, images, model.reconstruct, lambda x, y: 1 - ms_ssim(x, y))
        for channel in (0, 7, 15):
            pruned = latent.clone()
            pruned[:, channel] = 0
            expected = (
                sum(1 - ms_ssim(model.reconstruct(pruned[n : n + 1]), images[n : n + 1]).item() for n in range(2)) / 2
            )
            assert errors[channel].item() == pytest.approx(expected, abs=1e-5)
