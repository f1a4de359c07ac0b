"""Configuration: params.yaml under the overlays of a scale, validated, with every experiment spelt out."""

import copy
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import jsonschema
import yaml

from cvqn.errors import CvqnError
from cvqn.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
DEFAULTS = ROOT / "params.yaml"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"


def merge(base: dict, overlay: dict) -> dict:
    """`base` with `overlay` on top: mappings merge key by key, anything else is replaced."""
    merged = dict(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def read_yaml(path: str | Path) -> dict:
    """The mapping in a YAML file.

    Raises:
        CvqnError: the file cannot be read, is not YAML, or is not a mapping.
    """
    try:
        loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CvqnError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise CvqnError(f"{path}: expected a mapping of keys to values")
    return loaded


def resolve(overlays: Sequence[str | Path]) -> dict:
    """The configuration of params.yaml under `overlays`, later ones on top, every experiment spelt out.

    Raises:
        CvqnError: a key is unknown or a value not allowed; the message names file, key and what is allowed.
    """
    sources = {os.path.relpath(path): read_yaml(path) for path in (DEFAULTS, *overlays)}
    config: dict = {}
    for source in sources.values():
        config = merge(config, source)
    config["experiments"] = {
        name: {part: merge(config[part], (own or {}).get(part) or {}) for part in ("model", "training")}
        | {key: value for key, value in (own or {}).items() if key not in ("model", "training")}
        for name, own in config["experiments"].items()
    }
    for key, message in _problems(config):
        path, key = _origin(sources, key)
        raise CvqnError(f"{path}: {'.'.join(key) or 'configuration'}: {message}")
    return config


def read(path: str | Path) -> dict:
    """A resolved configuration from results/<scale>/config.yaml, validated again.

    Raises:
        CvqnError: as `resolve`.
    """
    config = read_yaml(path)
    for key, message in _problems(config):
        raise CvqnError(f"{path}: {'.'.join(key) or 'configuration'}: {message}")
    return config


def write(config: dict, path: str | Path) -> None:
    """Write a resolved configuration; a file that holds it already is left as it is."""
    text = yaml.safe_dump(config, sort_keys=False, width=120)
    if Path(path).is_file() and Path(path).read_text(encoding="utf-8") == text:
        return
    with atomic_write(path, "w") as file:
        file.write(text)


def runs(config: dict, experiments: Sequence[str] | None = None) -> dict[str, dict]:
    """Every training by name, `<experiment>-seed<k>`, with its experiment, seed, model and training.

    Those that the report needs, or those of `experiments`. Experiments of the tables have every seed, others the first.
    """
    report = config["report"]
    tables = {*report["table1"], *report["table2"]}
    if experiments is None:
        experiments = list(dict.fromkeys([*report["rate_curve"], *report["table1"], *report["table2"], report["toy"]]))
    return {
        f"{name}-seed{seed}": {"experiment": name, "seed": seed, **config["experiments"][name]}
        for name in experiments
        for seed in (config["seeds"] if name in tables else config["seeds"][:1])
    }


def identity(run: dict) -> dict:
    """What the results of one of `runs` are a function of, besides images and code: all but how often it saves."""
    return run | {"training": {key: value for key, value in run["training"].items() if key != "save_every"}}


def usable_minutes(job_minutes: float) -> float:
    """How long a training goes on in a job of `job_minutes` before it saves and stops by itself."""
    return 0.95 * job_minutes - 0.5


def _problems(config: dict) -> Iterator[tuple[list[str], str]]:
    """Key and message of what is wrong, first what the schema says and then what only arithmetic can tell."""
    validator = jsonschema.Draft202012Validator(read_yaml(SCHEMA))
    errors = sorted(validator.iter_errors(config), key=lambda error: list(map(str, error.absolute_path)))
    for error in errors:
        yield _schema_message(error)
    if errors:
        return
    report = config["report"]
    for part in ("rate_curve", "table1", "table2"):
        yield from ((["report", part], f"unknown experiment {name!r}; allowed: {', '.join(config['experiments'])}")
                    for name in report[part] if name not in config["experiments"])  # fmt: skip
    for key, names in (
        (["report", "toy"], [report["toy"]]),
        (["report", "figure4", "experiment"], [report["figure4"]["experiment"]]),
        (["extras"], config["extras"]),
    ):
        yield from ((key, f"unknown experiment {name!r}; allowed: {', '.join(config['experiments'])}")
                    for name in names if name not in config["experiments"])  # fmt: skip
    for codec in report["figure4"]["codecs"]:
        if not config["codecs"].get(codec, {}).get("qualities"):
            yield ["report", "figure4", "codecs"], f"codec {codec!r} has no qualities under `codecs`"
    if config["data"]["evaluation"] in config["data"]["train"]:
        yield (
            ["data", "train"],
            f"{config['data']['evaluation']!r} is the evaluation set; training on it is not allowed",
        )
    train = config["resources"]["train"]
    pieces = math.ceil(train["minutes"] / usable_minutes(train["job_minutes"]))
    if pieces > train["attempts"]:
        yield (
            ["resources", "train", "attempts"],
            f"{train['attempts']} jobs of {train['job_minutes']} minutes do not hold a training of "
            f"{train['minutes']:g}; at least {pieces}",
        )
    for name, experiment in config["experiments"].items():
        yield from ((["experiments", name, *key], message) for key, message in _experiment_problems(experiment))


def _experiment_problems(experiment: dict) -> Iterator[tuple[list[str], str]]:
    model, training = experiment["model"], experiment["training"]
    channels, ratios = model["channels"], model["ratios"]
    if len(ratios) != len(model["levels"]):
        yield ["model", "levels"], f"{len(model['levels'])} levels for {len(ratios)} ratios; one a group each"
    if abs(sum(ratios) - 1) > 1e-9:
        yield ["model", "ratios"], f"{ratios} add up to {sum(ratios):g}; they must add up to 1"
    for ratio in ratios:
        if abs(channels * ratio - round(channels * ratio)) > 1e-6 or round(channels * ratio) < 1:
            yield (
                ["model", "ratios"],
                (
                    f"{ratio:g} of {channels} channels is {channels * ratio:g}; "
                    "every group needs a whole number of channels"
                ),
            )
    for widths in ("encoder_widths", "decoder_widths"):
        for width in model[widths]:
            if abs(width * model["width"] - round(width * model["width"])) > 1e-6 or round(width * model["width"]) < 1:
                yield (
                    ["model", "width"],
                    f"{width} of {widths} times {model['width']:g} must be a whole number of at least 1",
                )
    if training["schedule"] == "drops" and any(epoch >= training["epochs"] for epoch in training["drop_epochs"]):
        yield (
            ["training", "drop_epochs"],
            f"{training['drop_epochs']} must lie before the last of {training['epochs']} epochs",
        )
    if training["warmup_epochs"] > training["epochs"]:
        yield ["training", "warmup_epochs"], f"more than the {training['epochs']} epochs of the training"
    if training["device"] == "cpu" and training["precision"] == "bfloat16":
        yield ["training", "precision"], "bfloat16 is for cuda; allowed on cpu: float32"


def _schema_message(error: jsonschema.ValidationError) -> tuple[list[str], str]:
    key = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties":
        allowed = error.schema.get("properties", {})
        unknown = sorted(str(name) for name in error.instance if name not in allowed)
        return [*key, unknown[0]], f"unknown key; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [name for name in error.schema["required"] if name not in error.instance]
        return key, f"missing: {', '.join(missing)}"
    if error.validator == "enum":
        return key, f"{error.instance!r} is not allowed; allowed: {', '.join(map(str, error.validator_value))}"
    rule = json.dumps({error.validator: error.validator_value})
    return key, f"{json.dumps(error.instance, default=str)} is not allowed; the schema asks for {rule}"


def _origin(sources: dict[str, dict], key: list[str]) -> tuple[str, list[str]]:
    """The last file that sets `key`, or that sets the default which an experiment took over, and the key it sets."""
    candidates = [key] + ([key[2:]] if key[:1] == ["experiments"] and len(key) > 2 else [])
    for candidate in candidates:
        for path, source in reversed(sources.items()):
            if _sets(source, candidate):
                return path, candidate
    return next(iter(sources)), key


def _sets(source: dict, key: list[str]) -> bool:
    value: object = source
    for part in key:
        if isinstance(value, list) and part.isdigit():
            return True
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True
