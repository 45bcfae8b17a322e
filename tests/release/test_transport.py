"""A server that is slow, endless, cut off, elsewhere or not there: refused in a sentence, soon; no file is written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from imageqx_export.errors import ReleaseError
from imageqx_export.release.client import Source
from imageqx_export.release.pull import list_releases
from tests.release.servers import Attack, Handler, serve
from tests.release.test_pull import pull_model
from tests.release.test_refusals import MODEL, refuse
from tests.release.tiny import Publisher


def test_cut_off(published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        if not path.endswith(MODEL):
            return False
        handler.answer(200, b"half", claim=4000)
        return True

    refuse(published.tree, published.root, tmp_path, "the download was cut off", attack)


def test_an_endless_file(published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        if not path.endswith(MODEL):
            return False
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            return True

    refuse(published.tree, published.root, tmp_path, "the server sends more than was signed", attack)


@pytest.mark.parametrize("end", ["timestamp.json", MODEL])
def test_a_slow_file(end: str, published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        if path.endswith(end):
            handler.drip(5)
        return path.endswith(end)

    refuse(published.tree, published.root, tmp_path, "the server is too slow", attack, seconds=1)


@pytest.mark.parametrize("end", ["timestamp.json", MODEL])
def test_a_server_that_hangs(end: str, published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        if path.endswith(end):
            time.sleep(3)
            handler.close_connection = True
        return path.endswith(end)

    refuse(published.tree, published.root, tmp_path, "the server is too slow", attack, seconds=1)


def drip(head: bytes, part: bytes) -> Attack:
    """Return an attack that sends ``head`` and then a part now and then, which resets every timeout but the last."""

    def attack(handler: Handler, path: str) -> bool:
        handler.close_connection = True
        try:
            handler.wfile.write(head)
            for _ in range(60):
                handler.wfile.write(part)
                time.sleep(0.05)
        except OSError:
            pass
        return True

    return attack


def test_headers_that_drip(published: Publisher, tmp_path: Path) -> None:
    attack = drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
    refuse(published.tree, published.root, tmp_path, "the server is too slow", attack, seconds=1)


def test_chunks_that_drip(published: Publisher, tmp_path: Path) -> None:
    """An answer that says that it closes takes the line away from its connection; it is hung up all the same."""
    attack = drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n", b"0")
    refuse(published.tree, published.root, tmp_path, "the server is too slow", attack, seconds=0.5)


def test_nobody_there(published: Publisher, tmp_path: Path) -> None:
    with serve(published.tree) as (address, _):
        pass
    with pytest.raises(ReleaseError, match="the server cannot be asked"):
        pull_model(Source(address, published.root, tmp_path / "cache"), tmp_path / "out")


def test_no_such_tree(published: Publisher, tmp_path: Path) -> None:
    refuse(tmp_path, published.root, tmp_path, "the release is not there")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://models.example/x", "it has no TLS"),
        ("ftp://models.example/x", "no web address"),
        ("file:///etc/passwd", "no web address"),
        ("http://[::1", "no address"),
    ],
)
@pytest.mark.parametrize("end", ["timestamp.json", MODEL])
def test_each_hop_is_judged(location: str, message: str, end: str, published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        if not path.endswith(end):
            return False
        handler.answer(302, b"", {"Location": location})
        return True

    error = refuse(published.tree, published.root, tmp_path, "a step of the way to the release is not taken", attack)
    assert message in str(error.got)


def test_a_redirect_that_is_no_ascii(published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        handler.answer(302, b"", {"Location": "/caf\u00e9"})
        return True

    refuse(published.tree, published.root, tmp_path, "the server cannot be asked", attack)


def test_redirects_end(published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        handler.answer(302, b"", {"Location": path + "x"})
        return True

    refuse(published.tree, published.root, tmp_path, "a step of the way to the release is not taken", attack)


def test_a_redirect_to_an_honest_place_is_followed(published: Publisher, tmp_path: Path) -> None:
    def attack(handler: Handler, path: str) -> bool:
        if path.startswith("/there/"):
            handler.answer(200, (handler.folder / path.removeprefix("/there/")).read_bytes())
            return True
        if not path.endswith(MODEL):
            return False
        handler.answer(307, b"", {"Location": f"/there{path}"})
        return True

    with serve(published.tree, attack) as (address, _):
        assert pull_model(Source(address, published.root, tmp_path / "cache"), tmp_path / "out").path.exists()


@pytest.mark.parametrize("address", ["http://models.example/releases", "http://10.0.0.1"])
def test_without_tls_nothing_is_asked(address: str, published: Publisher, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="a step of the way") as caught:
        list_releases(Source(address, published.root, tmp_path / "cache"))
    assert "it has no TLS" in str(caught.value.got)


def test_an_address_elsewhere_does_not_lead_back_to_this_machine(published: Publisher, tmp_path: Path) -> None:
    from imageqx_export.release.web import HopError, WebFetcher

    fetcher = WebFetcher("https://models.example/releases", tmp_path, deadline=1)
    with pytest.raises(HopError, match="back to this machine"):
        fetcher.refuse_hop("http://127.0.0.1:8080/admin")
    with pytest.raises(HopError, match="no TLS"):
        fetcher.refuse_hop("http://models.example/releases")
    WebFetcher("http://models.example/releases", tmp_path, deadline=1, insecure=True)
