"""The settings of a scale: params.yaml under overlays, validated, with every experiment written out in full."""

import copy
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator

from cvqn.codecs import registry
from cvqn.codecs.interface import LearnedCodec
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.lab.settings.runs import Checkpoint, Run
from cvqn.lab.settings.sections import DataSettings, EvaluationSettings, PlanSettings, QualitySettings, ReportSettings
from cvqn.lab.settings.strict_yaml import parse_yaml, read_yaml
from cvqn.settings import Settings, TrainingSettings, problem

DEFAULTS = Path(__file__).with_name("params.yaml")
DEFAULT_CODEC = "cvqn"
NAME = "^[a-z][a-z0-9-]*$"
Name = Annotated[str, Field(pattern=NAME)]
WHERE = ("device", "precision", "threads", "compile", "cuda_graphs")
"""Settings that say where and how fast a model is trained, but not what is trained."""


class Experiment(Settings):
    """One experiment: a learned codec with its settings."""

    codec: str
    """The learned codec."""
    model: SerializeAsAny[Settings]
    """Settings of the codec's model."""
    training: SerializeAsAny[TrainingSettings]
    """Settings of the codec's training."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_learned_codec(cls, content: Any) -> Any:
        learned = [name for name in registry.names() if registry.is_learned(name)]
        if isinstance(content, dict) and content.get("codec") not in learned:
            raise ValueError(f"codec: {content.get('codec')!r} is not a learned codec; installed: {', '.join(learned)}")
        return content

    @field_validator("model", "training", mode="wrap")
    @classmethod
    def _as_its_codec_has_it(cls, content: object, _: object, info: ValidationInfo) -> Settings:
        codec = registry.learned(info.data["codec"])
        try:
            return (codec.model_settings if info.field_name == "model" else codec.training_settings).parse(content)
        except CvqnError as error:
            raise ValueError(str(error)) from error

    @property
    def learned_codec(self) -> LearnedCodec:
        """The codec itself."""
        return registry.learned(self.codec)

    def identity(self) -> dict[str, Any]:
        """The settings that determine its trained models, together with seed, images and code."""
        return {"codec": self.codec, "model": self.model.plain(), "training": self.training.identity()}


class Configuration(Settings):
    """All settings of a scale."""

    scale: Name
    """Name of the scale; results go to results/<scale>/."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    """Experiments of `report.every_seed` are trained with each of these, all others with the first."""
    data: DataSettings
    evaluation: EvaluationSettings
    report: ReportSettings
    extras: tuple[str, ...]
    """Experiments beyond the paper, made by the target `extras`."""
    learned_curves: tuple[str, ...]
    """Experiments of other learned codecs, for the full curves that the target `learned` makes."""
    codecs: dict[str, QualitySettings]
    """Conventional codecs, by name."""
    plan: PlanSettings
    experiments: dict[Name, Experiment]
    """Experiments by name, each with `codec`, `model` and `training`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key, message in _conflicts(self):
            raise ValueError(f"{key}: {message}")
        return self

    @property
    def results(self) -> Path:
        """The folder of the results."""
        return Path("results") / self.scale

    def runs(self, experiments: Sequence[str] | None = None) -> list[Run]:
        """The trainings that the report needs, or those of `experiments`.

        Experiments of `report.every_seed` have every seed, others the first.
        """
        repeated = {name for part in self.report.every_seed for name in getattr(self.report, part)}
        return [
            Run(name, seed)
            for name in (self.report.experiments if experiments is None else experiments)
            for seed in (self.seeds if name in repeated else self.seeds[:1])
        ]

    def checkpoints(self, experiment: str) -> tuple[Checkpoint, ...]:
        """The checkpoints that each training of an experiment makes."""
        selected = self.data.selecting if self.experiments[experiment].training.monitor_every else ()
        return ("last", *selected)

    def at_checkpoints(self, runs: Iterable[Run]) -> list[Run]:
        """Trainings at each of their checkpoints."""
        return [run.at(checkpoint) for run in runs for checkpoint in self.checkpoints(run.experiment)]

    @property
    def beyond(self) -> dict[str, tuple[str, ...]]:
        """Experiments of the targets other than `all`, by target."""
        return {"extras": self.extras, "learned": self.learned_curves}

    def every_run(self) -> list[Run]:
        """The trainings of all targets, those of `all` first."""
        beyond = [run for names in self.beyond.values() for run in self.runs(names)]
        return list(dict.fromkeys([*self.runs(), *beyond]))

    def figure4_runs(self) -> dict[str, list[Run]]:
        """The runs that Figure 4 chooses from, by codec: none for a conventional one; the figure's own run is last."""
        figure, seed = self.report.figure4, self.seeds[0]
        found: dict[str, list[Run]] = {codec: [] for codec in figure.codecs if codec in self.measured_codecs()}
        own = self.experiments[figure.experiment].codec
        for name in self.report.learned:
            codec = self.experiments[name].codec
            if codec in figure.codecs and codec != own:
                found.setdefault(codec, []).append(Run(name, seed))
        return found | {own: [Run(figure.experiment, seed)]}

    def measured_codecs(self) -> dict[str, tuple[float, ...]]:
        """The qualities of each conventional codec that is measured."""
        return {name: codec.qualities for name, codec in self.codecs.items() if codec.qualities}


