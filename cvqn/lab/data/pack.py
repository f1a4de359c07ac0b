"""Packs: the decoded images of one or more sets in a single memory-mapped file, which any number of jobs can share.

`<name>.npy` is a one-dimensional uint8 array: the pixels of every image, row-major `[H, W, 3]`, one image after the
other. `<name>.json` beside it lists the images.
"""

import contextlib
import glob
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from cvqn.documents import Strict, read_checked
from cvqn.errors import CvqnError
from cvqn.files import atomic_write, place, sha256_file
from cvqn.lab.data import duplicates
from cvqn.lab.data.duplicates import Excluded, thumbnail
from cvqn.lab.data.fields import SetName, Sha256
from cvqn.lab.data.index import Image, pixels_sha256, read_index, set_name
from cvqn.lab.data.workers import parallel

ABANDONED = 900.0  # seconds without a write after which a temporary file is taken to be left by a killed process


class Member(Image):
    """One image of a pack, as its set's index describes it."""

    set: SetName


class Contents(Strict):
    """What `<name>.json` holds: the images in their order, and the checksum of `<name>.npy`."""

    images: list[Member] = Field(min_length=1)
    sha256: Sha256


class Pack:
    """Images in a memory-mapped file; indexing gives read-only views `[H, W, 3]`.

    Attributes:
        pixels: every image's pixels, uint8, one dimension.
        names: set and name of each image, `set/name`.
        pixels_sha256s: checksum of each image's pixels.
        sizes: height and width of each image, int64 `[N, 2]`.
        offsets: where each image begins in `pixels`, int64 `[N]`.
    """

    def __init__(self, pixels: np.ndarray, images: list[dict]):
        self.pixels = pixels
        self.names = [f"{image['set']}/{image['name']}" for image in images]
        self.pixels_sha256s = [image["pixels_sha256"] for image in images]
        self.sizes = np.array([[image["height"], image["width"]] for image in images], np.int64)
        self.offsets = np.cumsum([0, *self.sizes.prod(1) * 3], dtype=np.int64)[:-1]
        self._views = [
            pixels[offset : offset + height * width * 3].reshape(height, width, 3)
            for offset, (height, width) in zip(self.offsets, self.sizes, strict=True)
        ]

    @classmethod
    def open(cls, path: str | Path) -> "Pack":
        """Map `<name>.npy`; pixels are read on demand.

        Raises:
            CvqnError: the pack or its index is missing, or they do not belong together.
        """
        path, advice = Path(path), "make it with: cvqn data pack"
        images = read_checked(Contents, path.with_suffix(".json"), advice).images
        header, total = _header(images)
        try:
            with open(path, "rb") as file:
                whole = file.read(len(header)) == header and file.seek(0, os.SEEK_END) == len(header) + total
        except OSError:
            whole = False
        if not whole:
            raise CvqnError(f"{path}: missing, or not the pack that its index describes; {advice}")
        pixels = np.memmap(path, np.uint8, "r", len(header), (total,)).view(np.ndarray)
        return cls(pixels, [image.model_dump() for image in images])

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, image: int) -> np.ndarray:
        return self._views[image]

    def crops(self, specs: Sequence, size: int, out: np.ndarray | None = None) -> np.ndarray:
        """Copies of squares, uint8 `[B, size, size, 3]`, into `out` if given.

        An image smaller than the square is extended by its last row and column.

        Args:
            specs: image, top and left of each square, `[B, 3]`; top is 0 to max(height - size, 0), left likewise.
            size: side in pixels.

        Raises:
            IndexError: a square is outside its image.
        """
        out = np.empty((len(specs), size, size, 3), np.uint8) if out is None else out
        for square, (image, top, left) in zip(out, specs, strict=True):
            view = self._views[image]
            height, width = min(view.shape[0], size), min(view.shape[1], size)
            if not (0 <= top <= view.shape[0] - height and 0 <= left <= view.shape[1] - width):
                raise IndexError(f"{self.names[image]}: no square of {size} at {top}, {left} in {view.shape[:2]}")
            square[:height, :width] = view[top : top + height, left : left + width]
            square[:height, width:] = square[:height, width - 1 : width]
            square[height:] = square[height - 1]
        return out


