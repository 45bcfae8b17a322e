"""Servers on loopback: an honest one of a folder, and an attacker's."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Attack = Callable[["Handler", str], bool]
"""Answers a request for a path in place of the honest server; returns False to let that one answer."""


class Handler(BaseHTTPRequestHandler):
    """Serves a folder, ranges included, as any static server does."""

    protocol_version = "HTTP/1.1"
    folder: Path
    attack: Attack | None
    asked: list[tuple[str, str | None]]

    def setup(self) -> None:
        """Send what is small at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.split("?")[0]
        self.asked.append((path, self.headers.get("Range")))
        if self.attack is not None and self.attack(self, path):
            return
        file = self.folder / path.lstrip("/")
        if not file.is_file():
            self.answer(404, b"no such file")
            return
        content = file.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        if start:
            self.answer(206, content[start:], {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})
        else:
            self.answer(200, content)

    def answer(
        self, status: int, content: bytes, headers: dict[str, str] | None = None, claim: int | None = None
    ) -> None:
        """Send a whole answer; ``claim`` is a length that is not the content's."""
        self.send_response(status)
        for name, value in {"Content-Length": str(claim or len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        if claim is not None:
            self.close_connection = True

    def drip(self, seconds: float) -> None:
        """Send a byte now and then, for longer than anybody should wait."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.close_connection = True
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server whose clients may hang up."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a refused server is hung up on."""


@contextmanager
def serve(
    folder: Path, attack: Attack | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Give the address of a server of a folder, by TLS if there is a context, and the list of what it is asked for."""
    asked: list[tuple[str, str | None]] = []
    handler = type(
        "Served", (Handler,), {"folder": folder, "attack": staticmethod(attack) if attack else None, "asked": asked}
    )
    server = Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
