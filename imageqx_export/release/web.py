"""The one way over the web: every hop checked, every wait bounded, a download that goes on where it stopped."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    RepositoryError,
)
from tuf.ngclient import FetcherInterface

from imageqx_export.errors import ReleaseError

MOST_HOPS = 5
LONGEST_SILENCE = 10.0
"""Seconds without a byte after which a server is given up."""
CHUNK = 2**16
_REDIRECTS = (301, 302, 303, 307, 308)


class SilentServerError(DownloadError):
    """A server that said nothing for too long, or went on for too long."""


class CutOffError(DownloadError):
    """An answer that ended before it was whole."""


class HopError(DownloadError):
    """A step of the way that is not taken."""


class WebFetcher(FetcherInterface):
    """A fetcher of files for tuf's client.

    Args:
        address: Of the release tree; what it begins with decides whether plain http is taken at all.
        parts: A folder for downloads that are not whole yet.
        deadline: Seconds for everything together.
        insecure: Whether plain http is taken from anywhere.
        advance: Called with the bytes of each piece that came.
    """

    def __init__(
        self,
        address: str,
        parts: Path,
        *,
        deadline: float,
        insecure: bool = False,
        advance: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._loopback = _is_loopback(urlsplit(address).hostname)
        self._insecure = insecure
        self._parts = parts
        self._seconds = deadline
        self._end = time.monotonic() + deadline
        self._resumable = ""
        self.advance = advance
        self.refuse_hop(address)

    @contextmanager
    def resume(self, url_end: str) -> Iterator[None]:
        """Let the download of an address with this end go on where an earlier one stopped, for the block."""
        self._resumable = url_end
        try:
            yield
        finally:
            self._resumable = ""

    def refuse_hop(self, url: str) -> None:
        """Refuse an address that would be asked without TLS off loopback, or on loopback from elsewhere.

        Raises:
            HopError: It would.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise HopError(f"no address: {url[:200]}") from error
        if parts.scheme not in ("http", "https") or not host or re.search(r"[\x00-\x20\x7f]", url):
            raise HopError(f"no web address: {url[:200]}")
        if _is_loopback(host) and not self._loopback:
            raise HopError(f"it leads back to this machine: {url[:200]}")
        if parts.scheme == "http" and not self._insecure and not _is_loopback(host):
            raise HopError(f"it has no TLS: {url[:200]}")

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._stream(url, 0, lambda start: None)

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Give a file with what an address has; of one that is resumed, what came is kept where the rest does not."""
        if not self._resumable or not url.endswith(self._resumable):
            with tempfile.TemporaryFile() as file:
                self._append(url, file, max_length)
                file.seek(0)
                yield file
            return
        part = self._parts / f"{hashlib.sha256(f'{url} {max_length}'.encode()).hexdigest()}.part"
        with part.open("a+b") as file:
            if file.tell() < max_length:
                self._append(url, file, max_length)
            file.seek(0)
            try:
                yield file
            except RepositoryError:  # these bytes lead nowhere
                part.unlink(missing_ok=True)
                raise
        part.unlink(missing_ok=True)

    def _append(self, url: str, file: IO[bytes], most: int) -> None:
        def begin(start: int) -> None:
            file.truncate(start)
            file.seek(start)

        with closing(self._stream(url, file.tell(), begin)) as chunks:  # an error must not keep the connection
            for chunk in chunks:
                if file.tell() + len(chunk) > most:
                    file.truncate(0)
                    raise DownloadLengthMismatchError(f"more than the {most} bytes that were signed")
                file.write(chunk)
        file.flush()

    def _stream(self, url: str, start: int, begin: Callable[[int], None]) -> Generator[bytes]:
        """Yield what an address has from a byte on; ``begin`` is told from which the server really starts."""
        for _ in range(MOST_HOPS + 1):
            self.refuse_hop(url)
            with self._ask(url, start) as response:
                if response.status in _REDIRECTS and response.headers["Location"]:
                    url = _follow(url, response.headers["Location"])
                    continue
                if response.status not in (200, 206):
                    raise DownloadHTTPError(f"the server answered {response.status} for {url}", response.status)
                begin(_find_start(response, start))
                yield from self._read(response, url)
                return
        raise HopError(f"more than {MOST_HOPS} redirects: {url[:200]}")

    def _read(self, response: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
        while chunk := response.read1(CHUNK):
            self._refuse_late(url)
            self.advance(len(chunk))
            yield chunk
        self._refuse_late(url)
        if response.length:
            raise CutOffError(f"{response.length} bytes are missing: {url}")

    def _refuse_late(self, url: str) -> None:
        if time.monotonic() >= self._end:
            raise SilentServerError(f"not done after {self._seconds:g} s: {url}")

    @contextmanager
    def _ask(self, url: str, start: int) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(url)
        self._refuse_late(url)
        left = self._end - time.monotonic()
        connection = _connect(parts.scheme, parts.hostname or "", parts.port, min(LONGEST_SILENCE, left))
        held: list[object] = []
        watch = threading.Timer(
            left, _hang_up, [connection, held]
        )  # a byte now and then would reset every other timeout
        watch.daemon = True
        watch.start()
        headers = {"Accept-Encoding": "identity", "User-Agent": "imageqx-export"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
            held.append(connection.sock)  # which the connection lets go of where the answer says that it closes
            with connection.getresponse() as response:
                yield response
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            if isinstance(error, TimeoutError) or time.monotonic() > self._end:
                raise SilentServerError(f"no answer: {url}") from error
            if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionResetError):
                raise CutOffError(f"the connection was cut: {url}") from error
            raise DownloadError(f"{error}: {url}") from error
        finally:
            watch.cancel()
            connection.close()


def is_web(address: str) -> bool:
    """Tell whether an address is one of the web."""
    return re.match(r"https?://", address) is not None


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _follow(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise HopError(f"no address: {location[:200]}") from error


def _connect(scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, through the proxy that the environment names where it names one; TLS goes through it."""

    def make(host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=timeout)

    proxy = _find_proxy(scheme, host, port)
    if proxy is None:
        return make(host, port)
    connection = make(proxy.hostname or "", proxy.port or 80)
    headers = {}
    if proxy.username is not None:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    connection.set_tunnel(host, port, headers)
    return connection


