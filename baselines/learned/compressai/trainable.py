"""CompressAI's models in training: bits per pixel + lambda (1 - MS-SSIM) + the auxiliary loss of the quantiles."""

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cvqn.codecs.trainable import Trainable
from cvqn.model.ms_ssim import ms_ssim
from cvqn_baselines.learned.compressai.library import STRIDES, build
from cvqn_baselines.learned.compressai.settings import CompressaiSettings, CompressaiTraining

QUANTILES = "quantiles"  # suffix of the names of the parameters that the auxiliary loss trains


class Forward(NamedTuple):
    """One pass through the network."""

    reconstruction: Tensor  # [B, 3, H, W], not clipped
    bits: Tensor  # of each image, [B], of latents with noise, or rounded in evaluation

    def bpp(self) -> Tensor:
        """Bits per pixel of each image, `[B]`."""
        return self.bits / self.reconstruction[0, 0].numel()


class Loss(NamedTuple):
    """The loss and its terms, scalars."""

    total: Tensor
    ms_ssim: Tensor
    bpp: Tensor
    auxiliary: Tensor


class TrainableCompressai(Trainable):
    """One of CompressAI's models with what its training needs.

    Its noise comes from torch's generator, which every step seeds with a number that depends only on the run's seed and
    the number of steps. Both are among the tensors, so a resumed training sees the same noise as an uninterrupted one.
    """

    def __init__(self, model: str, settings: CompressaiSettings, training: CompressaiTraining):
        super().__init__()
        self.stride = STRIDES[model]
        self.training_settings = training
        self.network = build(model, settings)
        self.register_buffer("noise_seed", torch.randint(1 << 31, ()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self._next_seed, self._steps = int(self.noise_seed), 0  # what the tensors say, without asking the device
        self.register_load_state_dict_pre_hook(_make_room)
        self.register_load_state_dict_post_hook(lambda module, _: module._count())

    def _count(self) -> None:
        self._steps = int(self.steps)
        self._next_seed = int(self.noise_seed) + self._steps

    def forward(self, images: Tensor) -> Forward:
        """One pass of images `[B, 3, H, W]` in [0, 1], as in the library, with the entropy models always in float32."""
        if self.training:
            self._seed_noise()
        network = self.network
        latent = network.g_a(images).float()
        if hasattr(network, "h_a"):
            side, likelihoods = self._coded(network.entropy_bottleneck, network.h_a(latent).float())
            scales, means = network.h_s(side).float().chunk(2, dim=1)
            latent, of_latent = self._coded(network.gaussian_conditional, latent, scales, means)
            all_likelihoods = [likelihoods, of_latent]
        else:
            latent, likelihoods = self._coded(network.entropy_bottleneck, latent)
            all_likelihoods = [likelihoods]
        bits = sum(-own.log2().flatten(1).sum(dim=1) for own in all_likelihoods)
        return Forward(network.g_s(latent).float(), bits)

    def _seed_noise(self) -> None:
        torch.manual_seed(self._next_seed)
        self._steps, self._next_seed = self._steps + 1, self._next_seed + 1
        self.steps.fill_(self._steps)

    @staticmethod
    def _coded(model: nn.Module, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """A latent quantized by an entropy model (noise in training, else rounded), and its likelihoods."""
        with torch.autocast(inputs[0].device.type, enabled=False):
            quantized, likelihoods = model(*inputs)
        return quantized, likelihoods

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The network, and the quantiles, to which only the auxiliary loss has a gradient."""
        named = list(self.named_parameters())
        network = [parameter for name, parameter in named if not name.endswith(QUANTILES)]
        quantiles = [parameter for name, parameter in named if name.endswith(QUANTILES)]
        training = self.training_settings
        return [
            {"params": network, "lr": training.learning_rate},
            {"params": quantiles, "lr": training.auxiliary_rate},
        ]

    def loss(self, forward: Forward, images: Tensor) -> Loss:
        """bpp + lambda (1 - MS-SSIM) + auxiliary loss; the last has a gradient only to the quantiles."""
        quality, bpp = ms_ssim(forward.reconstruction, images).mean(), forward.bpp().mean()
        auxiliary = self.network.aux_loss()
        return Loss(bpp + self.training_settings.lmbda * (1 - quality) + auxiliary, quality, bpp, auxiliary)

    def describe(self, forward: Forward, loss: Loss) -> dict[str, float]:
        """Loss terms and rate."""
        return {
            "loss": loss.total.item(),
            "ms_ssim": loss.ms_ssim.item(),
            "bpp": loss.bpp.item(),
            "auxiliary": loss.auxiliary.item(),
        }

    @torch.inference_mode()
    def export(self, images: Tensor) -> dict[str, Tensor]:
        """The network's tensors, including the tables of its entropy coder."""
        exported = copy.deepcopy(self)
        exported.network.update(force=True)
        return dict(exported.state_dict())


def _make_room(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Resize the entropy coder's tables, which are empty in a new network, to those that are about to be loaded."""
    for name, own in module.named_buffers():
        other = state.get(prefix + name)
        if other is not None and other.shape != own.shape:
            owner, _, last = name.rpartition(".")
            module.get_submodule(owner).register_buffer(last, own.new_empty(other.shape))
