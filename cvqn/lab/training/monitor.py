"""Evaluation during training, which only selects checkpoints. Its rate is a cross entropy, not a file size."""

from collections.abc import Sequence

import numpy as np
import torch

from cvqn.codecs.interface import Picture
from cvqn.codecs.trainable import Trainable
from cvqn.lab.evaluation.metrics import ms_ssim, psnr_db
from cvqn.padding import inside, pad_to_multiple

HELD_OUT_SIDE = 256


def middle(picture: Picture) -> Picture:
    """The middle of a held-out picture, at most HELD_OUT_SIDE pixels high and wide.

    Held-out sets have more and larger pictures than test sets, and a monitor must not take longer than the training.
    """
    top, left = (max(0, size - HELD_OUT_SIDE) // 2 for size in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + HELD_OUT_SIDE, left : left + HELD_OUT_SIDE])


@torch.no_grad()
def monitor(network: Trainable, pictures: Sequence[Picture], device: str) -> dict[str, float]:
    """Means over pictures of ms_ssim and psnr_db, both of the decoded 8-bit picture, and of the estimated bpp."""
    was_training = network.training
    network.eval()
    rows = []
    for picture in pictures:
        height, width, _ = picture.shape
        padded = torch.from_numpy(pad_to_multiple(picture, network.stride)).to(device)
        forward = network(padded.permute(2, 0, 1)[None].float() / 255)
        decoded = (forward.reconstruction[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        decoded = decoded[inside(height, width)]
        bits = float(forward.bpp()[0]) * padded.shape[0] * padded.shape[1]
        rows.append((ms_ssim(picture, decoded), psnr_db(picture, decoded), bits / (height * width)))
    network.train(was_training)
    return dict(zip(("ms_ssim", "psnr_db", "bpp"), map(float, np.mean(rows, axis=0)), strict=True))
