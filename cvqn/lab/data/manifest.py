"""Manifests: where the files of a set come from, their checksums and licences (`data/manifests/<set>.yaml`)."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jsonschema
import yaml

from cvqn.errors import CvqnError

RAW = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
FILE = {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"}
URL = {"type": "string", "pattern": "^https?://"}
ARCHIVE_URL = {"type": "string", "pattern": r"^https?://.*/[A-Za-z0-9_-]+\.(zip|tar)$"}
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 1}
DIGESTS = {"sha256": SHA256, "md5": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}


def _object(required: dict, optional: dict | None = None) -> dict:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def _images(required: dict) -> dict:
    entry = _object({"file": FILE, "bytes": COUNT, "sha256": SHA256, **required}, {"licence": TEXT})
    return {"type": "array", "items": entry, "minItems": 1}


_HEAD = {"set": FILE, "title": TEXT, "licence": TEXT}
_ARCHIVE = _object({"url": ARCHIVE_URL, "unpacked_limit": COUNT}, {"bytes": COUNT, **DIGESTS})
_ARCHIVE["anyOf"] = [{"required": [digest]} for digest in DIGESTS]
_COMMITS = {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{7,40}$"}}
SCHEMAS = {
    "files": _object({**_HEAD, "kind": {}, "base_url": URL, "images": _images({})}),
    "packages": _object({**_HEAD, "kind": {}, "images": _images({"package": TEXT, "path": TEXT})}),
    "archive": _object({**_HEAD, "kind": {}, "archive": _ARCHIVE, "members": TEXT, "count": COUNT}),
    "rebuilt": _object({**_HEAD, "kind": {}, "table": FILE, "commits": _COMMITS}),
}


@dataclass(frozen=True)
class Archive:
    """One zip or tar file that holds the set; `bytes` is None where the publisher does not say."""

    url: str
    unpacked_limit: int
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def file(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Entry:
    """One image of a manifest: the file it becomes, and by the manifest's kind what it is made from.

    `sha256` and `bytes` are of the file. A rebuilt image also has the width and height it is cut to, the Git blob of
    its source and the checksum of its pixels, since another JPEG library may write another file.
    """

    file: str
    sha256: str
    licence: str
    bytes: int | None = None
    url: str | None = None
    package: str | None = None
    path: str | None = None
    repository: str | None = None
    git_blob: str | None = None
    width: int | None = None
    height: int | None = None
    pixels_sha256: str | None = None


@dataclass(frozen=True)
class Manifest:
    """One set. `kind` is files, packages, archive or rebuilt; an archive has a pattern `members`, others `entries`."""

    name: str
    title: str
    licence: str
    kind: str
    count: int
    entries: tuple[Entry, ...] = ()
    archive: Archive | None = None
    members: str = ""

    @property
    def sha256(self) -> str:
        """A checksum of everything that decides the images: it stays when words or places change."""
        facts = [self.kind, self.count, self.members, self.archive and (self.archive.sha256 or self.archive.md5)]
        facts += [[entry.file, entry.sha256, entry.pixels_sha256, entry.licence] for entry in self.entries]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @property
    def bytes(self) -> int | None:
        """Bytes to fetch; None where unknown."""
        sizes = [self.archive.bytes] if self.archive else [entry.bytes for entry in self.entries]
        return None if None in sizes else sum(sizes)


def read_manifest(name: str, folder: Path) -> Manifest:
    """The manifest of the set `name` in a folder of manifests.

    Raises:
        CvqnError: no such set, or the manifest breaks the schema; the message names the key.
    """
    path = folder / f"{name}.yaml"
    if Path(name).name != name or not path.is_file():
        known = ", ".join(list_sets(folder))
        raise CvqnError(f"{name}: no manifest {path}; known sets: {known}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind not in SCHEMAS:
            raise CvqnError(f"{path}: kind: {kind!r} is not one of {', '.join(SCHEMAS)}")
        jsonschema.validate(content, SCHEMAS[kind])
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CvqnError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    except jsonschema.ValidationError as error:
        raise CvqnError(f"{path}: {'.'.join(map(str, error.absolute_path)) or 'top'}: {error.message}") from error
    if content["set"] != name:
        raise CvqnError(f"{path}: set: {content['set']!r} is not the file's name")
    head = {"name": name, "title": content["title"], "licence": content["licence"], "kind": kind}
    if kind == "archive":
        archive = Archive(**content["archive"])
        return Manifest(**head, count=content["count"], archive=archive, members=content["members"])
    entries = _rebuilt(path, content) if kind == "rebuilt" else _listed(content)
    if len({entry.file.lower() for entry in entries}) != len(entries):
        raise CvqnError(f"{path}: a file name stands there twice")
    return Manifest(**head, count=len(entries), entries=tuple(entries))


def list_sets(folder: Path) -> list[str]:
    """The names of the sets that have a manifest in the folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _listed(content: dict) -> list[Entry]:
    base = content.get("base_url")
    for fields in content["images"]:
        fields.setdefault("licence", content["licence"])
    return [Entry(**fields, url=base and base + fields["file"]) for fields in content["images"]]


def _rebuilt(path: Path, content: dict) -> list[Entry]:
    table = path.parent / content["table"]
    commits = content["commits"]
    try:
        with open(table, encoding="utf-8", newline="") as file:
            return [_rebuilt_entry(row, commits) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise CvqnError(f"{table}: not the table that {path.name} needs ({error!r})") from error


def _rebuilt_entry(row: dict, commits: dict) -> Entry:
    for value, schema in ((row["file"], FILE), (row["sha256"], SHA256), (row["pixels_sha256"], SHA256)):
        try:
            jsonschema.validate(value, schema)
        except jsonschema.ValidationError as error:
            raise ValueError(f"{row['file']}: {error.message}") from error
    repository = row["repository"]
    return Entry(
        file=row["file"],
        sha256=row["sha256"],
        licence=row["licence"],
        url=RAW.format(repository=repository, commit=commits[repository], path=quote(row["path"])),
        repository=repository,
        git_blob=row["git_blob"],
        width=int(row["width"]),
        height=int(row["height"]),
        pixels_sha256=row["pixels_sha256"],
    )
