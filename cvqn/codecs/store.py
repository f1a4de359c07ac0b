"""A trained model on disk: a folder with model.json (codec, settings, origin) and model.safetensors (every tensor)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from cvqn.codecs import registry
from cvqn.codecs.description import FORMAT, Description, describe
from cvqn.codecs.interface import TrainedModel
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.settings import Settings


class Stored(NamedTuple):
    """A model as loaded, ready to compress and decompress."""

    codec: str
    model: TrainedModel
    about: dict[str, Any]
    model_id: bytes  # 4 bytes


def save_model(
    folder: str | Path, codec: str, settings: Settings, tensors: Mapping[str, Tensor], about: dict[str, Any]
) -> bytes:
    """Write the two files of a model folder, what float16 holds exactly as such; returns the model id, 4 bytes."""
    compact = {name: _compact(tensor.detach().cpu().contiguous()) for name, tensor in tensors.items()}
    model_id = _model_id(codec, settings.plain(), compact)
    description = Description(
        format=FORMAT, model_id=model_id.hex(), codec=codec, settings=settings.plain(), about=about
    )
    with atomic_write(Path(folder) / "model.safetensors") as file:
        file.write(save(compact))
    with atomic_write(Path(folder) / "model.json", "w") as file:
        json.dump(description.plain(), file, indent=1)
    return model_id


def load_model(folder: str | Path, device: str = "cpu") -> Stored:
    """Read a model folder.

    Raises:
        CvqnError: the folder is not a model's, a file is damaged, or settings and tensors do not fit.
    """
    folder = Path(folder)
    description = describe(folder)
    codec = registry.learned(description.codec)
    try:
        tensors = load_file(folder / "model.safetensors")
    except (safetensors.SafetensorError, OSError) as error:
        raise CvqnError(f"{folder}/model.safetensors: damaged or not safetensors ({error})") from error
    try:
        model_id = _model_id(description.codec, description.settings, tensors)
    except TypeError as error:
        raise CvqnError(f"{folder}/model.safetensors: a type of number that no model has ({error})") from error
    if model_id.hex() != description.model_id:
        raise CvqnError(
            f"{folder}: tensors and settings give model id {model_id.hex()}, model.json says {description.model_id}"
        )
    settings = codec.model_settings.parse(description.settings, f"{folder / 'model.json'}: settings")
    try:
        model = codec.load(settings, tensors, device)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CvqnError(f"{folder}: settings and tensors do not fit: {error}") from error
    return Stored(description.codec, model, description.about, model_id)


def _compact(tensor: Tensor) -> Tensor:
    """The tensor in half the bytes where nothing is lost by that."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if torch.equal(half.float(), tensor) else tensor


def _model_id(codec: str, settings: dict[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    digest = hashlib.sha256(json.dumps([codec, settings], sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()[:4]
