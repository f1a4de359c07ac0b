"""The built-in models, `cvqn/models/quality-1` and up by rising rate."""

import re
from pathlib import Path

from cvqn.bitstream.errors import WrongModelError
from cvqn.errors import CvqnError

FOLDER = Path(__file__).parents[1] / "models"
DEFAULT_QUALITY = 3


def qualities() -> list[int]:
    """The qualities of the built-in models, by rising rate; 1 gives the smallest files."""
    names = (re.fullmatch("quality-([1-9][0-9]*)", path.parent.name) for path in FOLDER.glob("quality-*/model.json"))
    return sorted(int(name[1]) for name in names if name)


def folder_of_quality(quality: int) -> Path:
    """The model folder of a quality.

    Raises:
        CvqnError: there is no built-in model of this quality.
    """
    if quality not in qualities():
        known = ", ".join(map(str, qualities())) or "none"
        raise CvqnError(f"quality {quality}: no such built-in model; choose one of {known}, or use --model")
    return FOLDER / f"quality-{quality}"


def folders() -> dict[str, Path]:
    """The folder of each built-in model by its id in hexadecimal; damaged models are left out."""
    return _known()[0]


def folder_of_model(model_id: bytes) -> Path:
    """The folder of the built-in model with this id of 4 bytes, as a file's header states it.

    Raises:
        WrongModelError: no readable built-in model has this id; the message names damaged ones.
    """
    known, damaged = _known()
    if model_id.hex() not in known:
        beside = "".join(f"; {fault}" for fault in damaged)
        raise WrongModelError(
            f"made with model {model_id.hex()}, which is not built in; name its folder with --model{beside}"
        )
    return known[model_id.hex()]


def _known() -> tuple[dict[str, Path], list[str]]:
    """The folders by id, and an error message for each damaged model."""
    from cvqn.codecs.description import describe  # imports pydantic, which `cvqn --help` need not wait for

    found: dict[str, Path] = {}
    damaged = []
    for quality in qualities():
        folder = folder_of_quality(quality)
        try:
            found[describe(folder).model_id] = folder
        except CvqnError as error:
            damaged.append(str(error))
    return found, damaged
