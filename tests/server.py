"""A web server on this machine that fails as told."""

import http.server
import re
import threading

import pytest

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
    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        fault = server.faults.pop(0) if server.faults else None
        data = server.files.get(self.path)
        if isinstance(fault, int) or data is None:
            return self.send_error(fault or 404)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted) if wanted and fault != "no ranges" else None
        start, end = (int(match[1]), int(match[2] or len(data) - 1)) if match else (0, len(data) - 1)
        if start >= len(data):
            return self.send_error(416)
        body = data[start : end + 1]
        self.send_response(206 if match else 200)
        self.send_header("Content-Length", str(len(body)))
        if match:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(data)}")
        self.end_headers()
        if with_body:
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
