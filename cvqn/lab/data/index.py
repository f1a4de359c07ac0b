"""The index of a set of images on disk: `index.json` beside the image files."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from cvqn.documents import Strict, problem, read_checked
from cvqn.errors import CvqnError, SeveralErrors
from cvqn.files import atomic_write
from cvqn.images import decode_picture
from cvqn.lab.data.fields import Count, FileName, SetName, Sha256, Side
from cvqn.lab.data.workers import parallel


class Image(Strict):
    """One image of a set. `width` and `height` are pixels as displayed, `bytes` and `sha256` are of the file."""

    name: FileName
    file: FileName
    width: Side
    height: Side
    bytes: Count
    sha256: Sha256
    pixels_sha256: Sha256
    licence: str
    _folder: Path = PrivateAttr(Path())

    @property
    def path(self) -> Path:
        """The image file."""
        return self._folder / self.file

    def read(self) -> np.ndarray:
        """The picture, uint8 `[H, W, 3]`.

        Raises:
            CvqnError: the file is missing, is not the one that was indexed, cannot be decoded or has another size.
        """
        picture = decode_picture(self.contents(), self.path)
        if picture.shape != (self.height, self.width, 3):
            found, said = f"{picture.shape[1]}x{picture.shape[0]}", f"{self.width}x{self.height}"
            raise CvqnError(f"{self.path}: {found} pixels, its index says {said}; remove the folder, then fetch again")
        return picture

    def contents(self) -> bytes:
        """The file's bytes.

        Raises:
            CvqnError: the file is missing or is not the one that was indexed.
        """
        data = _read(self.path)
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise CvqnError(f"{self.path}: sha256 is {found}, expected {self.sha256}; fetch the set again")
        return data


class Index(Strict):
    """What `index.json` holds."""

    set: SetName
    manifest_sha256: str
    images: list[Image] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> "Index":
        if len({image.name for image in self.images}) < len(self.images):
            raise ValueError("two images have one name")
        return self


def pixels_sha256(picture: np.ndarray) -> str:
    """SHA-256 of a picture's bytes, row-major `[H, W, 3]`, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()


def describe(path: Path, licence: str) -> Image:
    """The index entry of an image file, from its bytes and its pixels.

    Raises:
        CvqnError: the file is not a readable picture, or its name is not allowed in an index.
    """
    data = _read(path)
    picture = decode_picture(data, path)
    height, width, _ = picture.shape
    facts = {"width": width, "height": height, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    names = {"name": path.stem, "file": path.name, "licence": licence}
    try:
        image = Image(**names, **facts, pixels_sha256=pixels_sha256(picture))
    except ValidationError as error:
        raise CvqnError(f"{str(path)!r}: {problem(error)}") from error
    image._folder = path.parent
    return image


def describe_all(files: Sequence[tuple[Path, str]], label: str) -> list[Image]:
    """The index entries of image files, each given with its licence; the files are decoded on all cores.

    Raises:
        SeveralErrors: some files cannot be used.
    """

    def entry_or_error(file: tuple[Path, str]) -> Image | CvqnError:
        try:
            return describe(*file)
        except CvqnError as error:
            return error

    found = list(parallel(entry_or_error, files, label))
    if wrong := [str(one) for one in found if isinstance(one, CvqnError)]:
        raise SeveralErrors(*wrong)
    return found


def read_index(path: str | Path) -> list[Image]:
    """The images of a set, sorted by name, from its `index.json`; their files are checked when they are read.

    Raises:
        CvqnError: the index is missing, or is not one that `cvqn data fetch` wrote.
    """
    images = _index(path).images
    for image in images:
        image._folder = Path(path).parent
    return sorted(images, key=lambda image: image.name)


def set_name(path: str | Path) -> str:
    """The name of the set that an `index.json` describes."""
    return _index(path).set


def manifest_sha256(path: str | Path) -> str:
    """The checksum of the manifest that an `index.json` was made from."""
    return _index(path).manifest_sha256


def write_index(path: Path, set_name: str, manifest_sha256: str, images: Iterable[Image]) -> None:
    """Write `index.json`; the image files are in the same folder."""
    entries = [image.model_dump() for image in sorted(images, key=lambda image: image.name)]
    with atomic_write(path, "w") as file:
        json.dump({"set": set_name, "manifest_sha256": manifest_sha256, "images": entries}, file, indent=1)
        file.write("\n")


def _index(path: str | Path) -> Index:
    return read_checked(Index, Path(path), f"get the set with: cvqn data fetch {Path(path).parent.name}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error
