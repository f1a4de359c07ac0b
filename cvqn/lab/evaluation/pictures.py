"""Decodes whole pictures from archives of bitstreams into lossless WebP files, for the report page."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from tqdm import tqdm

from cvqn.codecs import registry
from cvqn.codecs.interface import Codec
from cvqn.files import atomic_write
from cvqn.lab.data.index import Image
from cvqn.lab.evaluation.archive import Archive, read_archive

EFFORT = {"lossless": True, "method": 1, "quality": 20}
"""Options of Pillow's WebP encoder: files a tenth larger than at its best, in an eighth of the time."""
THUMBNAIL = 160  # pixels of the longer side


@dataclass(frozen=True)
class Wanted:
    """A picture to decode.

    Attributes:
        image: its name in the evaluation set.
        archive: the bitstreams.
        codec: the name of the codec.
        model: the folder of the trained model that decodes it; None for a conventional codec.
        output: the WebP file to write.
    """

    image: str
    archive: str
    codec: str
    model: str | None
    output: Path

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that the picture is made from."""
        return (self.archive,) if self.model is None else (self.archive, f"{self.model}/model.safetensors")


def decode_pictures(wanted: Sequence[Wanted]) -> None:
    """Decode every picture whose file is missing, or older than its sources.

    Raises:
        CvqnError: an archive or a model is missing or damaged.
    """
    old = sorted((one for one in wanted if _is_old(one.output, one.sources)), key=lambda one: (one.codec, one.archive))
    loaded: tuple[tuple[str, str | None], Codec] | None = None
    archive: Archive | None = None
    with ThreadPoolExecutor(1) as writer:  # writes one picture while the next is decoded
        written = []
        for one in tqdm(old, desc="decode pictures", unit="image", disable=None):
            if loaded is None or loaded[0] != (one.codec, one.model):
                loaded = (one.codec, one.model), _load(one)
            if archive is None or archive.path != Path(one.archive):
                archive = read_archive(one.archive)
            picture = loaded[1].decode(archive.file(one.image))
            written.append(writer.submit(write_webp, one.output, picture))
        for one in written:
            one.result()


def write_originals(images: Iterable[Image], folder: Path) -> None:
    """Write `<image>/original.webp` and a small `<image>/thumbnail.webp` of every image, unless they are up to date.

    Raises:
        CvqnError: an image is damaged.
    """
    for image in images:
        original, small = folder / image.name / "original.webp", folder / image.name / "thumbnail.webp"
        if _is_old(original, [str(image.path)]) or not small.exists():
            picture = image.read()
            write_webp(original, picture)
            thumbnail = Pillow.fromarray(picture)
            thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
            with atomic_write(small) as file:
                thumbnail.save(file, "WEBP", quality=80)


def write_webp(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 `[H, W, 3]`, as lossless WebP."""
    with atomic_write(path) as file:
        Pillow.fromarray(picture).save(file, "WEBP", **EFFORT)


def _load(one: Wanted) -> Codec:
    if one.model is None:
        return registry.conventional(one.codec)
    from cvqn.compression import StoredCodec  # torch, which conventional codecs do without

    return StoredCodec(one.model)


def _is_old(output: Path, sources: Iterable[str]) -> bool:
    """Whether a picture is missing, or older than what it is made from or than this code."""
    made_from = (*sources, __file__)
    return not output.exists() or any(os.path.getmtime(one) > output.stat().st_mtime for one in made_from)
