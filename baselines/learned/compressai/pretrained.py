"""Saves a pretrained model of CompressAI's zoo as a model folder, to be measured like a trained one; needs internet.

    python -m cvqn_baselines.learned.compressai.pretrained hyperprior 3 FOLDER

The zoo's models for MS-SSIM, qualities 1 to 8, are downloaded by CompressAI from where its authors keep them.
"""

import sys
from pathlib import Path

import torch

from cvqn.codecs.store import save_model
from cvqn_baselines.learned.compressai.codec import FACTORIZED, HYPERPRIOR
from cvqn_baselines.learned.compressai.library import zoo
from cvqn_baselines.learned.compressai.settings import CompressaiSettings
from cvqn_baselines.learned.compressai.trained import PREFIX

ZOO = {FACTORIZED.name: "bmshj2018_factorized", HYPERPRIOR.name: "mbt2018_mean"}


@torch.no_grad()
def save_pretrained(codec: str, quality: int, folder: str | Path, *, pretrained: bool = True) -> None:
    """Write the model folder of a quality, 1 to 8; without `pretrained`, for tests, the network is untrained."""
    network = getattr(zoo(), ZOO[codec])(quality, metric="ms-ssim", pretrained=pretrained).eval()
    network.update(force=True)
    settings = CompressaiSettings(features=network.N, channels=network.M)
    about = {"run": f"{ZOO[codec]}-{quality}", "origin": "CompressAI's zoo, metric ms-ssim"}
    tensors = {PREFIX + name: tensor for name, tensor in network.state_dict().items()}
    save_model(folder, codec, settings, tensors, about)


if __name__ == "__main__":
    save_pretrained(sys.argv[1], int(sys.argv[2]), sys.argv[3])
