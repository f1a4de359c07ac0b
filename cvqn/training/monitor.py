"""Evaluation during training, on estimates: cross entropy for the rate, no files. It never influences the training."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from cvqn.evaluation.metrics import ms_ssim, psnr_db
from cvqn.images import pad_to_multiple
from cvqn.model.cvqn import CVQN
from cvqn.model.network import STRIDE


@torch.no_grad()
def monitor(model: CVQN, pictures: Sequence[np.ndarray], device: str) -> dict[str, float]:
    """Mean ms_ssim, psnr_db (on 8-bit pictures) and cross-entropy bpp over uint8 pictures `[H, W, 3]`."""
    was_training = model.training
    model.eval()
    rows = []
    for picture in pictures:
        height, width, _ = picture.shape
        padded = torch.from_numpy(pad_to_multiple(picture, STRIDE)).to(device)
        forward = model(padded.permute(2, 0, 1)[None].float() / 255)
        decoded = (forward.reconstruction[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        decoded = decoded[:height, :width]
        nats = sum(float(group.sum()) for group in forward.controlled.nats)
        rows.append((ms_ssim(picture, decoded), psnr_db(picture, decoded), nats / math.log(2) / (height * width)))
    model.train(was_training)
    return dict(zip(("ms_ssim", "psnr_db", "bpp"), map(float, np.mean(rows, axis=0)), strict=True))
