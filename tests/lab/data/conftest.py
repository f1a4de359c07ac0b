"""A web server on this machine that fails as told, and sets of small images to serve."""

import hashlib
import http.server
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml

from cvqn.images import write_png
from cvqn.lab.data import download


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (path -> bytes); each request takes the next of `faults`.

    Faults: an int is a status code; "drop" closes the connection in the middle of the body; "no ranges" answers a range
    with the whole file; None serves it.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list = []
        self.requests: list[tuple[str, str | None]] = []  # path, Range

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        fault = server.faults.pop(0) if server.faults else None
        data = server.files.get(self.path)
        if isinstance(fault, int) or data is None:
            return self.send_error(fault or 404)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and fault != "no ranges" else 0
        if start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        body = data[start:]
        self.wfile.write(body[: max(1, len(body) // 2)] if fault == "drop" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "CVQN_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "WAITS", (0.0, 0.0, 0.0))
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


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
