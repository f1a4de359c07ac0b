"""Training moves every part of the network, from each start and with each switch of docs/fidelity.md."""

import numpy as np
import pytest
import torch

from cvqn.lab.data.pack import Pack
from cvqn.lab.settings.configuration import resolve
from cvqn.lab.training.batches import FixedCrops, Source
from cvqn.lab.training.loop import Task, train
from cvqn.lab.training.optimizer import make_optimizer
from cvqn.lab.training.store import Entry
from cvqn.model import trainable
from cvqn.model.codec import CVQNCodec
from tests.trained import textures

PARTS = ("encoder", "importance", "means", "log_weights", "log_sigmas", "contexts", "decoder")


@pytest.fixture(scope="module")
def pack():
    """Textures as training images."""
    pictures = (textures() * 255).round().byte().permute(0, 2, 3, 1).numpy()
    entries = [
        {"set": "s", "name": str(i), "offset": i * picture.size, "height": 64, "width": 64, "pixels_sha256": ""}
        for i, picture in enumerate(pictures)
    ]
    return Pack(np.ascontiguousarray(pictures).ravel(), entries)


@pytest.fixture(autouse=True)
def _few_crops_to_start(monkeypatch):
    monkeypatch.setattr(trainable, "START_PIXELS", 24 * 64**2)


class Watched(CVQNCodec):
    """CVQN that keeps its network, and what its parameters were before the first step."""

    def build(self, model, training):
        self.network = super().build(model, training)
        groups = self.network.parameter_groups

        def remember():
            self.before = {name: p.detach().clone() for name, p in self.network.named_parameters()}
            return groups()

        self.network.parameter_groups = remember
        return self.network


def part_of(name):
    return next(part for part in PARTS if part in name)


@pytest.mark.parametrize("initialization", ["torch", "variance", "components"])
@pytest.mark.parametrize("kind", ["predefined", "se", "re"])
def test_a_short_training_moves_every_part(tmp_path, pack, model_settings, training_settings, initialization, kind):
    codec = Watched()
    training = training_settings(
        initialization=initialization,
        epochs=2,
        epoch_steps=3,
        warmup_epochs=0,
        monitor_every=0,
        importance={"freeze": 1},
    )
    model = model_settings(importance={"kind": kind})
    entry = Entry(tmp_path, "run", "key")
    with entry.claim():
        train(Task(codec, model, training, 1, pack, {}, {}), entry)
    after = dict(codec.network.named_parameters())
    still = [name for name, tensor in codec.before.items() if torch.equal(tensor, after[name])]
    assert still == []
    assert {part_of(name) for name in after} == {*PARTS} - ({"importance"} if kind != "se" else set())


def changed(own: dict, other: dict) -> dict:
    """The settings in which `own` differs from `other`, section by section."""
    both = {key: (value, other[key]) for key, value in own.items() if value != other[key]}
    return {key: changed(*pair) if isinstance(pair[0], dict) else pair[0] for key, pair in both.items()}


EXPERIMENTS = resolve([]).plain()["experiments"]
AUTHORS = changed(EXPERIMENTS["authors"], EXPERIMENTS["c32"])

# What each switch is set to, and the parameters that it leaves without a gradient on purpose.
SWITCHES = {
    "nothing": ({}, {}, ()),
    "alpha": ({}, {"alpha": 256}, ()),
    "beta": ({}, {"beta": 0.0}, ()),
    "mixture rate": ({}, {"mixture_rate": 0.2}, ()),
    "drops": ({}, {"schedule": "drops", "epochs": 400, "drop_epochs": [200, 300, 350]}, ()),
    "clip": ({}, {"clip_value": None}, ()),
    "clamp": ({}, {"clamp": True}, ()),
    "reflect": ({}, {"reflect": 16}, ()),
    "detach": ({"context": {"detach_input": True}}, {}, ()),
    "widths": ({"encoder_widths": [16, 32, 48, 64], "decoder_widths": [64, 48, 32, 16]}, {}, ()),
    "gdn": ({"gdn": True}, {}, ()),
    "attention": ({"attention_reduction": 4}, {}, ()),
    "strided": ({"downsampling": "strided"}, {}, ()),
    "nearest": ({"quantizer": {"rule": "nearest"}}, {}, ()),
    "no floor": ({"quantizer": {"variance_floor": 0.0}}, {}, ()),
    "soft quantizer": ({"quantizer": {"mixture": False}}, {"beta": 0.0}, ("log_weights", "log_sigmas")),
    "se": ({"importance": {"kind": "se"}}, {}, ()),
    "se, as wide as the channels": ({"importance": {"kind": "se", "reduction": 1}}, {}, ()),
    "se, sorted only": ({"importance": {"kind": "se", "scale_latent": False}}, {}, ("importance",)),
    "re": ({"importance": {"kind": "re"}}, {}, ()),
    "one group": ({"levels": [5], "ratios": [1.0], "importance": {"kind": "none"}}, {}, ()),
    "relu": ({"context": {"relu_logits": True}}, {}, ()),
    "wide context": ({"context": {"width": 48}}, {}, ()),
    "authors": (AUTHORS["model"], AUTHORS["training"] | {"schedule": "drops", "epochs": 400}, ()),
}


def test_the_switch_authors_is_the_experiment():
    assert AUTHORS["model"] == {
        "gdn": True, "importance": {"reduction": 1}, "quantizer": {"rule": "nearest"}, "context": {"relu_logits": True}
    }  # fmt: skip
    assert {"alpha", "beta", "clamp", "precision", "learning_rates", "mixture_rate"} < AUTHORS["training"].keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("initialization", "switch"),
    [("variance", switch) for switch in SWITCHES]
    + [("components", switch) for switch, (model, *_) in SWITCHES.items() if model or switch == "nothing"],
)
def test_every_parameter_gets_a_gradient_with_each_switch(
    pack, model_settings, training_settings, initialization, switch
):
    model, training, without = SWITCHES[switch]
    model, training = model_settings(**model), training_settings(initialization=initialization, **training)
    torch.manual_seed(0)
    network = CVQNCodec().build(model, training)
    source = Source(pack, "cpu")
    network.start(FixedCrops(source, 0))
    optimizer = make_optimizer(network, training)
    [images] = FixedCrops(source, 1)(4, 64)
    touched = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in network.named_parameters()}
    for _ in range(3):
        optimizer.zero_grad()
        network.loss(network(images), images).total.backward()
        optimizer.step()
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                assert parameter.grad.isfinite().all()
                touched[name] |= parameter.grad != 0
    missing = [name for name, where in touched.items() if not where.any()]
    assert {part_of(name) for name in missing} == set(without)
    assert all(part_of(name) in without for name in missing)
    for name, where in touched.items():
        if "gamma_root" in name:
            assert where.float().mean() > 0.9, f"{name}: not across channels"
