"""Models as initialized in folders as trained ones are, and pictures for them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch

from cvqn.codecs.store import save_model
from cvqn.lab.settings.configuration import resolve
from cvqn.model.settings import ModelSettings, Training
from cvqn.model.trainable import TrainableCVQN

ABOUT = {"run": "test", "scale": "tiny", "step": 1}


@cache
def default_training() -> Training:
    """The settings of the paper's training."""
    return resolve([]).experiments["c32"].training


def made_model(settings: ModelSettings, seed: int = 0, spread: float = 50) -> TrainableCVQN:
    """A network as initialized, its latent spread over all levels, its channels in an order of their own."""
    torch.manual_seed(seed)
    model = TrainableCVQN(settings, default_training()).eval()
    with torch.no_grad():
        model.encoder.tail.weight *= spread
        model.controller.order.copy_(torch.randperm(settings.channels))
    return model


def store_model(folder: Path, model: TrainableCVQN, change: Callable = lambda model: None, **about: object) -> Path:
    """Export a network into a folder; what `change` does comes after the export of the integer models."""
    tensors = model.export(torch.rand(2, 3, 64, 64))
    with torch.no_grad():
        change(model)
    save_model(folder, "cvqn", model.settings, tensors | model.state_dict(), {**ABOUT, **about})
    return folder


def make_model(folder: Path, settings: ModelSettings, seed: int = 0, change: Callable = lambda model: None) -> Path:
    """A folder with a model as `made_model` makes it."""
    return store_model(folder, made_model(settings, seed), change)


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with structure at several scales."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = sum(np.sin(x / s + rng.uniform(0, 6)) * np.cos(y / s + rng.uniform(0, 6)) for s in (3, 11, 40))
    return np.clip(128 + 40 * waves[..., None] + rng.normal(0, 8, (height, width, 3)), 0, 255).astype(np.uint8)


def textures() -> torch.Tensor:
    """Smooth textures with edges, as natural as arithmetic gets, `[24, 3, 64, 64]`."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.randn(24, 3, 64, 64, generator=generator).cumsum(-1).cumsum(-2)
    rough = rough + 3 * rough.mean(1, keepdim=True)
    return torch.sigmoid((rough - rough.mean((2, 3), keepdim=True)) / rough.std((2, 3), keepdim=True))
