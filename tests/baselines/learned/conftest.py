"""Small networks of the learned baselines, as initialized or after a few steps, and their model folders."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cvqn.codecs.store import save_model
from cvqn.codecs.trainable import Trainable
from cvqn.lab.settings.configuration import Experiment, merge, resolve
from cvqn.lab.training.optimizer import make_optimizer
from tests.trained import ABOUT, photograph

SMALL = {
    "mentzer-low": {"channels": 6, "features": 16, "groups": 1, "context": {"width": 8}},
    "factorized-low": {"features": 8, "channels": 12},
    "hyperprior-low": {"features": 8, "channels": 12},
}


def small_experiment(name: str, model: dict | None = None, training: dict | None = None) -> Experiment:
    """A default experiment of a learned baseline with few features; mappings change it key by key."""
    own = resolve([]).experiments[name]
    settings = merge(merge(own.model.plain(), SMALL[name]), model or {})
    on_a_cpu = {"device": "cpu", "precision": "float32"}
    return Experiment(
        codec=own.codec, model=settings, training=merge(own.training.plain(), on_a_cpu | (training or {}))
    )


def crops(count: int = 2, side: int = 64) -> torch.Tensor:
    """Images `[count, 3, side, side]` in [0, 1]."""
    pictures = [torch.from_numpy(photograph(side, side, seed)) for seed in range(count)]
    return torch.stack(pictures).permute(0, 3, 1, 2).float() / 255


def train(network: Trainable, steps: int, training, side: int = 64) -> Trainable:
    """The network after some steps of Adam, ten times the usual rates."""
    optimizer, images = make_optimizer(network, training), crops(side=side)
    for group in optimizer.param_groups:
        group["lr"] *= 10
    for _ in range(steps):
        optimizer.zero_grad()
        network.loss(network(images), images).total.backward()
        optimizer.step()
    return network


def built(experiment: Experiment) -> Trainable:
    """The network of an experiment as initialized."""
    torch.manual_seed(0)
    return experiment.learned_codec.build(experiment.model, experiment.training)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory) -> Callable[[str], Path]:
    """A function that gives the model folder of a small experiment after ten steps."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            experiment = small_experiment(name)
            network = built(experiment)
            train(network, 10, experiment.training)
            if "mentzer" not in name:
                with torch.no_grad():
                    network.network.g_a[-1].weight *= 30  # or nearly every symbol is 0
            made[name] = tmp_path_factory.mktemp(name)
            tensors = network.eval().export(crops())
            save_model(made[name], experiment.codec, experiment.model, tensors, ABOUT | {"run": name})
        return made[name]

    return make
