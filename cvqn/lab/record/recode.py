"""Whether coding again gives the recorded bytes.

A conventional codec encodes the picture again, which in another version of its library may give other bytes. CVQN's
transforms may round differently on another machine, its entropy coder may not: the decoded symbols are coded again.
"""

import csv
import json
import tarfile
from pathlib import Path

from cvqn.codecs import container
from cvqn.bitstream.wavefront import encode_symbols
from cvqn.compression import CvqnCodec, read_symbols
from cvqn.lab.data.index import read_index
from cvqn.codecs.interface import Codec


def difference(codec: Codec, archive: Path, index: Path) -> tuple[str, str]:
    """How the bytes differ, or nothing, and why they could not be compared, or nothing.

    Args:
        archive: bitstreams of the codec, written by `cvqn encode`.
        index: index.json of the set.

    Raises:
        CvqnError: a file or an image is damaged.
    """
    with tarfile.open(archive, mode="r:") as tar:
        made = json.loads(tar.pax_headers["comment"])
        files = {Path(member.name).stem: tar.extractfile(member).read() for member in tar}
    if isinstance(codec, CvqnCodec):
        differing = [name for name, data in files.items() if _recode(codec, data) != data]
    elif made["versions"] != codec.versions():
        return "", f"made by {_versions(made['versions'])}, here is {_versions(codec.versions())}"
    else:
        pictures = {image.name: image for image in read_index(index)}
        differing = [
            name for name, data in files.items() if codec.encode(pictures[name].read(), made["quality"]) != data
        ]
    return (f"other bytes for {', '.join(differing)}" if differing else ""), ""


def settings(table: Path) -> list[str]:
    """The settings in a table of `cvqn measure`, in its order."""
    with open(table, newline="", encoding="utf-8") as file:
        return list(dict.fromkeys(row["setting"] for row in csv.DictReader(file)))


def _recode(codec: CvqnCodec, data: bytes) -> bytes:
    header, symbols = read_symbols(codec.stored, data)
    words = encode_symbols(codec.stored.integer_models, symbols)
    return container.pack(header.height, header.width, codec.stored.model_id, words)


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
