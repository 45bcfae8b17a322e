"""Read a release tree, trusting nothing but a root: tuf's client, with what it leaves to others."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.errors import ImageQXError, ReleaseError, shorten
from imageqx_export.release.model import Listed, Release, parse_release
from imageqx_export.release.names import (
    CHANNELS,
    METADATA_FOLDER,
    RELEASE_FILE,
    SUMS_FILE,
    Wanted,
    find_nearest,
    name_folder,
    refuse_leaving,
    sort_key,
)
from imageqx_export.release.refusals import explain
from imageqx_export.support.caches import find_cache
from imageqx_export.support.files import digest, write_aside
from imageqx_export.support.libraries import require
from imageqx_export.support.locks import clear_dead, hold, make_held
from imageqx_export.support.untrusted import UntrustedError, describe, read_bytes, read_json

if TYPE_CHECKING:
    from tuf.ngclient import FetcherInterface, Updater

CACHE_VARIABLE = "IMAGEQX_RELEASES_CACHE"
_MOST_ROOT = 512_000
_PINNED = "pinned.root.json"


@dataclass(frozen=True)
class Source:
    """Where releases come from, and how far it is trusted.

    Args:
        address: A web address, a folder, or what fsspec reads.
        root: The root that is trusted; None for the one of an earlier pull from there.
        cache: A folder that keeps what was pulled; None for the user's.
        offline: Whether nothing is asked but the cache.
        insecure: Whether plain http is taken from elsewhere than this machine.
        deadline: Seconds that everything together may take.
    """

    address: str
    root: Path | None = None
    cache: Path | None = None
    offline: bool = False
    insecure: bool = False
    deadline: float = 600.0


class Releases:
    """A release tree whose list has been verified; files are verified as they come.

    Args:
        updater: tuf's client, refreshed.
        fetcher: What it gets files by.
        folder: The cache's, which is held.
        source: Where they come from.
    """

    def __init__(self, updater: Updater, fetcher: FetcherInterface, folder: Path, source: Source) -> None:
        self._updater = updater
        self._fetcher = fetcher
        self._folder = folder
        self._source = source
        signed = read_json(folder / "metadata" / "targets.json")["signed"]
        self._targets: dict[str, Any] = signed["targets"]

    def list_all(self) -> list[Listed]:
        """Return the releases, the newest first."""
        rows = []
        for name, target in self._targets.items():
            model, _, rest = name.partition("/")
            version, _, file = rest.partition("/")
            if file == RELEASE_FILE:
                custom = target.get("custom")
                channel = custom.get("channel") if isinstance(custom, dict) else None
                with suppress(ImageQXError, ValueError):  # a kind of a newer publisher's
                    sort_key(version)
                    rows.append(Listed(model=model, version=version, channel=str(channel)))
        return sorted(rows, key=lambda row: (row.model, sort_key(row.version)), reverse=True)

    def choose(self, wanted: Wanted) -> str:
        """Return the version that is asked for: itself, or the newest one of a channel.

        Raises:
            ReleaseError: There is none; the nearest ones are named.
        """
        rows = [row for row in self.list_all() if row.model == wanted.model]
        if wanted.version in CHANNELS:
            allowed = CHANNELS[: CHANNELS.index(wanted.version) + 1]
            rows = [row for row in rows if row.channel in allowed]
            if rows:
                return rows[0].version
        elif any(row.version == wanted.version for row in rows):
            return wanted.version
        known = [row.version for row in rows]
        raise ReleaseError(
            f"no release {wanted.model}@{shorten(wanted.version, 60)}",
            where=self._source.address,
            expected=", ".join(find_nearest(wanted.version, known)) or "any release of it: there is none",
            remedy=f"imageqx releases --from {self._source.address}",
        )

    def read(self, model: str, version: str) -> Release:
        """Return a release's own description.

        Raises:
            ReleaseError: It cannot be had, or is not valid.
        """
        name = f"{name_folder(model, version)}/{RELEASE_FILE}"
        path = self.fetch(name)
        try:
            content = read_bytes(path)
        except (OSError, UntrustedError) as error:
            raise ReleaseError("the release's description is not valid", where=name, got=describe(error)) from error
        release = parse_release(content, name)
        if (release.model, release.version) != (model, version):
            raise ReleaseError("the release is another one", expected=f"{model}@{version}", got=release.version)
        return release

    def list_files(self, model: str, version: str) -> list[str]:
        """Return the names of all files of a release, relative to its folder."""
        folder = name_folder(model, version) + "/"
        return sorted(refuse_leaving(name.removeprefix(folder)) for name in self._targets if name.startswith(folder))

    def count_bytes(self, name: str) -> int:
        """Return the signed length of a file of the tree that is not in the cache, and 0 of one that is."""
        target = self._targets.get(name, {})
        return 0 if self._find_cached(target) else int(target.get("length", 0))

    def fetch(self, name: str) -> Path:
        """Return a verified file of the tree, in the cache; it is downloaded where it is not there.

        Raises:
            ReleaseError: The tree does not list it, or what came is not what was signed.
        """
        refuse_leaving(name)
        with explain(self._source.address, self._source.offline):
            target = self._updater.get_targetinfo(name)
        if target is None:
            raise ReleaseError("the release has no such file", where=name, expected=SUMS_FILE + " lists them")
        listed = self._targets[name]
        if cached := self._find_cached(listed):
            return cached
        if self._source.offline:
            raise ReleaseError(
                "the file was not pulled before, and nothing else is asked offline",
                where=name,
                remedy="pull it once without --offline",
            )
        return self._download(name, target)

    def _download(self, name: str, target: Any) -> Path:
        from imageqx_export.release.web import WebFetcher

        place = self._folder / "targets"
        clear_dead(place, ".", ".part")
        with make_held(lambda: _make_aside(place)) as aside:
            try:
                with explain(self._source.address, self._source.offline, name):
                    if isinstance(self._fetcher, WebFetcher):
                        with self._fetcher.resume(name):
                            self._updater.download_target(target, str(aside))
                    else:
                        self._updater.download_target(target, str(aside))
                kept: Path = place / target.hashes["sha256"]
                aside.replace(kept)
            finally:
                aside.unlink(missing_ok=True)
        return kept

    def _find_cached(self, target: dict[str, Any]) -> Path | None:
        sha256 = str(target.get("hashes", {}).get("sha256", ""))
        path = self._folder / "targets" / sha256
        if len(sha256) != 64 or not path.is_file():
            return None
        return path if digest(path) == sha256 else None


@contextmanager
def open_releases(source: Source, advance: Callable[[int], None] = lambda count: None) -> Iterator[Releases]:
    """Give a release tree whose newest list has been verified; its cache is held for the block.

    Args:
        source: Where.
        advance: Called with the bytes of each piece that comes.

    Raises:
        ReleaseError: The list is forged, older than what was seen, expired, cut off, slow, or cannot be had.
    """
    require("tuf")
    from tuf.ngclient import Updater, UpdaterConfig

    with explain(source.address, source.offline):
        folder, root = _find_folder(source)
    with hold(folder):
        metadata = folder / "metadata"
        with explain(source.address, source.offline):
            fetcher, address = _make_fetcher(source, folder, advance)
            updater = Updater(
                str(metadata),
                f"{address}/{METADATA_FOLDER}",
                target_dir=str(folder / "targets"),
                target_base_url=address,
                fetcher=fetcher,
                config=UpdaterConfig(prefix_targets_with_hash=False),
                bootstrap=root,
            )
            updater.refresh()
            releases = Releases(updater, fetcher, folder, source)
        yield releases


def _make_fetcher(source: Source, folder: Path, advance: Callable[[int], None]) -> tuple[FetcherInterface, str]:
    from imageqx_export.release.fetchers import CacheFetcher, StoreFetcher
    from imageqx_export.release.store import open_store
    from imageqx_export.release.web import WebFetcher, is_web

    address = source.address.rstrip("/")
    if source.offline:
        return CacheFetcher(folder / "metadata"), address
    if is_web(address):
        parts = folder / "parts"
        return WebFetcher(address, parts, deadline=source.deadline, insecure=source.insecure, advance=advance), address
    return StoreFetcher(open_store(source.address), advance=advance), StoreFetcher.address


def _find_folder(source: Source) -> tuple[Path, bytes]:
    """Return the cache's folder for an address and the root that is trusted there.

    Raises:
        ReleaseError: No root is given, and none was before.
    """
    base = source.cache or find_cache("releases", CACHE_VARIABLE)
    tree = hashlib.sha256(source.address.rstrip("/").encode()).hexdigest()[:16]
    if source.root is not None:
        root = read_bytes(source.root, _MOST_ROOT)
        folder = base / f"{tree}-{hashlib.sha256(root).hexdigest()[:16]}"
        for part in ("metadata", "targets", "parts"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if not (folder / _PINNED).exists():
            with write_aside(folder / _PINNED) as aside:
                aside.write_bytes(root)
        return folder, root
    found: Sequence[Path] = [path.parent for path in base.glob(f"{tree}-*/{_PINNED}")]
    if len(found) != 1:
        raise ReleaseError(
            "no root is trusted for this address yet" if not found else "several roots were trusted for this address",
            where=source.address,
            remedy="--root root.json, which the publisher gives you by another way than this address",
        )
    return found[0], read_bytes(found[0] / _PINNED, _MOST_ROOT)


def _make_aside(folder: Path) -> str:
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    os.close(handle)
    return name
