"""Mentzer et al. 2018 in training: initialization, parameter groups, rows of the log, export."""

from typing import Any

import torch
from torch import Tensor

from cvqn.codecs.interface import Crops
from cvqn.codecs.trainable import Trainable
from cvqn.model.export import BATCH, export_context
from cvqn.model.integers import to_tensors
from cvqn_baselines.learned.mentzer.model import Forward, Loss, Mentzer, loss
from cvqn_baselines.learned.mentzer.network import STRIDE
from cvqn_baselines.learned.mentzer.settings import MentzerSettings, MentzerTraining
from cvqn_baselines.learned.mentzer.start import start_from_components

START_PIXELS = 1 << 22  # of the crops that a start from components is fitted to


class TrainableMentzer(Mentzer, Trainable):
    """The network with what its training needs."""

    stride = STRIDE

    def __init__(self, model: MentzerSettings, training: MentzerTraining):
        super().__init__(model, training.centre_range)
        self.training_settings = training

    def start(self, crops: Crops) -> None:
        """Fit the network to training images if `initialization` is `components`."""
        settings = self.training_settings
        if settings.initialization == "components":
            [images] = crops(START_PIXELS // settings.patch**2, settings.patch)
            start_from_components(self, images)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group per part of the network, with its learning rate; the encoder's is first."""
        rates = self.training_settings.learning_rates
        parts = [
            (self.encoder, rates.encoder),
            (self.quantizer, rates.centres),
            (self.context, rates.context),
            (self.decoder, rates.decoder),
        ]
        return [{"params": list(part.parameters()), "lr": rate} for part, rate in parts]

    def loss(self, forward: Forward, images: Tensor) -> Loss:
        """The loss of a pass, including the regularization."""
        settings = self.training_settings
        return loss(forward, images, self.regularization(settings.weight_decay, settings.centre_decay), settings)

    @torch.no_grad()
    def describe(self, forward: Forward, loss: Loss) -> dict[str, float]:
        """Loss terms, rate, mean of the mask, spread of the latent, and the share and value of every centre."""
        shares = torch.bincount(forward.symbols.flatten(), minlength=self.settings.levels) / forward.symbols.numel()
        return {
            "loss": loss.total.item(),
            "ms_ssim": loss.ms_ssim.item(),
            "bpp": forward.bpp().mean().item(),
            "real_bits": loss.real.item(),
            "mask_bits": loss.mask.item(),
            "regularization": loss.regularization.item(),
            "mask": forward.mask.mean().item(),
            "latent_std": forward.latent.std().item(),
            **{f"share_{level}": share for level, share in enumerate(shares.tolist())},
            **{f"centre_{level}": centre for level, centre in enumerate(self.quantizer.centres.tolist())},
        }

    @torch.inference_mode()
    def export(self, images: Tensor) -> dict[str, Tensor]:
        """The network's tensors, and the integer context model."""
        symbols = torch.cat([self.quantizer(self.analyse(some)[0]).symbols for some in images.split(BATCH)])
        volumes = self.continued(symbols, torch.tensor(self.margin.symbol))
        integer = export_context(self.context, self.quantizer.centres, volumes)
        return self.state_dict() | to_tensors([integer])
