"""A training step as the training loop sets it up, ready to be timed."""

from typing import NamedTuple

import torch
from torch import nn

from cvqn.lab.settings import configuration as config
from cvqn.model.cvqn import CVQN
from cvqn.lab.training.loop import prepare_device, training_step
from cvqn.lab.training.optimizer import make_optimizer

CROP = 256**2  # pixels; smaller crops count as parts of one


class Case(NamedTuple):
    """One network and batch to time."""

    name: str
    scale: str
    batch: int
    patch: int
    repeats: int
    limit: str = ""
    goal: str = ""


class Step:
    """A network, its optimizer and a batch of noise, as a training at a scale sets them up on this device."""

    def __init__(self, case: Case, device: str, experiment: str = "c32"):
        self.case, self.device = case, device
        scale = config.resolve([config.ROOT / "workflow" / "scales" / f"{case.scale}.yaml"])["experiments"][experiment]
        self.training = scale["training"] | {"batch": case.batch, "patch": case.patch, "device": device}
        if device == "cpu":
            self.training |= {"precision": "float32", "threads": 1}
        prepare_device(self.training)
        torch.manual_seed(0)
        self.model = CVQN(scale["model"]).to(device)
        self.optimizer = make_optimizer(self.model, self.training)
        self.images = torch.rand(case.batch, case.patch, case.patch, 3, device=device).permute(0, 3, 1, 2)
        self.run: nn.Module = self.model

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, self.training["precision"])

    @property
    def crops(self) -> float:
        return self.case.batch * self.case.patch**2 / CROP

    def lean(self) -> "Step":
        """Encoder and decoder in the memory layout that the training loop gives them."""
        self.model.encoder.to(memory_format=torch.channels_last)
        self.model.decoder.to(memory_format=torch.channels_last)
        return self

    def __call__(self) -> None:
        training_step(self.run, self.optimizer, self.images, self.training)
