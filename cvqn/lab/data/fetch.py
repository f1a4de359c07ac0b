"""Getting a set by its manifest: `<root>/sets/<set>/` with the image files and, written last, `index.json`."""

import fnmatch
import importlib.util
import json
import shutil
import sys
from functools import partial
from pathlib import Path

from tqdm import tqdm

from cvqn.lab.data.archive import unpack
from cvqn.lab.data.download import Pin, Unreachable, download, file_digest, mirror
from cvqn.lab.data.index import Image, describe, manifest_sha256, read_index, write_index
from cvqn.lab.data.manifest import Entry, Manifest, read_manifest
from cvqn.lab.data.rebuild import rebuild
from cvqn.lab.data.workers import parallel
from cvqn.errors import CvqnError
from cvqn.files import atomic_write

BLOBS = "https://api.github.com/repos/{repository}/git/blobs/{blob}"  # with the media type below: the file itself


def fetch(name: str, root: Path, manifests: Path) -> Path:
    """Fetch what is missing of a set, verify everything, and return its `index.json`.

    Files come from the mirror folder that CVQN_MIRROR names, then from their official URLs; downloads that were
    interrupted go on. Images whose checksum is right stay as they are.

    Raises:
        CvqnError: a file can be had from neither place (says what to put where), is not the one that the manifest
            pins, or is not a picture; the disk is full.
    """
    manifest = read_manifest(name, manifests)
    folder, downloads = root / "sets" / name, root / "downloads" / name
    index = folder / "index.json"
    receipts = Receipts(root / "downloads" / f"{name}.jsonl", manifest.sha256)
    whole = _whole(manifest, folder, receipts)
    known = {
        image.path.name: image for image in _indexed(index, manifest) if whole.get(image.path.name) == image.sha256
    }
    if len(whole) == manifest.count == len(known):
        return index
    if len(whole) < manifest.count:
        index.unlink(missing_ok=True)
        if manifest.kind == "archive":
            _fetch_archive(manifest, folder, downloads, receipts, whole)
        else:
            missing = [entry for entry in manifest.entries if entry.file not in whole]
            for entry in tqdm(missing, desc=f"fetch {name}", unit="image", disable=None):
                _fetch_entry(manifest, entry, folder, downloads, receipts)
    licences = {entry.file: entry.licence for entry in manifest.entries}
    new = sorted(set(licences or receipts.files) - set(known))
    described = parallel(partial(_describe, folder, licences, manifest.licence), new, f"index {name}")
    images = [*known.values(), *described]
    _warn_of_other_pixels(manifest, images)
    write_index(index, name, manifest.sha256, images)
    shutil.rmtree(downloads, ignore_errors=True)
    return index


def verify(name: str, root: Path, manifests: Path) -> int:
    """Check every image file of a set against its index and the manifest's pins; return how many there are.

    Raises:
        CvqnError: the set is not there, not complete, or a file is not the one that was fetched.
    """
    manifest = read_manifest(name, manifests)
    images = read_index(root / "sets" / name / "index.json")
    for image in tqdm(images, desc=f"verify {name}", unit="image", disable=None):
        image.verify()
    if len(images) != manifest.count:
        raise CvqnError(f"{name}: {len(images)} images, expected {manifest.count}; run: cvqn data fetch {name}")
    pinned = {entry.file: entry.sha256 for entry in manifest.entries if manifest.kind != "rebuilt"}
    for image in images:
        if pinned and pinned.get(image.path.name) != image.sha256:
            raise CvqnError(f"{image.path}: not the file that the manifest pins; run: cvqn data fetch {name}")
    return len(images)


class Receipts:
    """Checksums of the files that came out of an archive or were rebuilt: what the manifest cannot pin.

    They outlive `index.json`, which a workflow deletes before it runs a step again.
    """

    def __init__(self, path: Path, manifest_sha256: str):
        self._path = path
        self._head = manifest_sha256 + "\n"
        self.files: dict[str, str] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines[1:] if lines[:1] == [manifest_sha256] else []:
            try:
                self.files.update(json.loads(line))
            except ValueError:
                break  # the last line of an interrupted call
        self._begun = False

    def add(self, file: str, sha256: str) -> None:
        """Note that `file` is whole."""
        self.files[file] = sha256
        if self._begun:
            with open(self._path, "a", encoding="utf-8") as out:
                out.write(self._line(file, sha256))
        else:
            with atomic_write(self._path, "w") as out:
                out.write(self._head + "".join(self._line(*item) for item in self.files.items()))
            self._begun = True

    @staticmethod
    def _line(file: str, sha256: str) -> str:
        return json.dumps({file: sha256}) + "\n"


def _indexed(index: Path, manifest: Manifest) -> list[Image]:
    """The entries of an earlier index of the same manifest; none where there is no such index."""
    try:
        return read_index(index) if manifest_sha256(index) == manifest.sha256 else []
    except (OSError, ValueError, AttributeError, CvqnError):
        return []


def _whole(manifest: Manifest, folder: Path, receipts: Receipts) -> dict[str, str]:
    """File name -> checksum of the images that lie there and are right."""
    accepted = {file: {sha256} for file, sha256 in receipts.files.items()}
    for entry in manifest.entries:
        accepted.setdefault(entry.file, set()).add(entry.sha256)
    there = [file for file in accepted if (folder / file).is_file()]
    found = {
        file: file_digest(folder / file, "sha256")
        for file in tqdm(there, desc=f"verify {manifest.name}", unit="image", disable=None)
    }
    return {file: sha256 for file, sha256 in found.items() if sha256 in accepted[file]}


