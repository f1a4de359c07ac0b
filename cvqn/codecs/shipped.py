"""The built-in models, `cvqn/models/quality-1` and up by rising rate."""

from pathlib import Path

from cvqn.bitstream.errors import WrongModelError
from cvqn.errors import CvqnError

FOLDER = Path(__file__).parents[1] / "models"
DEFAULT_QUALITY = 3


def qualities() -> list[int]:
    """The qualities that there are, by rising rate; 1 gives the smallest files."""
    return sorted(int(path.parent.name.rpartition("-")[2]) for path in FOLDER.glob("quality-*/model.json"))


def folder_of_quality(quality: int) -> Path:
    """The model folder of a quality.

    Raises:
        CvqnError: there is none.
    """
    if quality not in qualities():
        known = ", ".join(map(str, qualities())) or "none"
        raise CvqnError(f"quality {quality}: no such built-in model ({known}); or use --model")
    return FOLDER / f"quality-{quality}"


def folders() -> dict[str, Path]:
    """The folder of each shipped model by its id in hexadecimal digits.

    Raises:
        CvqnError: one is damaged.
    """
    from cvqn.codecs.description import describe  # brings pydantic, for which `cvqn --help` need not wait

    found = [folder_of_quality(quality) for quality in qualities()]
    return {describe(folder).model_id: folder for folder in found}


def folder_of_model(model_id: bytes) -> Path:
    """The folder of the shipped model with this id, as a file's header states it.

    Raises:
        WrongModelError: it is none of the shipped.
        CvqnError: a shipped model is damaged.
    """
    known = folders()
    if model_id.hex() not in known:
        raise WrongModelError(
            f"made with model {model_id.hex()}, which is no built-in one; name its folder with --model"
        )
    return known[model_id.hex()]
