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
        CvqnError: the folder is not a model's, a file is damaged, settings and tensors do not fit, or this machine does
            not compute exactly what the model's files need.
    """
    folder = Path(folder)
    description = describe(folder)
    codec = registry.learned(description.codec)
    try:
        tensors = load_file(folder / "model.safetensors")
    except (safetensors.SafetensorError, OSError) as error:
        raise CvqnError(f"{folder}/model.safetensors: damaged or not safetensors ({error})") from error
    try:
        model_id = _model_id(description.codec, description.settings, _arrays(tensors))
    except TypeError as error:
        raise CvqnError(f"{folder}/model.safetensors: a type of number that no model has ({error})") from error
    if model_id.hex() != description.model_id:
        raise CvqnError(
            f"{folder}: tensors and settings give model id {model_id.hex()}, model.json says {description.model_id}"
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
        raise CvqnError(f"{folder}: settings and tensors do not fit: {what}") from error
    check_exactness(integer_models)
    return Stored(description.codec, model, description.about, model_id)


class _NoLargerThan(TorchFunctionMode):
    """Within it a network is made that has at most about as many numbers as given tensors: more cannot be theirs.

    Its memory is refused before it is filled, and with it what settings of a few bytes could ask for.
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
    """Raise ValueError where there are tensors of integer models, `integer.<group>...`, beyond those of the groups."""
    expected = {f"integer.{group}.{name}" for group, model in enumerate(models) for name in model.to_arrays()}
    superfluous = sorted(name for name in tensors if name.startswith("integer.") and name not in expected)
    if models and superfluous:
        raise ValueError(f"superfluous tensors {superfluous}")


def _check_groups(model: HasChannels) -> None:
    """Raise ValueError where the order of the channels is none, or a group's entropy coder has other levels than it."""
    order, sizes, levels = model.layout
    if sorted(order) != list(range(sum(sizes))):
        raise ValueError(f"the order of the channels, {order}, does not name each of the {sum(sizes)} once")
    found = [coder.levels for coder in model.integer_models]
    if found != list(levels):
        raise ValueError(f"integer context models of {found} levels for groups of {list(levels)}")


def _compact(tensor: Tensor) -> Tensor:
    """The tensor in half the bytes where nothing is lost by that."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if torch.equal(half.float(), tensor) else tensor


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _model_id(codec: str, settings: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The same for arrays of either byte order: they are hashed as little-endian ones."""
    digest = hashlib.sha256(json.dumps([codec, settings], sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()[:4]