def _find_proxy(scheme: str, host: str, port: int | None) -> SplitResult | None:
    """Return the proxy of ``HTTPS_PROXY``, ``HTTP_PROXY`` or ``ALL_PROXY``; ``NO_PROXY`` and loopback spare a host.

    ``NO_PROXY`` may name a host with a port; it then spares that port alone.

    Raises:
        HopError: It is of a kind that is not spoken here.
    """
    proxies = getproxies()
    named = proxies.get(scheme) or proxies.get("all")
    spared = proxy_bypass(host) or (port is not None and proxy_bypass(f"{host}:{port}"))
    if not named or _is_loopback(host) or spared:
        return None
    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        known = proxy.scheme == "http" and bool(proxy.hostname) and proxy.port != 0
    except ValueError:
        known = False
    if not known:
        kind = named.partition("://")[0] if "://" in named else "another"
        raise HopError(f"the proxy that the environment names is a {kind[:20]} one, and only http:// ones are spoken")
    return proxy


def _hang_up(connection: http.client.HTTPConnection, held: list[object]) -> None:
    line = connection.sock or next(iter(held), None)
    if isinstance(line, socket.socket):
        try:
            line.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _find_start(response: http.client.HTTPResponse, wanted: int) -> int:
    """Return the byte that an answer starts with.

    Raises:
        ReleaseError: The server names another one than was asked for.
    """
    if response.status == 200:
        return 0
    found = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != wanted:
        raise ReleaseError("the server sends another part of the file than was asked for", got=str(found and found[0]))
    return wanted
