"""Typed settings: the base of every settings class, and the training settings that all learned codecs share."""

import json
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cvqn.errors import CvqnError

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, le=1)]
Patch = Annotated[int, Field(ge=16, multiple_of=16)]
Device = Literal["cpu", "cuda"]


class Settings(BaseModel):
    """Immutable settings: unknown keys, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def parse(cls, content: object, where: str = "") -> Self:
        """The settings from plain values, as read from YAML or JSON.

        Args:
            content: mappings, lists, numbers, strings, booleans and None.
            where: prefix of error messages, such as a file's name.

        Raises:
            CvqnError: a key is unknown or missing, or a value is not allowed; the message names the first.
        """
        try:
            return cls.model_validate_json(json.dumps(content))
        except (ValidationError, TypeError) as error:
            key, message = problem(error, cls)
            raise CvqnError(": ".join(part for part in (where, ".".join(key), message) if part)) from error

    def plain(self) -> dict[str, Any]:
        """The settings as mappings, lists, numbers, strings, booleans and None."""
        return self.model_dump(mode="json")


class FineTuning(Settings):
    """A second phase of a training, on crops of another size, with a new optimizer."""

    epochs: Positive
    """Epochs of the phase, after those of the first one, with as many steps each."""
    batch: Positive
    """Crops per step."""
    patch: Patch
    """Side of a crop in pixels."""
    rate_factor: Annotated[float, Field(gt=0, le=1)]
    """Factor on all learning rates, which fall to zero in half a cosine after the warm-up."""
    flat_share: Rate
    """Share of the crops that are replaced by a grey level, from middle grey to white and mostly near white."""


class TrainingSettings(Settings):
    """The training settings of every learned codec; a codec adds its own in a subclass."""

    batch: Positive
    """Crops per step."""
    patch: Patch
    """Side of a crop in pixels."""
    epochs: Positive
    """Epochs of the training."""
    epoch_steps: Positive | None
    """Steps per epoch; null: number of training images divided by batch, rounded up."""
    vertical_flips: bool
    """Turn half of the crops upside down; half are mirrored left to right in any case."""
    colour_jitter: Rate
    """Share of the crops whose saturation, contrast, brightness and white balance are changed at random."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    """Adam's decay rates of the first and second moment."""
    schedule: Literal["drops", "cosine"]
    """drops: learning rates divided by drop_factor at each of drop_epochs; cosine: half a cosine to zero."""
    drop_epochs: tuple[Positive, ...]
    """Epochs at which the learning rates drop."""
    drop_factor: Annotated[float, Field(gt=1)]
    """Factor by which each drop divides the learning rates."""
    warmup_epochs: Annotated[float, Field(ge=0)]
    """Epochs over which the learning rates rise linearly from zero, in each phase."""
    fine_tuning: FineTuning | None
    """A second phase on crops of another size; null: none."""
    clip_value: Annotated[float, Field(gt=0)] | None
    """Clip each element of a gradient to +- this value; null: no clipping."""
    clip_norm: Annotated[float, Field(gt=0)] | None
    """Limit the norm of all gradients together to this value; null: no limit."""
    device: Device
    """Device to train on. A missing GPU is an error; training never falls back to the CPU."""
    precision: Literal["float32", "bfloat16"]
    """Precision of the convolutions. bfloat16 needs a GPU, or a CPU with support for it (avx512_bf16, AMX, ARM)."""
    weights: Literal["float32", "float16"]
    """Precision to which the trained weights are rounded before they are exported."""
    compile: bool
    """Use torch.compile."""
    cuda_graphs: bool
    """Replay steps as a CUDA graph, several times as fast for small networks. Needs a GPU."""
    threads: Positive
    """CPU threads."""
    log_every: Positive
    """Steps between rows of the log."""
    save_every: Positive
    """Epochs between saves of the state to resume from. Does not affect the result."""
    monitor_every: Annotated[int, Field(ge=0)]
    """Epochs between the evaluations that select checkpoints; 0: select none."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.schedule == "drops" and any(epoch >= self.epochs for epoch in self.drop_epochs):
            raise ValueError(f"drop_epochs: {list(self.drop_epochs)} must all be smaller than epochs ({self.epochs})")
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs: more than the {self.epochs} epochs of the training")
        if self.fine_tuning and self.warmup_epochs > self.fine_tuning.epochs:
            raise ValueError(f"warmup_epochs: more than the {self.fine_tuning.epochs} epochs of fine_tuning")
        if self.cuda_graphs and self.device != "cuda":
            raise ValueError(f"cuda_graphs: true needs device cuda, not {self.device}")
        return self

    @property
    def all_epochs(self) -> int:
        """Epochs of both phases."""
        return self.epochs + (self.fine_tuning.epochs if self.fine_tuning else 0)

    def crops(self, epoch: float) -> tuple[int, int, float]:
        """Crops per step, their side and the share of flat ones, at an epoch counted from 0."""
        if self.fine_tuning and epoch >= self.epochs:
            return self.fine_tuning.batch, self.fine_tuning.patch, self.fine_tuning.flat_share
        return self.batch, self.patch, 0.0

    def identity(self) -> dict[str, Any]:
        """The settings that determine the trained model."""
        return {key: value for key, value in self.plain().items() if key != "save_every"}


def problem(error: ValidationError | TypeError, settings: type[BaseModel]) -> tuple[list[str], str]:
    """Key and message of the first error in values for `settings`."""
    if isinstance(error, TypeError):
        return [], f"not plain values ({error})"
    first = error.errors(include_url=False)[0]
    key = [str(part) for part in first["loc"] if part != "[key]"]  # pydantic's mark for a wrong key of a mapping
    given = json.dumps(first["input"], default=str)
    match first["type"]:
        case "extra_forbidden":
            allowed = _fields(settings, key[:-1])
            return key, f"unknown key; allowed: {', '.join(allowed)}" if allowed else "unknown key"
        case "missing":
            return key, "missing"
        case "dict_type" | "model_type":
            return key, "expected a mapping of keys to values"
        case "literal_error":
            return key, f"{given} is not allowed; allowed: {first['ctx']['expected'].replace(' or ', ', ')}"
        case "value_error":
            inner, _, message = str(first["ctx"]["error"]).partition(": ")
            return ([*key, *inner.split(".")], message) if message else (key, inner)
    return key, f"{given} is not allowed: {first['msg'][0].lower()}{first['msg'][1:]}"


def _fields(annotation: Any, key: list[str]) -> list[str]:
    """The keys allowed under `key`; empty if it is not within a settings class."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        if not key:
            return list(fields)
        return _fields(fields[key[0]].annotation, key[1:]) if key[0] in fields else []
    if get_origin(annotation) in (dict, tuple):
        inner, key = (get_args(annotation)[get_origin(annotation) is dict],), key[1:]
    else:
        inner = get_args(annotation)
    return next((found for one in inner if (found := _fields(one, key))), [])
