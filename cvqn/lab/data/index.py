"""The index of a set of images on disk: `index.json` beside the image files."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.images import decode_picture


@dataclass(frozen=True)
class Image:
    """One image of a set. `width` and `height` are pixels as displayed, `bytes` and `sha256` are of the file."""

    name: str
    path: Path
    width: int
    height: int
    bytes: int
    sha256: str
    pixels_sha256: str
    licence: str

    def read(self) -> np.ndarray:
        """The picture, uint8 `[H, W, 3]`.

        Raises:
            CvqnError: the file is missing, is not the one that was indexed, or cannot be decoded.
        """
        return decode_picture(self._bytes(), self.path)

    def verify(self) -> None:
        """Compare the file's checksum with the index.

        Raises:
            CvqnError: the file is missing or is not the one that was indexed.
        """
        self._bytes()

    def _bytes(self) -> bytes:
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise CvqnError(f"{self.path}: cannot be read ({error.strerror}); fetch the set again") from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise CvqnError(f"{self.path}: sha256 is {found}, expected {self.sha256}; fetch the set again")
        return data


def pixels_sha256(picture: np.ndarray) -> str:
    """SHA-256 of a picture's bytes, row-major `[H, W, 3]`, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()


def describe(path: Path, licence: str) -> Image:
    """The index entry of an image file, from its bytes and its pixels.

    Raises:
        CvqnError: the file is not a readable picture.
    """
    data = path.read_bytes()
    picture = decode_picture(data, path)
    height, width, _ = picture.shape
    digest = hashlib.sha256(data).hexdigest()
    return Image(path.stem, path, width, height, len(data), digest, pixels_sha256(picture), licence)


def read_index(path: str | Path) -> list[Image]:
    """The images of a set, sorted by name, from its `index.json`; their files are checked when they are read.

    Raises:
        CvqnError: no index there, or not one that `cvqn data fetch` wrote.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = [_entry(fields, path.parent) for fields in content["images"]]
    except FileNotFoundError as error:
        raise CvqnError(f"{path}: no such index; get the set with: cvqn data fetch {path.parent.name}") from error
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CvqnError(f"{path}: not an index of images ({error!r}); fetch the set again") from error
    return sorted(images, key=lambda image: image.name)


def set_name(path: str | Path) -> str:
    """The name of the set that an `index.json` describes."""
    return _head(path, "set")


def manifest_sha256(path: str | Path) -> str:
    """The checksum of the manifest that an `index.json` was made from."""
    return _head(path, "manifest_sha256")


def write_index(path: Path, set_name: str, manifest_sha256: str, images: Iterable[Image]) -> None:
    """Write `index.json`; the image files lie in the same folder."""
    entries = []
    for image in sorted(images, key=lambda image: image.name):
        fields = asdict(image)
        fields["path"] = image.path.name
        entries.append({"file" if key == "path" else key: value for key, value in fields.items()})
    with atomic_write(path, "w") as file:
        json.dump({"set": set_name, "manifest_sha256": manifest_sha256, "images": entries}, file, indent=1)
        file.write("\n")


def _head(path: str | Path, key: str) -> str:
    return str(json.loads(Path(path).read_text(encoding="utf-8")).get(key, ""))


def _entry(fields: dict, folder: Path) -> Image:
    file = fields["file"]
    if Path(file).name != file or file in ("", ".", ".."):
        raise ValueError(f"{file!r} is not a plain file name")
    values = {key: fields[key] for key in ("name", "sha256", "pixels_sha256", "licence")}
    sizes = {key: int(fields[key]) for key in ("width", "height", "bytes")}
    if min(sizes.values()) < 1 or not all(isinstance(value, str) for value in values.values()):
        raise ValueError(f"bad values for {file!r}")
    return Image(path=folder / file, **values, **sizes)
