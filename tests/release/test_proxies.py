"""A pull through a proxy that the environment names, which sees no more than a tunnel."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from imageqx_export.errors import ReleaseError
from imageqx_export.release.client import Source
from imageqx_export.release.pull import list_releases
from tests.release.servers import Handler, serve
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


def make_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return what a server of HOST needs, and the certificate of the authority that vouches for it."""
    now = datetime.now(UTC)

    def certify(
        name: str, key: EllipticCurvePrivateKey, by: EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> bytes:
        subject, signer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, "authority"))
        builder = x509.CertificateBuilder(signer, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        for one in extensions:
            builder = builder.add_extension(one, critical=isinstance(one, x509.BasicConstraints))
        return builder.sign(by, SHA256()).public_bytes(Encoding.PEM)

    authority, own = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    signs = x509.KeyUsage(
        False, False, False, False, False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
    )
    is_authority = x509.BasicConstraints(ca=True, path_length=None)
    its_key = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    (folder / "ca.pem").write_bytes(certify("authority", authority, authority, is_authority, its_key, signs))
    private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    vouched = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(its_key)
    (folder / "server.pem").write_bytes(private + certify(HOST, own, authority, names, vouched))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, folder / "ca.pem"


def test_tls_reaches_through_the_proxy_to_the_server(
    published: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = make_tls(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    headers: list[dict[str, str]] = []

    def watch(handler: Handler, path: str) -> bool:
        headers.append({name.lower(): value for name, value in handler.headers.items()})
        return False

    with serve(published.tree, watch, context) as (address, _), serve_proxy(address) as (port, asked):
        monkeypatch.setenv("https_proxy", f"http://name:secret@127.0.0.1:{port}")
        assert len(ask(published, f"https://{HOST}/", tmp_path / "cache")) == 2
        seen = len(headers)
        with pytest.raises(ReleaseError) as caught:
            ask(published, "https://other.example/", tmp_path / "other")
        assert "not valid for 'other.example'" in str(caught.value.got)
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(ReleaseError, match="CERTIFICATE_VERIFY_FAILED"):
            ask(published, f"https://{HOST}/", tmp_path / "unknown")
    assert {where for where, _ in asked} == {f"{HOST}:443", "other.example:443"}
    assert all(printed is not None for _, printed in asked)
    assert seen == len(headers) > 0 and {one["host"] for one in headers} == {HOST}
    assert not any("proxy-authorization" in one for one in headers)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1:x"])
def test_what_is_not_spoken_is_said(
    proxy: str, published: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(ReleaseError) as caught:
        ask(published, f"http://{HOST}/", tmp_path / "cache")
    assert "only http:// ones are spoken" in str(caught.value)