Section = dict[str, Any] | None


class CodecDefaults(Settings):
    """Defaults for the experiments of a learned codec."""

    model: Section = None
    training: Section = None


class Given(Settings):
    """The sections of the files from which the experiments are composed."""

    training: Section
    learned: dict[str, CodecDefaults | None] | None
    experiments: dict[str, Section]

    @model_validator(mode="after")
    def _of_codecs(self) -> Self:
        for name in (self.learned or {}).keys() - registry.names():
            raise ValueError(f"learned.{name}: no such codec; installed: {', '.join(registry.names())}")
        return self


def resolve(overlays: Sequence[str | Path], further: Mapping[str, dict[str, Any]] | None = None) -> Configuration:
    """The configuration of params.yaml under `overlays`, with every experiment written out in full.

    Args:
        overlays: YAML files; later ones take precedence.
        further: overlays that are not files, by the name that messages use; they take precedence over files.

    Raises:
        CvqnError: a key is unknown or a value not allowed; the message names file and key.
    """
    sources = {_name(path): read_yaml(path) for path in (DEFAULTS, *overlays)} | dict(further or {})
    merged: dict[str, Any] = {}
    for source in sources.values():
        merged = merge(merged, source)
    given = _checked(Given, {key: merged.pop(key, None) for key in Given.model_fields}, sources)
    experiments = {name: _spelt_out(own or {}, given) for name, own in given.experiments.items()}
    return _checked(Configuration, merged | {"experiments": experiments}, sources)


def assigned(pairs: Sequence[str], where: str) -> dict[str, Any]:
    """The overlay of `KEY=VALUE` pairs from a command line; values are YAML, except those of keys that hold text.

    Raises:
        CvqnError: a value is not valid YAML; the message begins with `where`.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        field = Configuration.model_fields.get(key)
        values[key] = text if field and field.annotation is str else parse_yaml(text, f"{where} {key}")
    return values


def read(path: str | Path) -> Configuration:
    """Read a resolved configuration that `write` wrote, and validate it.

    Raises:
        CvqnError: the file cannot be read, a key is unknown, or a value is not allowed.
    """
    return validated(read_yaml(path), str(path))


def validated(content: dict[str, Any], where: str) -> Configuration:
    """A resolved configuration from plain values; messages begin with `where`.

    Raises:
        CvqnError: a key is unknown, or a value is not allowed.
    """
    return _checked(Configuration, content, {where: {}})


def lasting(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an experiment without those of its training that say only where it ran and how often it saved."""
    training = settings.get("training", {})
    kept = {key: value for key, value in training.items() if key not in (*WHERE, "save_every")}
    return {**settings, "training": kept}


