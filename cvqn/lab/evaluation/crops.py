"""Crops for figure 4, cut from pictures that are decoded from their files."""

import csv
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cvqn.lab.data.index import read_index
from cvqn.errors import CvqnError
from cvqn.codecs.interface import Codec
from cvqn.files import atomic_write
from cvqn.images import write_png

COLUMNS = (
    "image", "codec", "setting", "bpp", "ms_ssim", "psnr_db", "left", "top", "width", "height", "file", "measurements",
    "bitstreams",
)  # fmt: skip


def cut_crops(
    pictures: Sequence[Mapping], run: str, codecs: Mapping[str, Codec], index: str | Path,
    measurements: Sequence[str | Path], bitstreams: Sequence[str | Path], output: str | Path,
) -> None:  # fmt: skip
    """Write `<image>-<codec>.png` for the original and every codec, and crops.csv, which tells what they are.

    A codec's picture is the one whose rate is nearest to that of `run` on the same image. Rates and distortions in
    crops.csv are of the whole picture, from the measurements.

    Args:
        pictures: report.figure4.images of the configuration: name and box [left, top, width, height].
        run: the run of CVQN.
        codecs: by name, in the order of the figure; `cvqn`, with the run's model, among them.
        index: index.json of the evaluation set.
        measurements: CSVs of `cvqn measure`, those of the run and of every codec among them.
        bitstreams: the archives that were measured.
        output: folder to write.

    Raises:
        CvqnError: a measurement, an archive or an image is missing, or a box does not fit its image.
    """
    images = {image.name: image for image in read_index(index)}
    rows = [row | {"measurements": str(path)} for path in measurements for row in _read(path)]
    archives = {(Path(path).parent.name, Path(path).stem): Path(path) for path in bitstreams}
    written = []
    for wanted in pictures:
        name, box = wanted["name"], wanted["box"]
        if name not in images:
            raise CvqnError(
                f"{index}: has no image {name}, which report.figure4.images names; it has {', '.join(images)}"
            )
        original = images[name].read()
        written.append(_row(name, "original", box, {}, file=_cut(original, box, Path(output), name, "original")))
        own = _only(rows, name, "cvqn", run)
        for codec in codecs:
            chosen = own if codec == "cvqn" else _nearest(rows, name, codec, float(own["bpp"]))
            archive = archives.get((codec, chosen["setting"]))
            if archive is None:
                raise CvqnError(f"the archive of {codec} at {chosen['setting']} is missing; give it with --bitstreams")
            decoded = codecs[codec].decode(_member(archive, name))
            file = _cut(decoded, box, Path(output), name, codec)
            written.append(_row(name, codec, box, chosen, file=file, bitstreams=str(archive)))
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
    return [{key: row[key] for key in ("codec", "setting", "image", "bpp", "ms_ssim", "psnr_db")} for row in rows]


def _only(rows: list[dict], image: str, codec: str, setting: str) -> dict:
    found = [row for row in rows if (row["image"], row["codec"], row["setting"]) == (image, codec, setting)]
    if len(found) != 1:
        raise CvqnError(
            f"{codec} {setting} on {image}: {len(found)} measurements, there must be one; check --measurements"
        )
    return found[0]


def _nearest(rows: list[dict], image: str, codec: str, bpp: float) -> dict:
    found = [row for row in rows if (row["image"], row["codec"]) == (image, codec)]
    if not found:
        raise CvqnError(f"{codec} was not measured on {image}; give its table with --measurements")
    return min(found, key=lambda row: abs(float(row["bpp"]) - bpp))


def _member(archive: Path, image: str) -> bytes:
    try:
        with tarfile.open(archive, mode="r:") as opened:
            found = [member for member in opened if Path(member.name).stem == image]
            return opened.extractfile(found[0]).read()
    except (OSError, tarfile.TarError, IndexError) as error:
        raise CvqnError(f"{archive}: holds no readable file of {image} ({error}); encode again") from error


def _cut(picture: np.ndarray, box: Sequence[int], folder: Path, image: str, codec: str) -> str:
    left, top, width, height = box
    if top + height > picture.shape[0] or left + width > picture.shape[1] or min(width, height) < 1:
        raise CvqnError(
            f"{image}: the box {list(box)} of report.figure4 does not fit {picture.shape[1]}x{picture.shape[0]} pixels"
        )
    file = f"{image}-{codec}.png"
    write_png(folder / file, np.ascontiguousarray(picture[top : top + height, left : left + width]))
    return file
