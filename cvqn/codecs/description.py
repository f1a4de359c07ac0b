"""What a model folder says of itself, model.json; without its tensors, and without torch."""

from pathlib import Path
from typing import Any

from pydantic import Field

from cvqn.errors import CvqnError
from cvqn.files import read_json
from cvqn.settings import Settings

FORMAT = 2
FILES = ("model.json", "model.safetensors")


class Description(Settings):
    """model.json."""

    format: int
    """Version of the format."""
    model_id: str = Field(pattern="^[0-9a-f]{8}$")
    """Four bytes of the SHA-256 over all that decides a picture: codec, settings and every tensor."""
    codec: str
    """Name of the learned codec."""
    settings: dict[str, Any]
    """What builds its network."""
    about: dict[str, Any]
    """Where the model comes from: run, experiment, seed, scale, checkpoint, step."""


def describe(folder: str | Path) -> Description:
    """The description in a model folder; its tensors are not looked at.

    Raises:
        CvqnError: the folder is not a model's, or its format is another.
    """
    folder = Path(folder)
    for name in FILES:
        if not (folder / name).is_file():
            raise CvqnError(f"{folder}: not a model folder, {name} is missing")
    content = read_json(folder / "model.json")
    if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
        raise CvqnError(f"{folder}: model format {content['format']!r}, this version reads {FORMAT}")
    return Description.parse(content, f"{folder / 'model.json'}: not the description of a model")
