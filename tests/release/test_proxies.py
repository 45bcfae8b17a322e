"""A pull through a proxy that the environment names, which sees no more than a tunnel."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from imageqx_export.errors import ReleaseError
from imageqx_export.release.client import Source
from imageqx_export.release.pull import list_releases
from tests.release.servers import serve
from tests.release.tiny import Publisher

HOST = "models.example"
"""What nobody resolves: only the proxy knows where it is."""


@contextmanager
def serve_proxy(to: str) -> Iterator[tuple[int, list[tuple[str, str | None]]]]:
    """Give the port of a proxy that leads everywhere to one address, and what it is asked for."""
    asked: list[tuple[str, str | None]] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append((self.path, self.headers.get("Proxy-Authorization")))
            parts = urlsplit(to)
            with socket.create_connection((parts.hostname or "", parts.port or 0)) as other:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=pump, args=[other, self.connection], daemon=True)
                back.start()
                pump(self.connection, other)
                back.join()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()


def pump(one: socket.socket, other: socket.socket) -> None:
    """Give on what comes until it ends."""
    try:
        while content := one.recv(2**16):
            other.sendall(content)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def ask(published: Publisher, address: str, cache: Path) -> list[str]:
    source = Source(address, published.root, cache, insecure=True, deadline=60)
    return [version for _, version, _ in list_releases(source)]


def test_the_proxy_of_the_environment_is_taken(
    published: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(published.tree) as (address, _), serve_proxy(address) as (port, asked):
        monkeypatch.setenv("http_proxy", f"http://a%40b:secret@127.0.0.1:{port}")
        assert ask(published, f"http://{HOST}/", tmp_path / "cache") == ["1.1.0-beta.1", "1.0.0"]
    wanted = "Basic " + base64.b64encode(b"a@b:secret").decode()
    assert set(asked) == {(f"{HOST}:80", wanted)}


def test_loopback_and_no_proxy_go_past_it(
    published: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(published.tree) as (address, _), serve_proxy(address) as (port, asked):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        assert len(ask(published, address, tmp_path / "cache")) == 2
        monkeypatch.setenv("no_proxy", HOST)
        with pytest.raises(ReleaseError):
            ask(published, f"http://{HOST}/", tmp_path / "other")
    assert asked == []


def test_no_proxy_may_name_a_port(published: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", f"{HOST}:8443")
    with serve(published.tree) as (address, _), serve_proxy(address) as (port, asked):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(ReleaseError):
            ask(published, f"http://{HOST}:8443/", tmp_path / "spared")
        assert asked == []
        assert len(ask(published, f"http://{HOST}:8444/", tmp_path / "cache")) == 2
    assert {where for where, _ in asked} == {f"{HOST}:8444"}


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1:x"])
def test_what_is_not_spoken_is_said(
    proxy: str, published: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(ReleaseError) as caught:
        ask(published, f"http://{HOST}/", tmp_path / "cache")
    assert "only http:// ones are spoken" in str(caught.value)
