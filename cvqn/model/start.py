"""Initialization of CVQN from principal components (see `cvqn.start`), which shortens training; not in the paper."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvqn.model.cvqn import CVQN
from cvqn.model.initialization import preserve_variance
from cvqn.start import SEARCH, centre, deal, fit_cascade, fit_upward, in_batches, rows_of

BRANCH = 0.1  # gain of the last convolution of a residual branch, as a share of the variance-preserving gain
IMPORTANCE = 0.4, 0.6  # SE's importance of the first and the last channel in order


@torch.no_grad()
def start_from_components(model: CVQN, images: Tensor) -> None:
    """Fit a new model, in place, to `images` `[N, 3, H, W]` in [0, 1]; the order of its channels is kept."""
    model.eval()
    encoder, decoder, controller, importance = model.encoder, model.decoder, model.controller, model.importance
    for transform in (encoder, decoder):
        preserve_variance(transform, branch=BRANCH)
    stages = [(nn.Sequential(*before), project) for *before, project in encoder.body]
    features, spread = fit_cascade(encoder.head, stages, images - encoder.mean)
    groups = list(zip(controller.levels, controller.sizes, strict=True))[::-1]
    channels = deal(rows_of(features[-1], SEARCH).T, spread, groups)[::-1]
    place = controller.order.argsort()  # of each channel in the order
    component, step, shift = (torch.tensor(column)[place] for column in zip(*channels, strict=True))
    w = torch.linspace(*IMPORTANCE, len(place))[place] if importance is not None else torch.ones(len(place))
    factor = w if importance is not None and importance.scale_latent else torch.ones_like(w)
    centre(encoder.tail, F.one_hot(component, len(spread)) / (step * factor)[:, None], shift / factor)
    if importance is not None:  # an untrained w is random, near a half, and would reorder the channels at random
        pooled = in_batches(encoder.tail, features[-1]).mean(dim=(2, 3))
        for _ in range(50):
            now = torch.sigmoid(importance.excite(F.relu(importance.squeeze(pooled)))).mean(dim=0)
            importance.excite.bias += torch.logit(w) - torch.logit(now)
        importance.importance.copy_(w)
    latent = controller.quantize(in_batches(model.analyse, images))
    steps = [(expand, nn.Sequential(*after)) for expand, *after in decoder.body]
    fit_upward([(decoder.head, nn.Identity()), *steps], decoder.tail, latent, features[::-1], images - decoder.mean)
    model.train()
