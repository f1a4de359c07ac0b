"""Fetches a set by its manifest into `<root>/sets/<set>/`: the image files and, written last, `index.json`."""

import contextlib
import fcntl
import fnmatch
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.lab.data.archive import unpack
from cvqn.lab.data.download import Pin, Unreachable, download
from cvqn.lab.data.index import Image, describe_all, manifest_sha256, read_index, write_index
from cvqn.lab.data.manifest import Entry, Manifest, read_manifest
from cvqn.lab.data.rebuild import rebuild

BLOBS = "https://api.github.com/repos/{repository}/git/blobs/{blob}"  # with the media type below: the file itself


def fetch(name: str, root: Path, manifests: Path) -> Path:
    """Fetch what is missing of a set, verify everything, and return its `index.json`.

    Files are looked for in the mirror folder that CVQN_MIRROR names (except those of packages), then where the manifest
    says. Interrupted downloads are resumed. Images with the right checksum are kept.

    Raises:
        CvqnError: a file cannot be found anywhere (the message says what to put where), is not the pinned one, or is
            not a picture; or the disk is full.
    """
    manifest = read_manifest(name, manifests)
    folder, downloads = root / "sets" / name, root / "downloads" / name
    # Snakemake deletes the index before it runs the job again. The copy has the checksums that no manifest pins.
    index, copy = folder / "index.json", folder / ".index.json"
    with _alone(folder / ".lock"):
        known: dict[str, Image] = {}
        for path in (index, copy):
            with contextlib.suppress(CvqnError):
                if not known and manifest_sha256(path) == manifest.sha256:
                    known = _unchanged(manifest, read_index(path))
                    if path == index and len(known) == manifest.image_count:
                        return index
        if len(known) < manifest.image_count:
            index.unlink(missing_ok=True)
            if manifest.archive:
                files = dict.fromkeys(_get_archive(manifest, folder, downloads), manifest.licence)
            else:
                for image in tqdm(manifest.images, desc=f"fetch {name}", unit="image", disable=None):
                    if image.file not in known:
                        _get_image(manifest, image, folder, downloads)
                files = {image.file: image.licence or manifest.licence for image in manifest.images}
            new = [(folder / file, files[file]) for file in sorted(files) if file not in known]
            known |= {image.file: image for image in describe_all(new, f"index {name}")}
            _warn_of_other_pixels(manifest, known)
        for path in (copy, index):
            write_index(path, name, manifest.sha256, known.values())
        shutil.rmtree(downloads, ignore_errors=True)
    return index


def verify(name: str, root: Path, manifests: Path) -> int:
    """Check every image file of a set against its index and the manifest's checksums; return their number.

    Raises:
        CvqnError: the set is missing or incomplete, or files have changed since they were fetched (all are named).
    """
    manifest = read_manifest(name, manifests)
    index = root / "sets" / name / "index.json"
    images = read_index(index)
    wrong = sorted({image.file for image in images} - set(_unchanged(manifest, images)))
    if wrong or len(images) != manifest.image_count:
        found = (
            f"{', '.join(wrong)}: not as fetched" if wrong else f"{len(images)} images, expected {manifest.image_count}"
        )
        raise CvqnError(f"{index.parent}: {found}; run: cvqn data fetch {name}")
    return len(images)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait for other processes that fetch the same set; does not wait on file systems without locks."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            lock.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context(open(lock, "w")), fcntl.LOCK_EX)
        yield


def _unchanged(manifest: Manifest, images: list[Image]) -> dict[str, Image]:
    """By file name, the images that are unchanged by their index and by the manifest's checksums."""
    pins = {image.file: image.sha256 for image in manifest.images if manifest.kind != "rebuilt"}
    found = {}
    for image in tqdm(images, desc=f"verify {manifest.name}", unit="image", disable=None):
        with contextlib.suppress(CvqnError):
            image.contents()
            if pins.get(image.file, image.sha256) == image.sha256:
                found[image.file] = image
    return found


def _get_image(manifest: Manifest, image: Entry, folder: Path, downloads: Path) -> None:
    target, pin = folder / image.file, Pin("sha256", image.sha256, image.bytes)
    if target.is_file() and not pin.mismatch(target):
        return
    if source := _find(pin, _places(manifest, image)):
        _copy(source, target)
    elif manifest.kind == "rebuilt":
        # If the repository's history was rewritten, the URL is dead, but the blob's id may still find the original.
        blob = BLOBS.format(repository=image.repository, blob=image.git_blob)
        urls = [(manifest.url(image), {}), (blob, {"Accept": "application/vnd.github.raw+json"})]
        source = _get(manifest, image.file, Pin("git", image.git_blob), downloads / image.git_blob, urls)
        with atomic_write(target) as file:
            file.write(rebuild(source, image.width, image.height))
    else:
        urls = [(manifest.url(image), {})] if manifest.base_url else []
        _copy(_get(manifest, image.file, pin, downloads / image.file, urls), target)


