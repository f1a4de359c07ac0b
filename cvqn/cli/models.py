"""cvqn models, and the facts that commands print about a model."""

import argparse
import json
from pathlib import Path

from cvqn.cli import options
from cvqn.codecs import shipped


def register(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser(
        "models",
        help="list the built-in models",
        description="List the built-in models by rising rate: the quality that chooses each, with id, experiment, "
        "training images, steps and size. cvqn info quality-N shows more about one. Their rates and qualities on Kodak "
        "are in docs/results.md.",
        parents=[options.as_json()],
    )
    command.set_defaults(handler=_models)


def quality_of(folder: Path) -> int | None:
    """The quality of the built-in model in a folder; None if another model is in it."""
    folder = Path(folder).resolve()
    return next((one for one in shipped.qualities() if shipped.folder_of_quality(one).resolve() == folder), None)


def facts(folder: Path) -> dict[str, object]:
    """What a model is and what it was trained on, as far as its folder states it; plain values.

    Raises:
        CvqnError: not a model's folder, or its description is invalid.
    """
    from cvqn.codecs.description import describe

    description = describe(folder)
    about = description.about
    found: dict[str, object] = {"model_id": description.model_id, "codec": description.codec}
    if (quality := quality_of(folder)) is not None:
        found["quality"] = quality
    found |= {key: about[key] for key in ("origin", "run", "experiment", "scale", "step") if about.get(key) is not None}
    if (images := about.get("training_images")) is not None:
        sets = [{"name": one["name"], "licence": one["licence"]} for one in images["sets"]]
        found["training_images"] = {"count": images["count"], "sets": sets}
    if about.get("training_seconds") is not None:
        found |= {key: about[key] for key in ("training_seconds", "training_machine", "torch")}
    return found | {"bytes": sum(path.stat().st_size for path in Path(folder).iterdir() if path.is_file())}


def _models(arguments: argparse.Namespace) -> None:
    found = [facts(shipped.folder_of_quality(quality)) for quality in shipped.qualities()]
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    rows = [("quality", "model id", "experiment", "trained on", "steps", "size")]
    for model in found:
        images = model.get("training_images")
        names = f"{images['count']} images: {', '.join(one['name'] for one in images['sets'])}" if images else "-"
        size = f"{model['bytes'] / 1e6:.1f} MB"
        rows.append(
            (model["quality"], model["model_id"], model.get("experiment", "-"), names, model.get("step", "-"), size)
        )
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(str(value).ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())
