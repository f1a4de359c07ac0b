"""The JSON schema of configurations, for editors."""

from typing import Any

from pydantic.json_schema import models_json_schema

from cvqn.codecs import registry
from cvqn.lab.settings.configuration import NAME, Configuration, Experiment
from cvqn.settings import Settings, TrainingSettings


def schema() -> dict[str, Any]:
    """The JSON schema of params.yaml and of overlays, for editors: every key with its meaning, none required."""
    learned = [registry.learned(name) for name in registry.names() if registry.is_learned(name)]
    parts: list[type[Settings]] = [Configuration, TrainingSettings]
    parts += [settings for codec in learned for settings in (codec.model_settings, codec.training_settings)]
    references, definitions = models_json_schema([(part, "validation") for part in dict.fromkeys(parts)], by_alias=True)
    refer = {part: references[part, "validation"] for part in parts}
    found = definitions["$defs"]
    whole = found.pop(refer[Configuration]["$ref"].rpartition("/")[2])
    for generic in (Experiment, Settings):  # replaced below by those of each codec
        del found[generic.__name__]
    by_codec = {
        codec.name: _section(model=refer[codec.model_settings], training=refer[codec.training_settings])
        for codec in learned
    }
    experiment = _section(
        codec={"enum": [codec.name for codec in learned]},
        model={"anyOf": [refer[codec.model_settings] for codec in learned]},
        training={"anyOf": [refer[codec.training_settings] for codec in learned]},
    )
    whole["properties"] |= {
        "training": refer[TrainingSettings],
        "learned": _section(**by_codec),
        "experiments": whole["properties"]["experiments"]
        | {"patternProperties": {NAME: {"anyOf": [experiment, {"type": "null"}]}}},
    }
    return dict(_without_required({**whole, "$defs": found}))


def _section(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _without_required(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_required(value) for key, value in part.items() if key != "required"}
    return [_without_required(one) for one in part] if isinstance(part, list) else part
