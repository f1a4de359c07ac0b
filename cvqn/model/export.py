"""Conversion of a trained context model to integers, with scales from calibration data and exact sums."""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from cvqn.bitstream.integer_model import (
    ACTIVATION,
    EXACT,
    HOLLOW,
    INPUT_SIZES,
    LARGEST_SHIFT,
    LARGEST_WEIGHT,
    OUTPUT_LIMITS,
    SOLID,
    IntegerLayer,
    IntegerModel,
    largest_sum,
)
from cvqn.bitstream.probabilities import UNIT
from cvqn.errors import CvqnError
from cvqn.model.context import ContextModel, MaskedConv3d
from cvqn.model.cvqn import CVQN

HEADROOM = 1.05  # above the largest activation on the calibration data
LOGIT_SCALE = math.log(2) / UNIT  # nats per unit of the integer logits
BATCH = 8  # calibration images analysed at a time


@torch.inference_mode()
def export_model(model: CVQN, calibration: Tensor) -> list[IntegerModel]:
    """The integer context model of every group.

    Args:
        model: trained, in evaluation mode.
        calibration: images `[B, 3, H, W]` in [0, 1], sides multiples of 16, similar to the training images.

    Raises:
        CvqnError: as `export_context`.
    """
    batches = [model.controller.symbols(model.analyse(images)) for images in calibration.split(BATCH)]
    volumes = [torch.cat(groups) for groups in zip(*batches, strict=True)]
    controller = model.controller
    return [
        export_context(context, quantizer.means, group)
        for context, quantizer, group in zip(controller.contexts, controller.quantizers, volumes, strict=True)
    ]


def export_context(context: ContextModel, means: Tensor, calibration: Iterable[Tensor]) -> IntegerModel:
    """The integer model of a group.

    Integer activations are in units of their channel's scale, which maps the largest activation on the calibration
    data to 255 / 1.05. x1 and x2 share a scale, so that they can be added.

    Args:
        context: the float context model of Q levels.
        means: the quantizer's means, `[Q]`; the context model sees means[s] for symbol s.
        calibration: the group's symbols of typical images, integers 0..Q-1, `[C_g, h, w]`; with their margin if the
            context model is not `padded`.

    Raises:
        CvqnError: there is no calibration data, a weight is not finite, or the weights are too large for exact sums
            at any scale.
    """
    weights, biases = _parameters(context, means)
    largest_x, largest_y = _largest_activations(context, means, calibration)
    x_scale, y_scale = (largest.double().cpu().numpy() * HEADROOM / ACTIVATION for largest in (largest_x, largest_y))

    # A channel that is zero on the calibration data would get scale 0, a nearly zero one too small a scale to be exact.
    x_scale = np.maximum(x_scale, _smallest_scale(weights[0], biases[0], 1))
    y_scale = np.maximum(y_scale, _smallest_scale(weights[1], biases[1], x_scale))
    x_scale = np.maximum(x_scale, _smallest_scale(weights[2], biases[2], y_scale))
    y_scale = np.maximum(y_scale, _smallest_scale(weights[1], biases[1], x_scale))

    inputs = (np.ones(context.levels), x_scale, y_scale, x_scale)
    outputs = (x_scale, y_scale, x_scale, np.full(context.levels, LOGIT_SCALE))
    limits = list(OUTPUT_LIMITS)
    if context.relu_logits:
        limits[3] = (0, limits[3][1])
    return IntegerModel(tuple(map(_integer_layer, INPUT_SIZES, weights, biases, inputs, outputs, limits)))


def _parameters(context: ContextModel, means: Tensor) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Float64 weights `[taps, inputs, outputs]` and biases `[outputs]`; the first layer's inputs are the Q symbols."""
    layers = (context.first, context.residual1, context.residual2, context.last)
    weights = [_taps(layer, SOLID if index else HOLLOW) for index, layer in enumerate(layers)]
    weights[0] = weights[0] * _array(means)[:, None]
    biases = [_array(layer.bias) for layer in layers]
    if not all(np.isfinite(array).all() for array in (*weights, *biases)):
        raise CvqnError(f"context model of {context.levels} levels: a weight is not finite, it cannot be exported")
    return weights, biases


def _taps(layer: MaskedConv3d, taps: int) -> np.ndarray:
    return np.moveaxis(_array(layer.masked_weight.flatten(2)[..., :taps]), (0, 1, 2), (2, 1, 0))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()


@torch.inference_mode()
def _largest_activations(context: ContextModel, means: Tensor, calibration: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The largest |x1| or |x2|, and the largest y, of each channel: `[K]` each."""
    largest_x = largest_y = None
    for symbols in calibration:
        x1, y, x2 = (layer.abs().amax(dim=(0, 2, 3, 4)) for layer in context.activations(means[symbols.long()][None]))
        x = torch.maximum(x1, x2)
        largest_x = x if largest_x is None else torch.maximum(largest_x, x)
        largest_y = y if largest_y is None else torch.maximum(largest_y, y)
    if largest_x is None:
        raise CvqnError("export of a context model: there is no calibration data")
    return largest_x, largest_y


def _smallest_scale(weight: np.ndarray, bias: np.ndarray, input_scale: np.ndarray | float) -> np.ndarray:
    """The smallest output scale, `[outputs]`, that allows shift 0, with room for rounding."""
    input_size = 1 if np.ndim(input_scale) == 0 else ACTIVATION
    scaled = np.abs(weight) * np.reshape(input_scale, (-1, 1))
    sums = scaled.sum(axis=(0, 1)) * input_size + np.abs(bias)
    return np.maximum(2 * sums / EXACT, 2 * scaled.max(axis=(0, 1)) / LARGEST_WEIGHT)


def _integer_layer(
    input_size: int,
    weight: np.ndarray,
    bias: np.ndarray,
    input_scale: np.ndarray,
    output_scale: np.ndarray,
    limits: tuple[int, int],
) -> IntegerLayer:
    """Weight and bias in units of the scales, times 2^shift, rounded; uses the largest shift with exact sums."""
    unit = np.where(output_scale > 0, output_scale, 1)  # a scale is 0 where the output can only be 0
    weight, bias = weight * input_scale[:, None] / unit, bias / unit
    shift = np.full(bias.shape, -1)
    for larger in range(LARGEST_SHIFT + 1):
        candidate = _rounded(weight, bias, np.full(bias.shape, larger))
        exact = largest_sum(*candidate, input_size) < EXACT
        shift[exact & (np.abs(candidate[0]).max(axis=(0, 1)) <= LARGEST_WEIGHT)] = larger
    if shift.min() < 0:
        raise CvqnError("export of a context model: its weights are so large that no scale keeps the sums exact")
    arrays = (*_rounded(weight, bias, shift), shift, np.array(limits))
    return IntegerLayer(*(array.astype(np.int32) for array in arrays))


def _rounded(weight: np.ndarray, bias: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers in float64; the bias includes half an output unit, so that the later floor rounds to nearest."""
    half = np.where(shift > 0, np.ldexp(0.5, shift), 0)
    return np.rint(np.ldexp(weight, shift)), np.rint(np.ldexp(bias, shift)) + half