def write(configuration: Configuration, path: str | Path) -> None:
    """Write a resolved configuration as YAML."""
    with atomic_write(path, "w") as file:
        yaml.safe_dump(configuration.plain(), file, sort_keys=False, width=120)


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`base` with `overlay` on top: mappings merge key by key, anything else is replaced."""
    merged = dict(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def _spelt_out(own: dict[str, Any], given: Given) -> dict[str, Any]:
    """An experiment on top of the defaults of all trainings and of its codec's model and training."""
    codec = own.get("codec", DEFAULT_CODEC)
    of_codec = (given.learned or {}).get(str(codec)) or CodecDefaults()
    training = merge(given.training or {}, of_codec.training or {})
    parts = {key: value for key, value in own.items() if value is not None or key == "codec"}
    return merge({"codec": codec, "model": of_codec.model or {}, "training": training}, parts)


Checked = TypeVar("Checked", bound=Settings)


def _checked(settings: type[Checked], content: dict[str, Any], sources: dict[str, dict[str, Any]]) -> Checked:
    try:
        return settings.model_validate_json(json.dumps(content))
    except (ValidationError, TypeError) as error:
        key, message = problem(error, settings)
        raise CvqnError(_placed(key, message, sources)) from error


def _conflicts(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Key and message of each conflict between settings that are valid on their own."""
    report, experiments = configuration.report, configuration.experiments
    named = {
        **{f"report.{part}": getattr(report, part) for part in ("rate_curve", "table1", "table2", "learned", "starts")},
        "report.toy": (report.toy,),
        "report.figure4.experiment": (report.figure4.experiment,),
        "extras": configuration.extras,
        "learned_curves": configuration.learned_curves,
    }
    for key, names in named.items():
        for name in names:
            if name not in experiments:
                yield key, f"unknown experiment {name!r}; allowed: {', '.join(experiments)}"
        if len(set(names)) < len(names):
            yield key, f"an experiment appears twice in {', '.join(names)}"
    for codec in report.figure4.codecs:
        is_learned = codec in registry.names() and registry.is_learned(codec)
        if not is_learned and codec not in configuration.measured_codecs():
            yield "report.figure4.codecs", f"codec {codec!r} has no qualities under `codecs`"
    if len(set(configuration.seeds)) < len(configuration.seeds):
        yield "seeds", f"a seed appears twice in {', '.join(map(str, configuration.seeds))}"
    data = configuration.data
    for kind, name in (("evaluation", data.evaluation), ("selection", data.selection), ("held-out", data.held_out)):
        if name in data.train:
            yield "data.train", f"{name!r} is the {kind} set; training on it is not allowed"
    for kind, name in (("evaluation", data.evaluation), ("selection", data.selection)):
        if data.held_out is not None and data.held_out == name:
            yield f"data.{kind}", f"{name!r} is data.held_out too; set that to another set, or to null"


def _placed(key: list[str], message: str, sources: dict[str, dict[str, Any]]) -> str:
    """The message, preceded by the last file that sets the key or the default that an experiment inherits."""
    candidates = [key]
    if key[:1] == ["experiments"] and len(key) > 3:
        own = [source["experiments"][key[1]] for source in sources.values() if _sets(source, [*key[:2], "codec"])]
        codec = own[-1]["codec"] if own else DEFAULT_CODEC
        candidates += [["learned", codec, *key[2:]], key[2:]]
    for candidate in candidates:
        for path, source in reversed(sources.items()):
            if _sets(source, candidate):
                return f"{path}: {'.'.join(candidate)}: {message}"
    return f"{next(iter(sources))}: {'.'.join(key) or 'configuration'}: {message}"


def _sets(source: dict[str, Any], key: list[str]) -> bool:
    value: object = source
    for part in key:
        if isinstance(value, list) and part.isdigit():
            return True
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


def _name(path: str | Path) -> str:
    return "params.yaml" if path == DEFAULTS else os.path.relpath(path)
