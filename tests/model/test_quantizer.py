import numpy as np
import pytest
import torch
from scipy.stats import norm

from cvqn.model.quantizer import GMMQuantizer


def quantizer(means, sigmas, weights, rule="responsibility"):
    made = GMMQuantizer(len(means), rule=rule, mixture=True, variance_floor=1e-3)
    with torch.no_grad():
        made.means.copy_(torch.tensor(means))
        made.log_sigmas.copy_(0.5 * torch.log(torch.tensor(sigmas) ** 2 - 1e-3))
        made.log_weights.copy_(torch.log(torch.tensor(weights)))
    return made


MEANS, SIGMAS, WEIGHTS = [-1.2, 0.1, 0.9], [0.5, 0.3, 0.8], [0.2, 0.5, 0.3]


def joint(z):
    """pi_q N(z | mu_q, sigma_q^2) in float64, with SciPy's normal distribution."""
    return np.stack([w * norm.pdf(z, m, s) for m, s, w in zip(MEANS, SIGMAS, WEIGHTS, strict=True)], axis=-1)


def test_equations_2_to_5_against_scipy():
    made = quantizer(MEANS, SIGMAS, WEIGHTS)
    z = np.linspace(-3, 3, 201)
    quantized = made(torch.tensor(z, dtype=torch.float32))
    expected = joint(z)
    np.testing.assert_array_equal(quantized.symbols, expected.argmax(-1))
    np.testing.assert_allclose(quantized.values.detach(), np.array(MEANS)[expected.argmax(-1)], atol=1e-6)
    np.testing.assert_allclose(quantized.nll.detach(), -np.log(expected.sum(-1)), atol=1e-4)


def test_gradient_is_that_of_equation_4():
    made = quantizer(MEANS, SIGMAS, WEIGHTS)
    z = np.linspace(-2, 2, 41)
    latent = torch.tensor(z, dtype=torch.float32, requires_grad=True)
    made(latent).values.sum().backward()

    def soft(z):
        weights = joint(z)
        return (weights / weights.sum(-1, keepdims=True) * MEANS).sum(-1)

    np.testing.assert_allclose(latent.grad, (soft(z + 1e-5) - soft(z - 1e-5)) / 2e-5, atol=1e-3)


def test_with_equal_weights_and_sigma_root_half_it_is_the_soft_quantizer():
    made = GMMQuantizer(5, rule="responsibility", mixture=False, variance_floor=1e-3)
    z = torch.linspace(-4, 4, 301, requires_grad=True)
    quantized = made(z)
    means = made.means.detach()
    soft = torch.softmax(-((z.detach()[:, None] - means) ** 2), dim=-1) @ means
    np.testing.assert_array_equal(quantized.values.detach(), means[(z.detach()[:, None] - means).abs().argmin(-1)])
    quantized.values.sum().backward()
    derivative = torch.gradient(soft, spacing=(z.detach(),))[0]
    np.testing.assert_allclose(z.grad[1:-1], derivative[1:-1], atol=2e-3)


@pytest.mark.parametrize("levels", range(2, 17))
def test_means_start_centred_with_unit_steps(levels):
    means = GMMQuantizer(levels, rule="responsibility", mixture=True, variance_floor=1e-3).means
    assert means.sum().item() == pytest.approx(0)
    assert (means.diff() == 1).all()


def test_cells_need_not_be_intervals():
    made = quantizer([-1.0, 0.0, 1.0], [0.9, 0.4, 0.5], [1 / 3] * 3)
    assert made(torch.tensor([3.6])).values.item() == 1
    assert made(torch.tensor([3.7])).values.item() == -1
    assert not made.is_monotone(torch.linspace(-2, 4, 100))
    assert made.is_monotone(torch.linspace(0, 3, 100))


def test_rule_of_the_released_code_ignores_weights():
    made = quantizer([-1.0, 1.0], [0.5, 0.5], [0.999, 0.001], rule="nearest")
    assert made(torch.tensor([0.1])).values.item() == 1
    assert quantizer([-1.0, 1.0], [0.5, 0.5], [0.999, 0.001])(torch.tensor([0.1])).values.item() == -1


def test_far_latents_stay_finite():
    quantized = quantizer(MEANS, SIGMAS, WEIGHTS)(torch.tensor([1e4, -1e4]))
    assert torch.isfinite(quantized.nll).all()
    assert torch.isfinite(quantized.values).all()
