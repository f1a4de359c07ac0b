import copy

import pytest
import torch

from cvqn.lab.training.loop import clip_gradients
from cvqn.lab.training.optimizer import learning_rate_factor, make_optimizer, set_learning_rates
from cvqn.model.trainable import TrainableCVQN


def factors(training, epochs):
    return [learning_rate_factor(training, epoch) for epoch in epochs]


def test_paper_drops_twice_by_five(training_settings):
    paper = training_settings(schedule="drops", drop_epochs=[200, 300], drop_factor=5, warmup_epochs=0, epochs=400)
    epochs = [0, 199.99, 200, 299.99, 300, 399]
    assert factors(paper, epochs) == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.04])


def test_cosine_rises_then_falls_to_zero(training_settings):
    cosine = training_settings(schedule="cosine", warmup_epochs=4, epochs=20)
    assert 0 < learning_rate_factor(cosine, 0) < 0.01
    assert factors(cosine, [2, 4, 12]) == pytest.approx([0.5, 1, 0.5], abs=1e-3)
    assert learning_rate_factor(cosine, 20) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("first", [{"schedule": "cosine"}, {"schedule": "drops", "drop_epochs": [15]}])
def test_fine_tuning_warms_up_again_and_falls_to_zero_on_crops_of_its_own(training_settings, first):
    tuning = {"epochs": 8, "batch": 2, "patch": 256, "rate_factor": 0.4, "flat_share": 0.1}
    both = training_settings(**first, warmup_epochs=4, epochs=20, batch=8, patch=128, fine_tuning=tuning)
    alone = training_settings(**first, warmup_epochs=4, epochs=20)
    before = [0, 3, 4, 12, 19.9]
    assert factors(both, before) == factors(alone, before)
    assert factors(both, [22, 24, 26]) == pytest.approx([0.2, 0.4, 0.2], abs=1e-3)
    assert learning_rate_factor(both, 20) < 1e-3
    assert learning_rate_factor(both, 28) == pytest.approx(0, abs=1e-12)
    assert both.all_epochs == 28
    assert [both.crops(epoch) for epoch in (0, 19.9)] == [(8, 128, 0)] * 2
    assert [both.crops(epoch) for epoch in (20, 28)] == [(2, 256, 0.1)] * 2
    assert (alone.all_epochs, alone.crops(20)) == (20, (alone.batch, alone.patch, 0))


def test_every_parameter_is_optimized_once_at_its_own_rate(model_settings, training_settings):
    rates = {"encoder": 0.1, "importance": 0.2, "quantizer": 0.3, "context": 0.4, "decoder": 0.5}
    training = training_settings(learning_rates=rates, mixture_rate=0.2)
    model = TrainableCVQN(model_settings(importance={"kind": "se"}), training)
    optimizer = make_optimizer(model, training)
    given = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(given) == len(list(model.parameters()))
    expected = {"encoder": 0.1, "importance": 0.2, "controller.contexts": 0.4, "decoder": 0.5}
    for name, parameter in model.named_parameters():
        if name.startswith("controller.quantizers"):
            assert given[id(parameter)] == pytest.approx(0.3 if name.endswith("means") else 0.06)
        else:
            assert given[id(parameter)] == next(rate for part, rate in expected.items() if name.startswith(part))
    set_learning_rates(optimizer, 0.5)
    set_learning_rates(optimizer, 0.5)
    assert optimizer.param_groups[0]["lr"] == 0.05


def step(model, optimizer, training):
    """A step on noise, as the loop does it."""
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    optimizer.zero_grad(set_to_none=True)
    model.loss(model(images), images).total.backward()
    clip_gradients(model, training)
    optimizer.step()


def test_a_part_with_a_rate_of_zero_is_left_as_it_is(model_settings, training_settings):
    training = training_settings(learning_rates={"encoder": 0, "quantizer": 0})
    model = TrainableCVQN(model_settings(), training)
    optimizer = make_optimizer(model, training)
    before = copy.deepcopy(model.state_dict())
    step(model, optimizer, training)
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved
    assert all(name.startswith(("decoder", "controller.contexts")) for name in moved)
    assert all(parameter.grad is None for parameter in model.encoder.parameters())


def test_gradients_are_clipped_as_told(model_settings, training_settings):
    def gradients(**clipping):
        torch.manual_seed(0)
        training = training_settings(**clipping)
        model = TrainableCVQN(model_settings(), training)
        step(model, make_optimizer(model, training), training)
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    free = gradients(clip_value=None, clip_norm=None)
    value = float(free.abs().max()) / 10
    torch.testing.assert_close(gradients(clip_value=value), free.clamp(-value, value))
    norm = float(free.norm()) / 10
    torch.testing.assert_close(gradients(clip_value=None, clip_norm=norm), free * 0.1, rtol=1e-4, atol=1e-7)
    assert free.abs().max() > value
