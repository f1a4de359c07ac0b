"""Crops for figure 4, cut from pictures that are decoded from their files."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cvqn.codecs import registry
from cvqn.compression import StoredCodec
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.images import write_png
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.archive import read_archive
from cvqn.lab.provenance.plan import Plan

COLUMNS = (
    "image", "codec", "setting", "bpp", "ms_ssim", "psnr_db", "left", "top", "width", "height", "file", "measurements",
    "bitstreams",
)  # fmt: skip


def cut_crops(plan: Plan, index: str | Path, output: str | Path, device: str = "cpu") -> None:
    """Write `<image>-<codec>.png` for the original and every codec of figure 4, and crops.csv, which describes them.

    The first run of the figure's experiment is shown. For each other codec, the picture is taken at the quality whose
    rate on that image is nearest. Rates and distortions in crops.csv are those of the whole picture, from the
    measurements.

    Args:
        index: index.json of the evaluation set.
        output: folder to write into.
        device: of the trained models' transforms.

    Raises:
        CvqnError: a measurement, an archive or an image is missing, or a box does not fit its image.
    """
    figure, results = plan.configuration.report.figure4, plan.results
    codecs = plan.configuration.figure4_runs()
    models = {
        (codec, run.name): StoredCodec(results.model(run.training, run.checkpoint), device)
        for codec, runs in codecs.items()
        for run in runs
    }
    rows = [row for codec, name in models for row in _read(results.measurements(codec, name))]
    rows += [row for codec, runs in codecs.items() if not runs for row in _read(results.measurements(codec))]
    images = {image.name: image for image in read_index(index)}
    written = []
    for wanted in figure.images:
        name, box = wanted.name, wanted.box
        if name not in images:
            raise CvqnError(
                f"{index}: has no image {name}, which report.figure4.images names; it has {', '.join(images)}"
            )
        original = images[name].read()
        written.append(_row(name, "original", box, {}, file=_cut(original, box, Path(output), name, "original")))
        bpp = float(_nearest(rows, name, [*codecs][-1], 0.0)["bpp"])
        for codec in codecs:
            chosen = _nearest(rows, name, codec, bpp)
            archive = results.archive(codec, chosen["setting"])
            decoder = models.get((codec, chosen["setting"])) or registry.conventional(codec)
            decoded = decoder.decode(read_archive(archive).file(name))
            file = _cut(decoded, box, Path(output), name, codec)
            written.append(_row(name, codec, box, chosen, file=file, bitstreams=archive))
    with atomic_write(Path(output) / "crops.csv", "w") as table:
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(written)


def _row(image: str, codec: str, box: Sequence[int], measured: Mapping[str, str], **files: str) -> dict[str, object]:
    place = dict(zip(("left", "top", "width", "height"), box, strict=True))
    return {**dict.fromkeys(COLUMNS, ""), **measured, "image": image, "codec": codec, **place, **files}


def _read(path: str | Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror}); run cvqn measure first") from error
    if not rows or {"codec", "setting", "image", "bpp", "ms_ssim"} - set(rows[0]):
        raise CvqnError(f"{path}: not a table of cvqn measure")
    columns = ("codec", "setting", "image", "bpp", "ms_ssim", "psnr_db")
    return [{**{key: row[key] for key in columns}, "measurements": str(path)} for row in rows]


def _nearest(rows: list[dict], image: str, codec: str, bpp: float) -> dict:
    found = [row for row in rows if (row["image"], row["codec"]) == (image, codec)]
    if not found:
        raise CvqnError(f"{codec} was not measured on {image}; run cvqn measure or cvqn evaluate on it first")
    return min(found, key=lambda row: abs(float(row["bpp"]) - bpp))


def _cut(picture: np.ndarray, box: Sequence[int], folder: Path, image: str, codec: str) -> str:
    left, top, width, height = box
    if top + height > picture.shape[0] or left + width > picture.shape[1] or min(width, height) < 1:
        raise CvqnError(
            f"{image}: the box {list(box)} of report.figure4 does not fit {picture.shape[1]}x{picture.shape[0]} pixels"
        )
    file = f"{image}-{codec}.png"
    write_png(folder / file, np.ascontiguousarray(picture[top : top + height, left : left + width]))
    return file
