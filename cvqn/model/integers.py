"""Stores integer context models among the tensors of a trained model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cvqn.bitstream.integer_model import IntegerModel

PREFIX = "integer"


def to_tensors(models: Sequence[IntegerModel]) -> dict[str, Tensor]:
    """Every array of the models, int32, under `integer.<group>.<layer>.<field>`."""
    return {
        f"{PREFIX}.{group}.{name}": torch.from_numpy(array.copy())
        for group, model in enumerate(models)
        for name, array in model.to_arrays().items()
    }


def from_tensors(tensors: Mapping[str, Tensor], groups: int) -> tuple[list[IntegerModel], dict[str, Tensor]]:
    """The integer models of the groups, and the other tensors.

    Raises:
        CvqnError: an array of a group is missing or superfluous, or sums could be inexact.
    """
    models = []
    for group in range(groups):
        prefix = f"{PREFIX}.{group}."
        own = {name.removeprefix(prefix): one.numpy() for name, one in tensors.items() if name.startswith(prefix)}
        models.append(IntegerModel.from_arrays(own))
    return models, {name: one for name, one in tensors.items() if not name.startswith(f"{PREFIX}.")}
