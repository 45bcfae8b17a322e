"""Serve the built page of ``web_demo/`` and a folder of artifacts on the loopback address, and take its results."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; "
    "worker-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""What the page and its workers may load, and where they may send: nothing but this server."""

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
_LARGEST_RESULT: Final = 64 * 2**20


@dataclass
class Served:
    """What a server gives and takes.

    Attributes:
        url: Of the page's folder, with a slash at the end.
        jobs: What the page asks for by number, at ``job/NUMBER``.
        results: What it gave back: number and JSON.
        sent: Bytes of files that were sent so far.
    """

    url: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: queue.SimpleQueue[tuple[str, bytes]] = field(default_factory=queue.SimpleQueue)
    sent: int = 0


@contextmanager
def serve(
    page: Path, artifacts: Path | None = None, *, port: int = 0, policy: Callable[[str], str] = lambda name: POLICY
) -> Iterator[Served]:
    """Serve on 127.0.0.1 while the block runs.

    Args:
        page: The built page's folder.
        artifacts: An export's folder, at ``artifacts/``.
        port: 0 for any that is free.
        policy: Returns the Content-Security-Policy that goes with a file, of its path on the server.
    """
    served = Served()
    members = {"page": page, "artifacts": artifacts, "served": served, "policy": staticmethod(policy)}
    handler = type("Handler", (_Handler,), members)
    with _Server(("127.0.0.1", port), handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that has answered is ended, whatever it still asks for."""


class _Handler(BaseHTTPRequestHandler):
    page: Path
    artifacts: Path | None
    served: Served
    policy: Callable[[str], str]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Give a file, or a job."""
        name = unquote(urlsplit(self.path).path).lstrip("/")
        if name.startswith("job/"):
            job = self.served.jobs.get(name.removeprefix("job/"))
            self._answer(None if job is None else json.dumps(job).encode(), ".json")
            return
        path = self._find(name)
        self._answer(path.read_bytes() if path else None, path.suffix if path else "")

    def do_POST(self) -> None:
        """Take the result of a job that was given."""
        number = urlsplit(self.path).path.lstrip("/").removeprefix("job/")
        size = int(self.headers.get("Content-Length") or 0)
        if number not in self.served.jobs or not 0 < size <= _LARGEST_RESULT:
            self.close_connection = True
            self._answer(None, "")
            return
        self.served.results.put((number, self.rfile.read(size)))
        self._answer(b"{}", ".json")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _find(self, name: str) -> Path | None:
        parts = PurePosixPath(name or "index.html").parts
        root = self.page
        if parts[0] == "artifacts" and self.artifacts is not None:
            root, parts = self.artifacts, parts[1:]
        path = root.joinpath(*parts).resolve()
        if path.is_dir():
            path /= "index.html"
        return path if path.is_file() and path.is_relative_to(root.resolve()) else None

    def _answer(self, content: bytes | None, suffix: str) -> None:
        self.send_response(HTTPStatus.NOT_FOUND if content is None else HTTPStatus.OK)
        self.send_header("Content-Length", str(len(content or b"")))
        self.send_header("Content-Type", TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Security-Policy", self.policy(urlsplit(self.path).path.lstrip("/")))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.served.sent += len(content or b"")  # before a browser can have it, and its result come back
        self.wfile.write(content or b"")