def _fetch_entry(manifest: Manifest, entry: Entry, folder: Path, downloads: Path, receipts: Receipts) -> None:
    target, pin = folder / entry.file, Pin("sha256", entry.sha256, entry.bytes)
    if manifest.kind == "packages":
        _copy_verified(_packaged(entry), target, pin, f"the installed {entry.package} is not the pinned version")
    elif source := _mirrored(manifest.name, entry.file):
        _copy_verified(source, target, pin, "replace it in the mirror")
    elif manifest.kind == "files":
        here = _download(manifest.name, entry.file, [(entry.url, {})], downloads / entry.file, pin)
        _copy_verified(here, target, pin, "remove it and run again")
    else:
        # History may have moved the file since: the blob's id finds it wherever it was.
        blob = BLOBS.format(repository=entry.repository, blob=entry.git_blob)
        urls = [(entry.url, {}), (blob, {"Accept": "application/vnd.github.raw+json"})]
        source = _download(manifest.name, entry.file, urls, downloads / entry.git_blob, Pin("git", entry.git_blob))
        with atomic_write(target) as file:
            file.write(rebuild(source, entry.width, entry.height))
        receipts.add(entry.file, file_digest(target, "sha256"))


def _fetch_archive(
    manifest: Manifest, folder: Path, downloads: Path, receipts: Receipts, whole: dict[str, str]
) -> None:
    archive = manifest.archive
    algorithm = "sha256" if archive.sha256 else "md5"
    pin = Pin(algorithm, archive.sha256 or archive.md5, archive.bytes)
    source = _mirrored(manifest.name, archive.file)
    unpacked = mirror() and not source and _unpacked(mirror() / manifest.name, manifest)
    if unpacked:
        print(f"warning: {mirror() / manifest.name}: taken as it is; only the archive has a checksum", file=sys.stderr)
        for path in tqdm(unpacked, desc=f"fetch {manifest.name}", unit="image", disable=None):
            receipts.add(path.name, _copy(path, folder / path.name))
        return
    if source:
        _check(source, pin, "replace it in the mirror")
    else:
        source = _download(manifest.name, archive.file, [(archive.url, {})], downloads / archive.file, pin)
    for file, sha256 in unpack(source, manifest.members, manifest.count, archive.unpacked_limit, folder, whole):
        receipts.add(file, sha256)


def _download(name: str, file: str, urls: list[tuple[str, dict]], target: Path, pin: Pin) -> Path:
    """Try the URLs in turn; say what to get by hand, and where to put it, when none can be reached."""
    reasons = []
    for url, headers in urls:
        try:
            return download(url, target, pin, headers)
        except Unreachable as error:
            reasons.append(str(error))
    size = f"{pin.bytes} bytes, " if pin.bytes else ""
    raise CvqnError(
        f"{name}: {file} could not be fetched from {urls[0][0]} ({'; '.join(reasons)}). Put that file ({size}"
        f"{pin.algorithm} {pin.digest}) at {target}, or {file} as {name}/{file} into a folder that CVQN_MIRROR names, "
        "and run again"
    )


def _mirrored(name: str, file: str) -> Path | None:
    folder = mirror()
    places = [folder / name / file, folder / file] if folder else []
    return next((place for place in places if place.is_file()), None)


def _unpacked(folder: Path, manifest: Manifest) -> list[Path]:
    """The images of an archive that lie unpacked in a folder, if they are all there."""
    pattern = manifest.members.rsplit("/", 1)[-1]
    paths = sorted(path for path in folder.glob("*") if fnmatch.fnmatchcase(path.name, pattern) and path.is_file())
    return paths if len(paths) == manifest.count else []


def _packaged(entry: Entry) -> Path:
    spec = importlib.util.find_spec(entry.package)  # of a top-level package: nothing of it is imported
    path = Path(spec.origin).parent / entry.path if spec and spec.origin else None
    if path is None or not path.is_file():
        raise CvqnError(f"{entry.file}: not in the package {entry.package}; install the pinned requirements")
    return path


def _check(path: Path, pin: Pin, advice: str) -> None:
    if wrong := pin.mismatch(path):
        raise CvqnError(f"{path}: {wrong}; {advice}")


def _copy_verified(source: Path, target: Path, pin: Pin, advice: str) -> None:
    _check(source, pin, advice)
    _copy(source, target)


def _copy(source: Path, target: Path) -> str:
    with open(source, "rb") as data, atomic_write(target) as file:
        shutil.copyfileobj(data, file)
    return file_digest(target, "sha256")


def _describe(folder: Path, licences: dict[str, str], licence: str, file: str) -> Image:
    return describe(folder / file, licences.get(file, licence))


def _warn_of_other_pixels(manifest: Manifest, images: list[Image]) -> None:
    pinned = {entry.file: entry.pixels_sha256 for entry in manifest.entries}
    for image in images:
        expected = pinned.get(image.path.name)
        if expected and image.pixels_sha256 != expected:
            print(
                f"warning: {manifest.name}: {image.path.name} has other pixels than the manifest's (another image "
                "library made or decoded it); results will differ slightly",
                file=sys.stderr,
            )
