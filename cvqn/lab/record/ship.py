"""Makes trained models the built-in ones, for `cvqn compress --quality`."""

import csv
import json
import shutil
import tempfile
from pathlib import Path
from statistics import fmean

from cvqn.codecs import shipped
from cvqn.codecs.description import describe
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.lab.data.manifest import read_manifest
from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.settings.configuration import read
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run


def ship(results: Path, manifests: Path = Path("data/manifests")) -> list[Path]:
    """Make the models of a scale's rate-distortion curve the only built-in ones, and return their folders.

    Qualities rise with the measured rate. Each model's description gets its training images, training time and machine.

    Raises:
        CvqnError: a model or its measurements are missing; then nothing is replaced.
    """
    paths = Results(str(results))
    configuration = read(paths.config)
    runs = [Run(name, configuration.seeds[0]) for name in configuration.report.rate_curve]
    names = [run.training for run in runs]
    tables = {run: paths.measurements(configuration.experiments[run.experiment].codec, run.name) for run in runs}
    needed = [[*paths.model_files(name, "last"), f"{paths.training(name)}/{FILE}"] for name in names]
    missing = [path for files in (*needed, tables.values()) for path in files if not Path(path).is_file()]
    if missing:
        raise CvqnError(f"{missing[0]}: missing; train and evaluate the whole rate curve first")
    runs.sort(key=lambda run: _rate(tables[run]))
    shipped.FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shipped.FOLDER, prefix=".", suffix=".part") as made:
        for quality, run in enumerate(runs, 1):
            _make(run, paths, manifests, Path(made, f"quality-{quality}"))
        return _swap(Path(made), shipped.FOLDER)


def _rate(table: str) -> float:
    """The mean rate in a run's measurements, bits per pixel."""
    try:
        with open(table, encoding="utf-8", newline="") as file:
            return fmean(float(row["bpp"]) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise CvqnError(f"{table}: not a table of cvqn evaluate ({error}); evaluate the run again") from error


def _make(run: Run, paths: Results, manifests: Path, folder: Path) -> None:
    """Write the built-in model of a run into a new folder."""
    source = Path(paths.model(run.training, "last"))
    description = describe(source).plain()
    provenance = read_provenance(paths.training(run.training))
    images = provenance.training_images
    sets = [one.model_dump() | {"licence": read_manifest(one.name, manifests).licence} for one in images.sets]
    description["about"] |= {
        "training_images": {"count": images.count, "pack_sha256": images.pack_sha256, "sets": sets},
        "training_seconds": round(provenance.all_seconds),
        "training_machine": provenance.machines,
        "torch": provenance.libraries["torch"],
    }
    with open(source / "model.safetensors", "rb") as tensors, atomic_write(folder / "model.safetensors") as file:
        shutil.copyfileobj(tensors, file)
    with atomic_write(folder / "model.json", "w") as file:
        json.dump(description, file, indent=1)


def _swap(made: Path, target: Path) -> list[Path]:
    """Replace the old models by the new ones; on any exception, put the old ones back."""
    new, old = sorted(made.iterdir()), sorted(target.glob("quality-*"))
    aside = made / "old"
    aside.mkdir()
    try:
        for folder in old:
            folder.rename(aside / folder.name)
        return [folder.rename(target / folder.name) for folder in new]
    except BaseException:
        for folder in new:
            if not folder.exists():
                shutil.rmtree(target / folder.name)
        for folder in aside.iterdir():
            folder.rename(target / folder.name)
        raise
