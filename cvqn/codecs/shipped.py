"""The trained models that come with the program, `cvqn/models/quality-1` and up by rising rate."""

import json
import shutil
from pathlib import Path

from cvqn.bitstream.errors import WrongModelError
from cvqn.errors import CvqnError
from cvqn.files import atomic_write

FOLDER = Path(__file__).parent / "models"
DEFAULT_QUALITY = 3


def qualities() -> list[int]:
    """The qualities that there are, by rising rate."""
    return sorted(int(path.parent.name.rpartition("-")[2]) for path in FOLDER.glob("quality-*/model.json"))


def folder_of_quality(quality: int) -> Path:
    """The model folder of a quality.

    Raises:
        CvqnError: there is none.
    """
    if quality not in qualities():
        known = ", ".join(map(str, qualities())) or "none"
        raise CvqnError(f"quality {quality}: not among those that come with the program ({known}); or use --model")
    return FOLDER / f"quality-{quality}"


def folder_of_model(model_id: bytes) -> Path:
    """The folder of the shipped model with this id, as a file's header states it.

    Raises:
        WrongModelError: it is none of the shipped.
    """
    for quality in qualities():
        folder = folder_of_quality(quality)
        if json.loads((folder / "model.json").read_text(encoding="utf-8"))["model_id"] == model_id.hex():
            return folder
    raise WrongModelError(
        f"made with model {model_id.hex()}, which does not come with this program; name its folder with --model"
    )


def ship(results: Path) -> list[Path]:
    """Make the rate curve of a scale's results the only shipped models, and say in each what it was trained on.

    Raises:
        CvqnError: a model is missing; nothing has been replaced then.
    """
    from cvqn.lab.settings.configuration import ROOT, read
    from cvqn.lab.data.manifest import read_manifest

    config = read(results / "config.yaml")
    runs = [results / "runs" / f"{name}-seed{config['seeds'][0]}" for name in config["report"]["rate_curve"]]
    names = ("model/model.json", "model/model.safetensors", "provenance.json")
    missing = [run / name for run in runs for name in names if not (run / name).is_file()]
    if missing:
        raise CvqnError(f"{missing[0]}: missing; train the whole rate curve first")
    folders = []
    for quality, run in enumerate(runs, 1):
        folder = FOLDER / f"quality-{quality}"
        with (
            open(run / "model" / "model.safetensors", "rb") as tensors,
            atomic_write(folder / "model.safetensors") as file,
        ):
            shutil.copyfileobj(tensors, file)
        description = json.loads((run / "model" / "model.json").read_text(encoding="utf-8"))
        provenance = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
        images = provenance["training_images"]
        for part in images["sets"]:
            part["licence"] = read_manifest(part["name"], ROOT / "data" / "manifests").licence
        description["about"]["training_images"] = images
        with atomic_write(folder / "model.json", "w") as file:
            json.dump(description, file, indent=1)
        folders.append(folder)
    for folder in set(FOLDER.glob("quality-*")) - set(folders):
        shutil.rmtree(folder)
    return folders
