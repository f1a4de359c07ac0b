"""A trained model on disk: a folder with model.json (configuration, origin) and model.safetensors (every tensor)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save

from cvqn.codec.integer_model import IntegerModel
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.model.cvqn import CVQN

FORMAT = 1


class Stored(NamedTuple):
    """A model as loaded, ready to compress and decompress."""

    model: CVQN  # float32, in evaluation mode
    integer_models: list[IntegerModel]  # one a group
    about: dict  # experiment, seed, scale, step and where it comes from
    model_id: bytes  # 4 bytes


def save_model(folder: str | Path, model: CVQN, integer_models: list[IntegerModel], about: dict) -> bytes:
    """Write the two files of a model folder, what float16 holds exactly as such; returns the model id, 4 bytes."""
    tensors = {name: _compact(tensor.detach().cpu().contiguous()) for name, tensor in model.state_dict().items()}
    for group, integer in enumerate(integer_models):
        for name, array in integer.to_arrays().items():
            tensors[f"integer.{group}.{name}"] = torch.from_numpy(np.ascontiguousarray(array))
    model_id = _model_id(model.config, tensors)
    about = {"format": FORMAT, "model_id": model_id.hex(), "model": model.config, "about": about}
    with atomic_write(Path(folder) / "model.safetensors") as file:
        file.write(save(tensors))
    with atomic_write(Path(folder) / "model.json", "w") as file:
        json.dump(about, file, indent=1)
    return model_id


def load_model(folder: str | Path, device: str = "cpu") -> Stored:
    """Read a model folder.

    Raises:
        CvqnError: the folder is not a model's, a file is damaged, or configuration and tensors do not fit.
    """
    folder = Path(folder)
    for name in ("model.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise CvqnError(f"{folder}: not a model folder, {name} is missing")
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        config, about, stated_id = description["model"], description["about"], description["model_id"]
        version = description["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CvqnError(f"{folder}/model.json: not the description of a model ({error})") from error
    if version != FORMAT:
        raise CvqnError(f"{folder}: model format {version!r}, this version reads {FORMAT}")
    try:
        tensors = load_file(folder / "model.safetensors")
    except (safetensors.SafetensorError, OSError) as error:
        raise CvqnError(f"{folder}/model.safetensors: damaged or not safetensors ({error})") from error
    try:
        model_id = _model_id(config, tensors)
    except TypeError as error:
        raise CvqnError(f"{folder}/model.safetensors: a type of number that no model has ({error})") from error
    if model_id.hex() != stated_id:
        raise CvqnError(
            f"{folder}: tensors and configuration give model id {model_id.hex()}, model.json says {stated_id}"
        )
    try:
        model = CVQN(config)
        integer_models = [
            IntegerModel.from_arrays(_strip(tensors, f"integer.{group}.")) for group in range(len(config["levels"]))
        ]
        floats = {name: tensor for name, tensor in tensors.items() if not name.startswith("integer.")}
        model.load_state_dict(floats)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CvqnError(f"{folder}: configuration and tensors do not fit: {error}") from error
    return Stored(model.eval().requires_grad_(False).to(device), integer_models, about, model_id)


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in half the bytes where nothing is lost by that."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if torch.equal(half.float(), tensor) else tensor


def _strip(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: tensor.numpy() for name, tensor in tensors.items() if name.startswith(prefix)}


def _model_id(config: dict, tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Four bytes of the SHA-256 over all that decides a picture: configuration and every tensor with name and type."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()[:4]
