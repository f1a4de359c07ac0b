"""A trained model on disk: a folder with model.json (codec, settings, origin) and model.safetensors (every tensor)."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cvqn.bitstream.exactness import check_exactness
from cvqn.bitstream.integer_model import IntegerModel
from cvqn.codecs import registry
from cvqn.codecs.description import FORMAT, Description, describe
from cvqn.codecs.interface import HasChannels, TrainedModel
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.settings import Settings


class Stored(NamedTuple):
    """A loaded model, ready to compress and decompress."""

    codec: str
    model: TrainedModel
    about: dict[str, Any]
    model_id: bytes  # 4 bytes


def save_model(
    folder: str | Path, codec: str, settings: Settings, tensors: Mapping[str, Tensor], about: dict[str, Any]
) -> bytes:
    """Write the two files of a model folder, and return the model id, 4 bytes.

    Tensors of float32 whose values float16 holds exactly are stored as float16.
    """
    compact = {name: _compact(tensor.detach().cpu().contiguous()) for name, tensor in tensors.items()}
    model_id = _model_id(codec, settings.plain(), _arrays(compact))
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
        CvqnError: the folder is not a model's, a file is damaged, settings and tensors do not fit together, or this
            machine does not compute exactly what decoding needs.
    """
    folder = Path(folder)
    description = describe(folder)
    codec = registry.learned(description.codec)
    try:
        tensors = load_file(folder / "model.safetensors")
    except (safetensors.SafetensorError, OSError) as error:
        raise CvqnError(
            f"{folder}/model.safetensors: damaged or not safetensors ({error}); get the model again"
        ) from error
    try:
        model_id = _model_id(description.codec, description.settings, _arrays(tensors))
    except TypeError as error:
        raise CvqnError(
            f"{folder}/model.safetensors: a data type that no model has ({error}); get the model again"
        ) from error
    if model_id.hex() != description.model_id:
        raise CvqnError(
            f"{folder}: tensors and settings give model id {model_id.hex()}, model.json says {description.model_id}; "
            "get the model again"
        )
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CvqnError(
                f"{folder}/model.safetensors: {name!r} holds a value that is not a finite number; get the model again"
            )
    settings = codec.model_settings.parse(description.settings, f"{folder / 'model.json'}: settings")
    try:
        with _NoLargerThan(tensors):
            model = codec.load(settings, tensors, device)
        integer_models: Sequence[IntegerModel] = getattr(model, "integer_models", ())
        _check_names(integer_models, tensors)
        if isinstance(model, HasChannels):
            _check_groups(model)
    except (RuntimeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        what = " ".join(str(error).split())[:300]
        raise CvqnError(f"{folder}: settings and tensors do not fit: {what}; get the model again") from error
    check_exactness(integer_models)
    return Stored(description.codec, model, description.about, model_id)


class _NoLargerThan(TorchFunctionMode):
    """While active, a network with far more parameters than the given tensors cannot be built.

    Otherwise, a few bytes of settings in a damaged or malicious model could request any amount of memory.
    """

    def __init__(self, tensors: Mapping[str, Tensor]):
        super().__init__()
        self._left = 2 * sum(tensor.numel() for tensor in tensors.values()) + (1 << 20)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if function in (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn):
            self._left -= result.numel()
            if self._left < 0:
                raise ValueError("the settings are those of a larger network")
        return result


def _check_names(models: Sequence[IntegerModel], tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError if tensors named `integer.<group>...` belong to no group."""
    expected = {f"integer.{group}.{name}" for group, model in enumerate(models) for name in model.to_arrays()}
    superfluous = sorted(name for name in tensors if name.startswith("integer.") and name not in expected)
    if models and superfluous:
        raise ValueError(f"superfluous tensors {superfluous}")


def _check_groups(model: HasChannels) -> None:
    """Raise ValueError if the order is no permutation, or if a group and its entropy model differ in levels."""
    order, sizes, levels = model.layout
    if sorted(order) != list(range(sum(sizes))):
        raise ValueError(f"the order of the channels, {order}, does not name each of the {sum(sizes)} once")
    found = [coder.levels for coder in model.integer_models]
    if found != list(levels):
        raise ValueError(f"integer context models of {found} levels for groups of {list(levels)}")


def _compact(tensor: Tensor) -> Tensor:
    """The tensor as float16 if that loses nothing, else as it is."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if torch.equal(half.float(), tensor) else tensor


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _model_id(codec: str, settings: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The model id; arrays are hashed in little-endian order, so that every machine computes the same."""
    digest = hashlib.sha256(json.dumps([codec, settings], sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()[:4]
