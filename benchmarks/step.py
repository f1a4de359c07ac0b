"""A training step as the training loop sets it up, ready to be timed."""

from typing import NamedTuple

import torch
from torch import nn

from benchmarks.models import experiment
from cvqn.lab.training.device import autocast, prepare_device
from cvqn.lab.training.loop import clip_gradients, use_channels_last
from cvqn.lab.training.optimizer import make_optimizer
from cvqn.settings import TrainingSettings

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

    def __init__(self, case: Case, device: str, name: str = "c32"):
        self.case, self.device = case, device
        settings = experiment(case.scale, name)
        changes = {"batch": case.batch, "patch": case.patch, "device": device}
        if device == "cpu":
            changes |= {"precision": "float32", "threads": 1}
        self.training: TrainingSettings = settings.training.model_copy(update=changes)
        prepare_device(self.training)
        torch.manual_seed(0)
        self.model = settings.learned_codec.build(settings.model, self.training).to(device)
        self.optimizer = make_optimizer(self.model, self.training)
        self.images = torch.rand(case.batch, case.patch, case.patch, 3, device=device).permute(0, 3, 1, 2)
        self.run: nn.Module = self.model

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, self.training.precision)

    @property
    def crops(self) -> float:
        return self.case.batch * self.case.patch**2 / CROP

    def lean(self) -> "Step":
        """The memory layout that the training loop gives the network."""
        use_channels_last(self.model)
        return self

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.training):
            forward = self.run(self.images)
        self.model.loss(forward, self.images).total.backward()
        clip_gradients(self.model, self.training)
        self.optimizer.step()
