"""Untrained models on disk: what they compress is no picture, but as much work."""

from pathlib import Path

import numpy as np
import torch

from cvqn.lab.settings import configuration as config
from cvqn.model.export import export_model
from cvqn.model.cvqn import CVQN
from cvqn.codecs.store import save_model

SPREAD = 50  # factor on the latent, so that all symbols are used


def save_untrained(folder: Path, scale: str) -> Path:
    """The experiment c32 at a scale as initialised, in a folder for `load_model`."""
    torch.manual_seed(0)
    model = CVQN(config.resolve([config.ROOT / "workflow" / "scales" / f"{scale}.yaml"])["experiments"]["c32"]["model"])
    model.eval().requires_grad_(False)
    model.encoder.tail.weight.mul_(SPREAD)
    save_model(folder, model, export_model(model, torch.rand(2, 3, 64, 64)), {"run": "untrained"})
    return folder


def noise_picture(height: int, width: int) -> np.ndarray:
    """uint8 `[height, width, 3]`."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
