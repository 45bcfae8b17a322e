"""How tuf's client gets files that are not on the web: from a store, or from what was pulled before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from imageqx_export.release.store import Store
from imageqx_export.support.untrusted import read_bytes

_MOST = 2**33


class StoreFetcher(FetcherInterface):
    """A fetcher that reads a store.

    Args:
        store: The release tree.
        pending: Files that are as good as there, by name.
        advance: Called with the bytes of each piece that was read.
    """

    address = "store://"

    def __init__(
        self,
        store: Store,
        pending: Mapping[str, bytes] | None = None,
        advance: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._store = store
        self._advance = advance
        self._pending = pending or {}

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.removeprefix(self.address).lstrip("/")
        if name in self._pending:
            return iter([self._pending[name]])
        try:
            content = self._store.read(name, _MOST)
        except FileNotFoundError as error:
            raise DownloadHTTPError("no such file", 404) from error
        self._advance(len(content))
        return iter([content])


class CacheFetcher(FetcherInterface):
    """What gives tuf's client the metadata that it wrote into its own folder before, and no newer ones.

    Args:
        folder: tuf's metadata folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.rpartition("/")[2]
        version, _, role = name.partition(".")
        if role == "root.json":  # those that are known are in root_history
            raise DownloadHTTPError("offline", 404)
        try:
            return iter([read_bytes(self._folder / (role if version.isdigit() else name))])
        except FileNotFoundError as error:
            raise DownloadHTTPError("offline", 404) from error