def pack(indexes: Sequence[Path], output: Path, exclude: Sequence[Path] = (), workers: int | None = None) -> None:
    """Decode the images of sets into one pack.

    The pack appears only when it is complete, so several processes may make it at once; an interrupted run starts over.
    A second link to it is kept in `.<name>.whole`. Snakemake deletes outputs before it runs a job. If two clones
    share the folder, one can delete the pack that the other has just made; the second link restores it.

    Args:
        indexes: `index.json` of each set.
        output: the pack, `<name>.npy`.
        exclude: `index.json` of sets whose photographs must not be in the pack, whatever their file or orientation.

    Raises:
        CvqnError: an image is damaged, or is one of the excluded (both are named), or the disk is full.
    """
    if output.suffix != ".npy":
        raise CvqnError(f"{output}: a pack's name ends in .npy")
    unwanted = [image for index in exclude for image in read_index(index)]
    excluded = Excluded(unwanted)
    members = [(set_name(index), image) for index in indexes for image in read_index(index)]
    images = [image for _, image in members]
    for image in images:
        excluded.refuse_pixels(image)
    _remove_abandoned(output)
    entries = [{**image.model_dump(), "set": name} for name, image in members]
    sources = json.dumps([entries, [image.pixels_sha256 for image in unwanted]]).encode()
    code = b"".join(Path(module).read_bytes() for module in (__file__, duplicates.__file__))
    digest = hashlib.sha256(sources + code).hexdigest()
    kept = output.parent / f".{output.stem}.whole"
    if _put_back(kept, digest, output):
        return
    sidecar = output.with_suffix(".json")
    with atomic_write(sidecar, "w") as index, atomic_write(output) as file:
        header, total = _header(images)
        if total > (free := shutil.disk_usage(output.parent).free):
            raise CvqnError(f"{output}: needs {total:,} bytes, {free:,} are free; make room")
        os.posix_fallocate(file.fileno(), 0, len(header) + total)
        file.write(header)
        checksum = hashlib.sha256(header)
        pictures = parallel(_decode, images, f"pack {output.name}", workers)
        for image, (picture, small) in zip(images, pictures, strict=True):
            excluded.refuse_alike(image, small)
            file.write(picture)
            checksum.update(picture)
        text = json.dumps({"images": entries, "sha256": checksum.hexdigest()}, indent=1) + "\n"
        index.write(text)
        index.flush()
        with contextlib.suppress(FileNotFoundError):
            if sidecar.read_bytes() != text.encode():
                sidecar.unlink()  # never the index of one pack beside another
    _keep(kept, digest, output)


def _keep(kept: Path, digest: str, output: Path) -> None:
    """Link a pack into a folder named by its sources and this code; where the file system has no links, keep none."""
    shutil.rmtree(kept, ignore_errors=True)
    with contextlib.suppress(OSError):
        (kept / digest).mkdir(parents=True)
        for path in (output, output.with_suffix(".json")):
            os.link(path, kept / digest / path.name)


def _put_back(kept: Path, digest: str, output: Path) -> bool:
    """Put a kept pack of the same images back in its place; returns whether there was an undamaged one."""
    pixels, index = kept / digest / output.name, kept / digest / output.with_suffix(".json").name
    if not (pixels.is_file() and index.is_file()):
        return False
    with contextlib.suppress(CvqnError, OSError):  # another process may be removing it
        if sha256_file(pixels) == read_checked(Contents, index, "").sha256:
            sidecar = output.with_suffix(".json")
            if not sidecar.is_file() or sidecar.read_bytes() != index.read_bytes():
                sidecar.unlink(missing_ok=True)  # never the index of one pack beside another
            place(pixels, output)
            place(index, sidecar)
            return True
    return False


def _header(images: Sequence[Image]) -> tuple[bytes, int]:
    """The header of the pack of these images, and how many bytes of pixels follow it."""
    total = sum(image.height * image.width * 3 for image in images)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (total,)})
    return header.getvalue(), total


def _decode(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """The picture of an image and its thumbnail."""
    picture = image.read()
    if pixels_sha256(picture) != image.pixels_sha256:
        raise CvqnError(f"{image.path}: other pixels than its index says; remove the set's folder, then fetch it again")
    return picture, thumbnail(picture)


def _remove_abandoned(output: Path) -> None:
    for part in output.parent.glob(f".{glob.escape(output.name)}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()
