"""CVQN in training: initialization, parameter groups, rows of the log, the learned order of channels, export."""

import torch
from torch import Tensor

from cvqn.codecs.interface import Crops
from cvqn.codecs.trainable import Trainable
from cvqn.model.cvqn import CVQN, Forward, Loss, loss
from cvqn.model.export import export_model
from cvqn.model.importance import reconstruction_errors
from cvqn.model.initialization import preserve_variance
from cvqn.model.integers import to_tensors
from cvqn.model.ms_ssim import ms_ssim
from cvqn.model.network import STRIDE
from cvqn.model.settings import ModelSettings, Training
from cvqn.model.start import start_from_components

EXPLODED = 1e3  # standard deviation of a latent whose means lie a few units apart
START_PIXELS = 1 << 22  # of the crops that a start from components is fitted to


class TrainableCVQN(CVQN, Trainable):
    """The network with what its training needs.

    A learned order of channels (SE, RE) starts at random; with initialization `components` it starts as the predefined
    order, because that initialization sorts the channels itself.
    """

    stride = STRIDE

    def __init__(self, model: ModelSettings, training: Training):
        super().__init__(model)
        self.training_settings = training
        if self._learns_order and training.initialization != "components":
            self.controller.order.copy_(torch.randperm(model.channels))
        if training.initialization == "variance":
            preserve_variance(self.encoder)
            preserve_variance(self.decoder)

    @property
    def _learns_order(self) -> bool:
        return self.settings.importance.kind in ("se", "re")

    def start(self, crops: Crops) -> None:
        """Fit the network to training images if `initialization` is `components`."""
        settings = self.training_settings
        if settings.initialization == "components":
            [images] = crops(START_PIXELS // settings.patch**2, settings.patch)
            start_from_components(self, images)

    def parameter_groups(self) -> list[dict]:
        """One group per part of the network, with its learning rate (Section 4.1); the encoder's is first."""
        rates, quantizers = self.training_settings.learning_rates, self.controller.quantizers
        mixture = [p for q in quantizers for p in (q.log_weights, q.log_sigmas) if p.requires_grad]
        parts = [
            (self.encoder.parameters(), rates.encoder),
            (self.importance.parameters() if self.importance is not None else [], rates.importance),
            ([q.means for q in quantizers], rates.quantizer),
            (mixture, rates.quantizer * self.training_settings.mixture_rate),
            (self.controller.contexts.parameters(), rates.context),
            (self.decoder.parameters(), rates.decoder),
        ]
        return [{"params": list(parameters), "lr": rate} for parameters, rate in parts]

    def loss(self, forward: Forward, images: Tensor) -> Loss:
        """Equation (8)."""
        settings = self.training_settings
        return loss(
            forward, images, alpha=settings.alpha, beta=settings.beta, clamp=settings.clamp, reflect=settings.reflect
        )

    @torch.no_grad()
    def describe(self, forward: Forward, loss: Loss) -> dict[str, float]:
        """Loss terms, rate and spread of the latent.

        For each group, also the share of every level, the number of unused levels, and whether the quantizer is
        monotone (1 or 0).
        """
        row = {
            "loss": loss.total.item(),
            "ms_ssim": loss.ms_ssim.item(),
            "entropy_nats": loss.entropy.item(),
            "gmm_nats": loss.gmm.item(),
            "bpp": forward.bpp().mean().item(),
            "latent_std": forward.latent.std().item(),
        }
        groups = zip(
            self.controller.quantizers, forward.controlled.symbols, self.controller.split(forward.latent), strict=True
        )
        for group, (quantizer, symbols, latent) in enumerate(groups):
            shares = torch.bincount(symbols.flatten(), minlength=len(quantizer.means)) / symbols.numel()
            row |= {f"share_{group}_{level}": share for level, share in enumerate(shares.tolist())}
            row[f"unused_{group}"] = int((shares == 0).sum())
            row[f"monotone_{group}"] = int(quantizer.is_monotone(latent))
        return row

    def fault(self, row: dict[str, float]) -> str | None:
        spread = row["latent_std"]
        return None if spread < EXPLODED else f"the latent's standard deviation is {spread:.3g}"

    @torch.no_grad()
    def end_epoch(self, epoch: int, crops: Crops) -> None:
        """Sort the channels by ascending importance in the epochs set for it: SE's running mean, or equation (6)."""
        settings = self.training_settings.importance
        if self._learns_order and epoch % settings.every == 0 and epoch <= settings.freeze:
            importance = self._reconstruction_errors(crops) if self.importance is None else self.importance.importance
            self.controller.order.copy_(importance.argsort())

    def _reconstruction_errors(self, crops: Crops) -> Tensor:
        """Equation (6) with d = 1 - MS-SSIM on N fixed crops, `[C]`."""
        settings = self.training_settings
        self.eval()
        total = torch.zeros_like(self.controller.order, dtype=torch.float32)
        for images in crops(settings.importance.images, settings.importance.patch, settings.batch):
            errors = reconstruction_errors(self.analyse(images), images, self.reconstruct, _distance)
            total += len(images) * errors
        self.train()
        return total / settings.importance.images

    @torch.inference_mode()
    def export(self, images: Tensor) -> dict[str, Tensor]:
        """The network's tensors, and the integer context model of each group."""
        return self.state_dict() | to_tensors(export_model(self, images))


def _distance(decoded: Tensor, images: Tensor) -> Tensor:
    return 1 - ms_ssim(decoded.float().clamp(0, 1), images)
