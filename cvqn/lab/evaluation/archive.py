"""Archives of bitstreams: a tar with one file per image of a set, all by one codec at one setting."""

import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import JsonValue

from cvqn.documents import Strict, checked
from cvqn.errors import CvqnError
from cvqn.files import parse_json


class Made(Strict):
    """What wrote the files of an archive, which keeps it as JSON in its global comment.

    Attributes:
        quality: None of a learned codec, whose model is in `settings`.
        versions: those of the libraries that wrote the files.
    """

    codec: str
    quality: int | float | None
    versions: dict[str, str]
    settings: dict[str, JsonValue]


@dataclass(frozen=True)
class Archive:
    """An archive in memory.

    Attributes:
        suffix: that of its files' names, without the dot.
        files: bytes by image name.
    """

    path: Path
    made: Made
    suffix: str
    files: dict[str, bytes]

    def file(self, image: str) -> bytes:
        """The file of an image.

        Raises:
            CvqnError: there is none.
        """
        if image not in self.files:
            raise CvqnError(f"{self.path}: holds no file of {image}; encode again")
        return self.files[image]


def write_archive(output: IO[bytes], made: Made, suffix: str, files: Iterable[tuple[str, bytes]]) -> None:
    """Write `<image name>.<suffix>` for each name and content, without times and owners: equal files, equal bytes."""
    comment = {"comment": json.dumps(made.model_dump(), sort_keys=True)}
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT, pax_headers=comment) as archive:
        for name, data in files:
            member = tarfile.TarInfo(f"{name}.{suffix}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def read_archive(path: str | Path) -> Archive:
    """Read an archive.

    Raises:
        CvqnError: it is missing or damaged, or `write_archive` did not write it.
    """
    path = Path(path)
    try:
        with tarfile.open(path, mode="r:") as archive:
            made = checked(Made, parse_json(archive.pax_headers["comment"].encode(), "comment"), "comment")
            files = {Path(member.name): archive.extractfile(member).read() for member in archive}
    except (OSError, tarfile.TarError, KeyError, ValueError, AttributeError, CvqnError) as error:
        raise CvqnError(f"{path}: not an archive of `cvqn encode`, or damaged ({error}); encode again") from error
    suffix = next((name.suffix.removeprefix(".") for name in files), "")
    return Archive(path, made, suffix, {name.stem: data for name, data in files.items()})
