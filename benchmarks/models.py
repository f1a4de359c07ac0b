"""Untrained models on disk: what they compress is no picture, but as much work."""

from pathlib import Path

import numpy as np
import torch

from cvqn.codecs.store import save_model
from cvqn.lab.settings.configuration import Experiment, resolve
from cvqn.model.trainable import TrainableCVQN

SCALES = Path(__file__).resolve().parents[1] / "workflow" / "scales"
SPREAD = 50  # factor on the latent, so that all symbols are used


def experiment(scale: str, name: str = "c32") -> Experiment:
    """An experiment as a scale sets it."""
    return resolve([SCALES / f"{scale}.yaml"]).experiments[name]


def save_untrained(folder: Path, scale: str) -> Path:
    """The experiment c32 at a scale as initialized, in a folder for `load_model`."""
    torch.manual_seed(0)
    settings = experiment(scale)
    model = TrainableCVQN(settings.model, settings.training)
    model.eval().requires_grad_(False)
    model.encoder.tail.weight.mul_(SPREAD)
    save_model(folder, settings.codec, settings.model, model.export(torch.rand(2, 3, 64, 64)), {"origin": "untrained"})
    return folder


def noise_picture(height: int, width: int) -> np.ndarray:
    """uint8 `[height, width, 3]`."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
