"""Decoded images of one or more sets in a single memory-mapped file that any number of jobs share.

`<name>.npy` is one array, uint8, one dimension: the pixels of every image, row-major `[H, W, 3]`, one image after the
other. `<name>.json` beside it says where each begins.
"""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvqn.lab.data.duplicates import Excluded, thumbnail
from cvqn.lab.data.index import Image, pixels_sha256, read_index, set_name
from cvqn.lab.data.workers import parallel
from cvqn.errors import CvqnError
from cvqn.files import atomic_write, sha256_file


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
        self.offsets = np.array([image["offset"] for image in images], np.int64)
        self._views = [
            pixels[offset : offset + height * width * 3].reshape(height, width, 3)
            for offset, (height, width) in zip(self.offsets, self.sizes, strict=True)
        ]

    @classmethod
    def open(cls, path: str | Path) -> "Pack":
        """Map `<name>.npy`; nothing is read yet.

        Raises:
            CvqnError: the pack or its index is missing, or they do not belong together.
        """
        path = Path(path)
        try:
            images = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["images"]
            pixels = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
            if pixels.dtype != np.uint8 or pixels.shape != (sum(i["height"] * i["width"] * 3 for i in images),):
                raise ValueError("the index describes another pack")
            return cls(pixels, images)
        except FileNotFoundError as error:
            raise CvqnError(f"{error.filename}: no such pack; make it with: cvqn data pack") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CvqnError(f"{path}: not a pack of images ({error}); make it again with: cvqn data pack") from error

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, image: int) -> np.ndarray:
        return self._views[image]

    def crop(self, image: int, top: int, left: int, size: int) -> np.ndarray:
        """A copy of one square, uint8 `[size, size, 3]`; see `crops`."""
        return self.crops([(image, top, left)], size)[0]

    def crops(self, specs: Sequence, size: int, out: np.ndarray | None = None) -> np.ndarray:
        """Copies of squares, uint8 `[B, size, size, 3]`, into `out` if given.

        An image smaller than the square is extended by its last row and column.

        Args:
            specs: image, top and left of each square, `[B, 3]`; top is 0 to max(height - size, 0), left likewise.
            size: side in pixels.

        Raises:
            IndexError: a square outside its image.
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
    """Decode the images of sets into one pack, on all cores, with at most two decoded images in memory a worker.

    The unfinished pack is `<name>.npy.part`. Interrupted, the next call goes on: what already lies there is known by
    its checksum.

    Args:
        indexes: `index.json` of each set.
        output: the pack, `<name>.npy`.
        exclude: `index.json` of sets whose photographs must not be in the pack, whatever their file or orientation.

    Raises:
        CvqnError: an image is damaged or excluded (both are named), or the disk is full.
    """
    if output.suffix != ".npy":
        raise CvqnError(f"{output}: a pack's name ends in .npy")
    excluded = Excluded([image for index in exclude for image in read_index(index)])
    members = [(set_name(index), image) for index in indexes for image in read_index(index)]
    for _, image in members:
        excluded.refuse_pixels(image)
    ends = np.cumsum([image.height * image.width * 3 for _, image in members], dtype=np.int64)
    offsets = [0, *ends.tolist()]
    part = output.with_name(output.name + ".part")
    begin, resuming = _reserve(part, offsets[-1])
    tasks = [(part, begin + offset, image, resuming) for offset, (_, image) in zip(offsets, members, strict=False)]
    for (_, image), small in zip(members, parallel(_place, tasks, f"pack {output.name}", workers), strict=True):
        excluded.refuse_alike(image, small)
    entries = [
        {"name": image.name, "set": name, "offset": offset, "height": image.height, "width": image.width}
        | {"pixels_sha256": image.pixels_sha256}
        for offset, (name, image) in zip(offsets, members, strict=False)
    ]
    _finish(part, output, entries)


def _reserve(part: Path, total: int) -> tuple[int, bool]:
    """Give the file its header and its full size on the disk; return where pixels begin, and whether there was one."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (total,)})
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        resuming = part.exists()
        with open(part, "r+b" if resuming else "w+b") as file:
            file.write(header.getvalue())
            file.truncate(header.tell() + total)
            os.posix_fallocate(file.fileno(), 0, header.tell() + total)
    except OSError as error:
        raise CvqnError(f"{part}: cannot reserve {total:,} bytes ({error.strerror}); make room") from error
    return header.tell(), resuming


def _place(task: tuple[Path, int, Image, bool]) -> np.ndarray:
    """Write one image's pixels to their place, unless they are there; return its thumbnail."""
    part, offset, image, resuming = task
    try:
        with open(part, "r+b", buffering=0) as file:
            if resuming:
                picture = np.fromfile(file, np.uint8, image.height * image.width * 3, offset=offset)
                picture = picture.reshape(image.height, image.width, 3)
                if pixels_sha256(picture) == image.pixels_sha256:
                    return thumbnail(picture)
            picture = image.read()
            if pixels_sha256(picture) != image.pixels_sha256:
                raise CvqnError(f"{image.path}: decodes to other pixels than its index says; fetch the set again")
            file.seek(offset)
            rest = memoryview(picture).cast("B")
            while rest:
                rest = rest[file.write(rest) :]
    except OSError as error:
        raise CvqnError(f"{part}: cannot write ({error.strerror}); run again to go on") from error
    return thumbnail(picture)


def _finish(part: Path, output: Path, entries: list[dict]) -> None:
    with open(part, "r+b") as file:
        os.fsync(file.fileno())
    checksum = sha256_file(part)
    sidecar = output.with_suffix(".json")
    sidecar.unlink(missing_ok=True)  # never the index of one pack beside another
    os.replace(part, output)
    with atomic_write(sidecar, "w") as file:
        json.dump({"images": entries, "sha256": checksum}, file, indent=1)
        file.write("\n")
