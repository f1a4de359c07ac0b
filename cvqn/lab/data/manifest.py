"""Manifests: where the files of a set come from, their checksums and licences (`data/manifests/<set>.yaml`)."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import yaml
from pydantic import Field, ValidationError, model_validator

from cvqn.documents import Strict, problem
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.images import list_pictures
from cvqn.lab.data import fields
from cvqn.lab.data.fields import Count, SetName, Sha256, Text
from cvqn.lab.data.index import describe_all
from cvqn.lab.settings.strict_yaml import read_yaml

RAW = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
KEYS = {  # by kind of manifest: required keys, optional keys, and required keys of each image
    "files": ({"images"}, {"folder", "base_url"}, {"bytes"}),
    "packages": ({"images"}, set(), {"bytes", "package", "path"}),
    "archive": ({"archive", "members", "count"}, set(), set()),
    "rebuilt": ({"images", "table", "commits"}, set(), {"repository", "path", "git_blob", "width", "height"}),
}


class Entry(Strict):
    """One image of a set: its file and, unless that is fetched as it is, what it is made from.

    It can be made from a file in an installed package, or by cropping a picture in a repository. In the latter case
    another JPEG library may write a file with another `sha256`; `pixels_sha256` is for the pixels alone.
    """

    file: fields.FileName
    sha256: Sha256
    bytes: Count | None = None
    licence: Text | None = None  # None: the licence of the set
    pixels_sha256: Sha256 | None = None
    package: fields.PackageName | None = None
    repository: fields.Repository | None = None
    path: fields.InnerPath | None = None
    git_blob: fields.Sha1 | None = None
    width: Annotated[fields.Side | None, Field(strict=False)] = None
    height: Annotated[fields.Side | None, Field(strict=False)] = None
    author: str = ""


class Archive(Strict):
    """A zip or tar file; `bytes` is None if its size is not published."""

    url: fields.ArchiveUrl
    unpacked_limit: Count
    bytes: Count | None = None
    sha256: Sha256 | None = None
    md5: fields.Md5 | None = None

    @model_validator(mode="after")
    def _is_pinned(self) -> "Archive":
        if not (self.sha256 or self.md5):
            raise ValueError("needs sha256 or md5")
        return self


class Manifest(Strict):
    """One set: either a list of `images`, or the files in an archive whose names match the pattern `members`."""

    name: SetName = Field(alias="set")
    title: Text
    licence: Text
    kind: Literal["files", "packages", "archive", "rebuilt"]
    folder: Text | None = None
    base_url: fields.BaseUrl | None = None
    images: list[Entry] = Field([], min_length=1)
    archive: Archive | None = None
    members: Text = ""
    count: Count | None = None
    table: SetName | None = None
    commits: dict[fields.Repository, fields.Commit] = Field({})

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> "Manifest":
        required, optional, of_images = KEYS[self.kind]
        given = self.model_fields_set - {"name", "title", "licence", "kind"}
        if wrong := (required - given) | (given - required - optional):
            raise ValueError(f"{', '.join(sorted(wrong))}: missing, or not for the kind {self.kind}")
        names = Counter(Path(image.file).stem.lower() for image in self.images)
        if twins := [image.file for image in self.images if names[Path(image.file).stem.lower()] > 1]:
            raise ValueError(f"{', '.join(twins)}: differ in case or suffix alone")
        for image in self.images:
            if missing := of_images - image.model_fields_set:
                raise ValueError(f"{image.file}: without {', '.join(sorted(missing))}")
            if image.repository not in (None, *self.commits):
                raise ValueError(f"{image.file}: no commit of {image.repository}")
        return self

    @property
    def image_count(self) -> int:
        """How many images there are."""
        return self.count or len(self.images)

    @property
    def sha256(self) -> str:
        """A checksum of everything that determines the images; titles and URLs do not affect it."""
        facts = [self.kind, self.image_count, self.members, self.archive and (self.archive.sha256 or self.archive.md5)]
        facts += [[one.file, one.sha256, one.pixels_sha256, one.licence or self.licence] for one in self.images]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @property
    def bytes(self) -> int | None:
        """Bytes to fetch, or None if unknown."""
        sizes = [one.bytes for one in self.images] or [self.archive.bytes]
        return None if None in sizes else sum(sizes)

    def url(self, image: Entry) -> str | None:
        """The URL of an image's file, or of the original of a rebuilt one; None if the manifest has none."""
        if self.kind == "rebuilt":
            commit = self.commits[image.repository]
            return RAW.format(repository=image.repository, commit=commit, path=quote(image.path))
        return self.base_url and self.base_url + quote(image.file)


def read_manifest(name: str, folder: Path) -> Manifest:
    """The manifest of the set `name` in a folder of manifests, and the table beside it, if it names one.

    Raises:
        CvqnError: there is no such set, or its manifest or table is invalid; the message names the key.
    """
    path = folder / f"{name}.yaml"
    if Path(name).name != name or not path.is_file():
        raise CvqnError(f"{name}: no manifest {path}; known sets: {', '.join(list_sets(folder))}")
    try:
        content = read_yaml(path)
        if content.get("table"):
            with open(folder / Path(str(content["table"])).name, encoding="utf-8", newline="") as table:
                content["images"] = list(csv.DictReader(table))
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise CvqnError(f"{path}: {problem(error)}") from error
    except (OSError, csv.Error, ValueError) as error:
        raise CvqnError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    if manifest.name != name:
        raise CvqnError(f"{path}: set: {manifest.name!r} is not the file's name")
    return manifest


def describe_folder(folder: Path, name: str, licence: str, manifests: Path) -> Path:
    """Write `<name>.yaml`, the manifest of the pictures directly in a folder; hidden files are left out.

    Raises:
        CvqnError: the manifest exists already, there is no picture, or some cannot be used (all are named).
    """
    path = manifests / f"{name}.yaml"
    if path.exists():
        raise CvqnError(f"{path}: is there already; remove it or choose another name")
    files = [(file, licence) for file in list_pictures(folder) if not file.name.startswith(".")]
    images = describe_all(files, f"describe {name}")
    content = {"set": name, "kind": "files", "title": f"photographs of {name}", "licence": licence}
    content["folder"] = str(folder.resolve())
    content["images"] = [{"file": image.file, "bytes": image.bytes, "sha256": image.sha256} for image in images]
    try:
        Manifest.model_validate(content)
    except ValidationError as error:
        raise CvqnError(f"{folder}: {problem(error)}") from error
    with atomic_write(path, "w") as file:
        yaml.safe_dump(content, file, allow_unicode=True, default_flow_style=None, sort_keys=False, width=1000)
    return path


def list_sets(folder: Path) -> list[str]:
    """The names of the sets that have a manifest in the folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))