def _get_archive(manifest: Manifest, folder: Path, downloads: Path) -> list[str]:
    """Put the images of an archive into the set's folder; return their names."""
    archive = manifest.archive
    file = archive.url.rsplit("/", 1)[-1]
    pin = Pin("sha256" if archive.sha256 else "md5", archive.sha256 or archive.md5, archive.bytes)
    source = _find(pin, _mirrored(manifest.name, file))
    if not source and (unpacked := _unpacked(manifest)):
        print(f"warning: {unpacked[0].parent}: taken as it is; only the archive has a checksum", file=sys.stderr)
        for path in tqdm(unpacked, desc=f"fetch {manifest.name}", unit="image", disable=None):
            _copy(path, folder / path.name)
        return [path.name for path in unpacked]
    source = source or _get(manifest, file, pin, downloads / file, [(archive.url, {})])
    return unpack(source, manifest.members, manifest.count, archive.unpacked_limit, folder)


def _get(manifest: Manifest, file: str, pin: Pin, target: Path, urls: list[tuple[str, dict]]) -> Path:
    """`target`, downloaded if it is missing.

    Raises:
        CvqnError: no URL works; the message says what to get by hand, and where to put it.
    """
    if _find(pin, [target]):
        return target
    reasons = [] if urls else ["it is not installed" if manifest.kind == "packages" else "its manifest names no URL"]
    for url, headers in urls:
        try:
            return download(url, target, pin, headers)
        except Unreachable as error:
            reasons.append(f"{url}: {error}")
    size = f"{pin.bytes} bytes, " if pin.bytes else ""
    raise CvqnError(
        f"{manifest.name}: cannot get {file} ({'; '.join(reasons)}). Put the file ({size}{pin.algorithm} {pin.digest}) "
        f"at {target}"
        + (
            ""
            if manifest.kind == "packages"
            else f", or at {manifest.name}/{file} in the folder that CVQN_MIRROR names"
        )
        + "; then run the command again"
    )


def _find(pin: Pin, places: list[Path]) -> Path | None:
    """The first of these places that has the file, or None; CvqnError if a different file is there."""
    for place in places:
        if place.is_file():
            if wrong := pin.mismatch(place):
                raise CvqnError(f"{place}: {wrong}; replace it, or remove it, and run again")
            return place
    return None


def _places(manifest: Manifest, image: Entry) -> list[Path]:
    """Where an image's file may be: in its package, or else in the mirror or the described folder."""
    if image.package:
        spec = importlib.util.find_spec(image.package)  # for a top-level package, this imports nothing
        return [Path(spec.origin).parent / image.path] if spec and spec.origin and image.path else []
    described = [Path(manifest.folder, image.file)] if manifest.folder else []
    return [*_mirrored(manifest.name, image.file), *described]


def _mirrored(name: str, file: str) -> list[Path]:
    folder = mirror()
    return [folder / name / file, folder / file] if folder else []


def _unpacked(manifest: Manifest) -> list[Path]:
    """The images of an archive that are unpacked in the mirror, if all of them are."""
    pattern = manifest.members.rsplit("/", 1)[-1]
    paths = (mirror() / manifest.name).glob("*") if mirror() else []
    found = sorted(path for path in paths if fnmatch.fnmatchcase(path.name, pattern) and path.is_file())
    return found if len(found) == manifest.image_count else []


def mirror() -> Path | None:
    """The folder that the environment variable CVQN_MIRROR names, or None if it is not set.

    Raises:
        CvqnError: it does not name a folder.
    """
    value = os.environ.get("CVQN_MIRROR")
    if value and not Path(value).is_dir():
        raise CvqnError(f"CVQN_MIRROR={value}: not a folder; name one that holds the sets, or unset it")
    return Path(value) if value else None


def _copy(source: Path, target: Path) -> None:
    with open(source, "rb") as data, atomic_write(target) as file:
        shutil.copyfileobj(data, file)


def _warn_of_other_pixels(manifest: Manifest, images: dict[str, Image]) -> None:
    pinned = {image.file: image.pixels_sha256 for image in manifest.images if image.pixels_sha256}
    if other := [file for file in pinned if images[file].pixels_sha256 != pinned[file]]:
        message = "other pixels than the manifest's (another image library); results will differ slightly"
        print(f"warning: {manifest.name}: {message}: {', '.join(other)}", file=sys.stderr)
