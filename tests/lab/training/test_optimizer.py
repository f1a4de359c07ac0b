import copy

import pytest
import torch

from cvqn.lab.training.loop import training_step
from cvqn.lab.training.optimizer import learning_rate_factor, make_optimizer, set_learning_rates
from cvqn.model.cvqn import CVQN

PAPER = {"schedule": "drops", "drop_epochs": [200, 300], "drop_factor": 5, "warmup_epochs": 0, "epochs": 400}
COSINE = {"schedule": "cosine", "warmup_epochs": 4, "epochs": 20}


def test_paper_drops_twice_by_five():
    epochs = [0, 199.99, 200, 299.99, 300, 399]
    assert [learning_rate_factor(PAPER, epoch) for epoch in epochs] == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.04])


def test_cosine_rises_then_falls_to_zero():
    assert 0 < learning_rate_factor(COSINE, 0) < 0.01
    assert learning_rate_factor(COSINE, 2) == pytest.approx(0.5, abs=1e-3)
    assert learning_rate_factor(COSINE, 4) == pytest.approx(1)
    assert learning_rate_factor(COSINE, 12) == pytest.approx(0.5)
    assert learning_rate_factor(COSINE, 20) == pytest.approx(0, abs=1e-12)


def test_every_parameter_is_optimized_once_at_its_own_rate(tiny):
    training = copy.deepcopy(tiny["training"])
    training["learning_rates"] = {"encoder": 1.0, "importance": 2.0, "quantizer": 3.0, "context": 4.0, "decoder": 5.0}
    training["mixture_rate"] = 0.2
    model = CVQN(tiny["experiments"]["se"]["model"])
    optimizer = make_optimizer(model, training)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(rates) == len(list(model.parameters()))
    expected = {"encoder": 1.0, "importance": 2.0, "controller.contexts": 4.0, "decoder": 5.0}
    for name, parameter in model.named_parameters():
        if name.startswith("controller.quantizers"):
            assert rates[id(parameter)] == pytest.approx(3.0 if name.endswith("means") else 0.6)
        else:
            assert rates[id(parameter)] == next(rate for part, rate in expected.items() if name.startswith(part))
    set_learning_rates(optimizer, 0.5)
    set_learning_rates(optimizer, 0.5)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_rates_by_fan_in_move_outputs_of_narrow_and_wide_layers_alike(tiny):
    training = copy.deepcopy(tiny["training"])
    training["rate_scaling"] = "fan-in"
    training["learning_rates"] = dict.fromkeys(training["learning_rates"], 1e-3)
    model = CVQN(tiny["experiments"]["se"]["model"])
    optimizer = make_optimizer(model, training)
    rates = {id(p): group["initial_lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rates) == sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    for part in (model.encoder, model.decoder):
        for module in part.modules():
            if isinstance(module, torch.nn.Conv2d):
                fan_in = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
                assert rates[id(module.weight)] * fan_in == pytest.approx(1e-3)
                assert rates[id(module.bias)] == pytest.approx(1e-4)
    assert {rates[id(p)] for p in model.controller.contexts.parameters()} == {1e-3}


def test_a_part_with_a_rate_of_zero_is_left_as_it_is(tiny):
    training = copy.deepcopy(tiny["training"])
    training["learning_rates"] |= {"encoder": 0, "quantizer": 0}
    model = CVQN(tiny["experiments"]["c32"]["model"])
    optimizer = make_optimizer(model, training)
    before = copy.deepcopy(model.state_dict())
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    training_step(model, optimizer, images, training)
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved
    assert all(name.startswith(("decoder", "controller.contexts")) for name in moved)
    assert all(parameter.grad is None for parameter in model.encoder.parameters())
