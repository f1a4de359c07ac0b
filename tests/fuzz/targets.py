"""What is read from outside, by kind: valid inputs, how they are damaged, and what the program does with them."""

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol

import numpy as np
import torch
import yaml
from safetensors.torch import load, save

from cvqn.cli import main
from cvqn.codecs import store
from cvqn.compression import compress, decompress
from cvqn.images import write_png
from cvqn.lab.data import download
from cvqn.lab.data.fetch import fetch
from cvqn.lab.data.index import describe, pixels_sha256, read_index, write_index
from cvqn.lab.data.pack import Pack, pack
from cvqn.lab.settings.configuration import resolve
from tests import ROOT
from tests.fuzz.containers import Container, OneForm, tiny_model
from tests.fuzz.mutations import of_bytes, of_values
from tests.fuzz.pictures import Picture
from tests.trained import make_model, photograph

DIGEST = "0" * 64
HEAD = {"set": "x", "title": "some", "licence": "CC0"}
IMAGE = {"file": "a.png", "bytes": 3, "sha256": DIGEST}
ARCHIVE = {"url": "https://host/a.zip", "bytes": 9, "sha256": DIGEST, "unpacked_limit": 9}
MANIFESTS = {
    "files": {**HEAD, "kind": "files", "base_url": "https://host/", "images": [IMAGE]},
    "packages": {**HEAD, "kind": "packages", "images": [{**IMAGE, "package": "skimage", "path": "data/a.png"}]},
    "archive": {**HEAD, "kind": "archive", "archive": ARCHIVE, "members": "*.png", "count": 1},
    "rebuilt": {**HEAD, "kind": "rebuilt", "table": "x.csv", "commits": {"some/one": "abcdef0"}},
}
ROW = {
    "file": "a.jpg",
    "width": "32",
    "height": "24",
    "repository": "some/one",
    "path": "b/c.png",
    "git_blob": "1" * 40,
    "licence": "CC0",
    "author": "",
    "sha256": DIGEST,
    "pixels_sha256": DIGEST,
}
NESTED = "&a0 {x: 1}\n" + "".join(f"b{n}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(20))
TWICE = (
    "training:\n  epochs: 7\ntraining:\n  alpha: 64\n",
    "experiments:\n  c24: {model: {channels: 24}}\nexperiments:\n  c32: {}\n",
    "training: {alpha: .nan}\n",
    "training: {alpha: .inf}\n",
)
"""Overlays in which one of two values would be lost in silence, or is no number."""
NO_YAML = (
    "x: " + NESTED, "set: &a [*a]", "[" * 100_000, "{a: " * 5000, "set: " + "9" * 10_000, "set: 2020-99-99",
    "set: !!python/object/apply:os.system [true]", "\0", "- " * 20_000, "", "null", "3", "set: .nan", "set: 1__0",
    "set: 0x" + "f" * 10_000, "set: 1:" + "59:" * 3000 + "1", "? {a: 1}\n: 2", "set: x\nset: y", "'" * 50_000,
)  # fmt: skip
"""Texts that hold no manifest and no overlay: aliases and nesting that unfold, long numbers, tags, two of one key."""


class Target(Protocol):
    """One kind of input; made with a folder for its valid inputs."""

    def write(self, random: Random, folder: Path) -> None:
        """Put a damaged input into the folder."""

    def read(self, folder: Path) -> None:
        """Read it as the program does. A CvqnError is a refusal; an assertion checks what is accepted."""


class ModelFolder:
    """Folders of small models; of most the model id is made to fit again."""

    def __init__(self, folder: Path):
        torch.set_num_threads(1)
        kinds: tuple[dict[str, Any], ...] = (
            {}, {"importance": {"kind": "se"}}, {"gdn": True, "downsampling": "strided"},
            {"quantizer": {"mixture": False}},
        )  # fmt: skip
        self.valid = [make_model(folder / str(number), tiny_model(**kind)) for number, kind in enumerate(kinds)]

    def write(self, random: Random, folder: Path) -> None:
        source = random.choice(self.valid)
        text, binary = ((source / name).read_bytes() for name in ("model.json", "model.safetensors"))
        content = json.loads(text)
        match random.randrange(8):
            case 0:
                text = of_bytes(random, text)
            case 1:
                text = random.choice((b"[" * 100_000, b'{"a":' * 5000, b"9" * 10_000, b'{"format": NaN}', b"", b"\xff"))
            case 2:  # a key twice
                text = text.replace(b'"codec"', b'"codec": "other", "codec"')
            case 3:
                binary = of_bytes(random, binary)
            case 4 | 5:
                text, binary = with_id(of_values(random, content), load(binary))
            case _:
                text, binary = with_id(content, damaged_tensors(random, load(binary)))
        (folder / "model.json").write_bytes(text)
        (folder / "model.safetensors").write_bytes(binary)

    def read(self, folder: Path) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            code = main(["info", str(folder)])
        assert code in (0, 2)
        stored = store.load_model(folder)
        assert code == 0
        picture = photograph(24, 40)
        assert decompress(stored, compress(stored, picture)).shape == picture.shape


def damaged_tensors(random: Random, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """One or two tensors lost, renamed, of another shape or type, or with other values."""
    for _ in range(random.randint(1, 2)):
        kinds = (".order", ".limits", ".shift", ".bias", ".weight", "means", "")
        kind = random.choice(kinds)
        name = random.choice([one for one in sorted(tensors) if kind in one] or sorted(tensors))
        tensor = tensors[name].clone()
        flat = tensor.reshape(-1)
        match random.randrange(8):
            case 0:
                del tensors[name]
                continue
            case 1:
                tensors[random.choice((name + "x", "integer.9.0.bias", "", "../x", name.upper()))] = tensors.pop(name)
                continue
            case 2:
                tensor = random.choice((flat, tensor[None], tensor[:0], torch.cat([flat, flat]), flat[:1].clone()))
            case 3:
                types = (torch.float64, torch.bfloat16, torch.int64, torch.int8, torch.bool, torch.uint8, torch.float32)
                tensor = tensor.to(random.choice(types))
            case 4 if tensor.is_floating_point():
                flat[random.randrange(len(flat))] = random.choice((np.nan, np.inf, -np.inf, 3e4))
            case 5 if tensor.is_floating_point():
                tensor = torch.full_like(tensor, random.choice((0.0, np.nan, 6e4, -6e4, 1e-7)))
            case _ if not tensor.is_floating_point() and tensor.dtype != torch.bool and len(flat):
                extremes = torch.iinfo(tensor.dtype)
                flat[random.randrange(len(flat))] = random.choice((0, 1, -1, 15, 1000, extremes.min, extremes.max))
            case _:
                tensor = tensor + random.choice((-1, 1))
        tensors[name] = tensor.contiguous()
    return tensors


def with_id(content: Any, tensors: dict[str, torch.Tensor]) -> tuple[bytes, bytes]:
    """The files of a model whose id fits, where it can have one."""
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        content["model_id"] = store._model_id(content["codec"], content["settings"], store._arrays(tensors)).hex()
    return json.dumps(content).encode(errors="replace"), save(tensors)


class Manifest:
    """Manifests of every kind whose files are in a mirror; `fetch` is what writes files by them."""

    def __init__(self, folder: Path):
        self.manifests, self.row = mirrored(folder)

    def write(self, random: Random, folder: Path) -> None:
        content = self.manifests[random.choice([*self.manifests])]
        text = as_yaml(of_values(random, content))
        match random.randrange(6):
            case 0:
                text = of_bytes(random, as_yaml(content))
            case 1:
                text = random.choice(NO_YAML).encode()
        write_manifest(folder, text, [self.row.keys(), self.row.values()])

    def read(self, folder: Path) -> None:
        fetch("x", folder / "data", folder)


class Table:
    """Tables of the images of a rebuilt set, which are in a mirror."""

    def __init__(self, folder: Path):
        manifests, self.row = mirrored(folder)
        self.manifest = as_yaml(manifests["rebuilt"])

    def write(self, random: Random, folder: Path) -> None:
        rows = [of_values(random, self.row) if random.random() < 0.7 else self.row]
        rows += [{**self.row, "file": name} for name in random.sample(["b.jpg", "a.png", "A.jpg", "c d.jpg"], 1)]
        write_manifest(folder, self.manifest, [rows[0].keys(), *(row.values() for row in rows)])
        if random.random() < 0.3:
            table = folder / "x.csv"
            table.write_bytes(of_bytes(random, table.read_bytes(), b'"\r\n,\0'))

    def read(self, folder: Path) -> None:
        fetch("x", folder / "data", folder)


def mirrored(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Manifests, by kind, and the row of a table, of images that are in the mirror at a folder."""
    download.WAITS = ()
    os.environ["CVQN_MIRROR"] = str(folder)
    write_png(folder / "a.png", photograph(24, 32))
    data = (folder / "a.png").read_bytes()
    for name in ("a.jpg", "b.jpg", "A.jpg", "c d.jpg"):
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("in/a.png", data)
    size, digest = len(data), hashlib.sha256(data).hexdigest()
    zipped = (folder / "a.zip").read_bytes()
    facts = {"bytes": len(zipped), "sha256": hashlib.sha256(zipped).hexdigest(), "unpacked_limit": size}
    image = {"file": "a.png", "bytes": size, "sha256": digest}
    packaged = yaml.safe_load((ROOT / "data" / "manifests" / "packaged-evaluation.yaml").read_text())
    manifests = {
        **MANIFESTS,
        "packages": {**packaged, "set": "x", "images": packaged["images"][:1]},
        "files": {**MANIFESTS["files"], "images": [image, {**image, "file": "b.jpg"}]},
        "archive": {**MANIFESTS["archive"], "archive": {**ARCHIVE, **facts}},
    }
    return manifests, {**ROW, "sha256": digest, "pixels_sha256": pixels_sha256(photograph(24, 32))}


def write_manifest(folder: Path, text: bytes, rows: list) -> None:
    """A manifest and its table."""
    (folder / "x.yaml").write_bytes(text)
    with open(folder / "x.csv", "w", encoding="utf-8", errors="replace", newline="") as table:
        csv.writer(table).writerows(rows)


class Index:
    """`index.json` of a set of three images, to be packed."""

    def __init__(self, folder: Path):
        self.set = made_set(folder / "set")

    def write(self, random: Random, folder: Path) -> None:
        shutil.copytree(self.set, folder / "set")
        damage_json(random, folder / "set" / "index.json")

    def read(self, folder: Path) -> None:
        index = folder / "set" / "index.json"
        pack([index], folder / "out.npy")
        made = Pack.open(folder / "out.npy")
        for number, image in enumerate(read_index(index)):
            assert hashlib.sha256(made[number].tobytes()).hexdigest() == image.pixels_sha256
            assert made[number].shape == describe(image.path, "").read().shape


class Packed:
    """Packs: the pixels, and the JSON beside them that says where each image lies."""

    def __init__(self, folder: Path):
        self.folder = folder
        pack([made_set(folder / "set") / "index.json"], folder / "x.npy")

    def write(self, random: Random, folder: Path) -> None:
        for name in ("x.npy", "x.json"):
            shutil.copy(self.folder / name, folder / name)
        if random.random() < 0.2:
            (folder / "x.npy").write_bytes(of_bytes(random, (folder / "x.npy").read_bytes()))
        else:
            damage_json(random, folder / "x.json")

    def read(self, folder: Path) -> None:
        made = Pack.open(folder / "x.npy")
        assert sum(made[number].size for number in range(len(made))) == len(made.pixels)
        made.crops([(number, 0, 0) for number in range(len(made))], 16)


def made_set(folder: Path) -> Path:
    """A set of three images."""
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 256, (5 + number, 9, 3), np.uint8)
        write_png(folder / f"{number}.png", picture)
    images = [describe(folder / f"{number}.png", "CC0") for number in range(3)]
    write_index(folder / "index.json", "three", DIGEST, images)
    return folder


def damage_json(random: Random, path: Path) -> None:
    """Change values, bytes or the form of a JSON file."""
    data = path.read_bytes()
    match random.randrange(6):
        case 0:
            data = of_bytes(random, data)
        case 1:
            data = random.choice((b"[" * 100_000, b'{"images":' * 5000, b"9" * 10_000, b"NaN", b"", b"\xff\xfe{\0}\0"))
        case 2:
            key = random.choice((b'"images"', b'"sha256"', b'"width"', b'"file"'))
            data = data.replace(key, key + b': 3, "x": 1, ' + key, 1)
        case _:
            data = json.dumps(of_values(random, json.loads(data))).encode(errors="replace")
    path.write_bytes(data)


class Overlay:
    """Overlays over params.yaml."""

    def __init__(self, folder: Path):
        paths = sorted((ROOT / "workflow" / "scales").glob("*.yaml"))
        self.texts = [path.read_bytes() for path in (*paths, ROOT / "cvqn" / "lab" / "settings" / "params.yaml")]

    def write(self, random: Random, folder: Path) -> None:
        text = random.choice(self.texts)
        match random.randrange(6):
            case 0:
                text = of_bytes(random, text, random.choice(self.texts))
            case 1:
                text = random.choice((*NO_YAML, *TWICE)).encode()
            case 2:  # a block twice
                blocks = text.split(b"\n\n")
                text = b"\n".join((*blocks, random.choice(blocks)))
            case _:
                text = as_yaml(of_values(random, yaml.safe_load(text)))
        (folder / "x.yaml").write_bytes(text)

    def read(self, folder: Path) -> None:
        configuration = resolve([folder / "x.yaml"])
        assert configuration.experiments
        assert configuration.every_run()


class _NoAliases(yaml.SafeDumper):
    """Writes what is referred to twice twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def as_yaml(content: object) -> bytes:
    """YAML without aliases."""
    return yaml.dump(content, Dumper=_NoAliases, allow_unicode=True).encode(errors="replace")


TARGETS: dict[str, Callable[[Path], Target]] = {
    "container": Container,
    "form": OneForm,
    "picture": Picture,
    "model": ModelFolder,
    "manifest": Manifest,
    "table": Table,
    "index": Index,
    "pack": Packed,
    "overlay": Overlay,
}
