"""Sets of small images to serve."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from cvqn.images import write_png


@pytest.fixture
def pictures(tmp_path) -> dict[str, bytes]:
    """Three small images as PNG files, by name; the second is the first mirrored and a little darker."""
    first = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    last = np.random.default_rng(2).integers(0, 256, (50, 30, 3), np.uint8)
    files = {}
    for name, picture in {"a.png": first, "b.png": first[:, ::-1] // 8 * 7, "c.png": last}.items():
        write_png(tmp_path / name, picture)
        files[name] = (tmp_path / name).read_bytes()
    return files


@pytest.fixture
def write_manifest(tmp_path):
    """Write a manifest of the kind `files` and return its folder."""

    def write(url: str, files: dict[str, bytes], name: str = "trio") -> Path:
        images = [
            {"file": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for file, data in files.items()
        ]
        content = {"set": name, "kind": "files", "title": "three", "licence": "CC0 1.0", "base_url": url + "/"}
        folder = tmp_path / "manifests"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**content, "images": images}))
        return folder

    return write
