"""A release tree's signed metadata: made, read back and trusted, changed, and moved on in one step.

Roots lead from the one that the publisher trusts to the newest. Of the others a state is ``N.snapshot.json``, the
targets that it names, and the timestamp that points to it, whose version is N too. A change writes its targets, is
verified by The Update Framework's own client, and then creates ``N+1.snapshot.json``, which exactly one publisher can:
that is the step in which it happens. ``timestamp.json`` follows, by whoever finds the snapshot, so that a publisher
that was killed in between is no more than late.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ImageQXError, ReleaseError
from imageqx_export.release.keys import KeyRing
from imageqx_export.release.names import METADATA_FOLDER
from imageqx_export.release.store import Store
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.untrusted import name_error, read_bytes

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

MOST = {"root": 512_000, "timestamp": 16_384, "snapshot": 2_000_000, "targets": 5_000_000}
"""Bytes of each kind of metadata, as tuf's client has them."""
_ATTEMPTS = 20

Change = Callable[["Targets"], bool]
"""Changes the signed list of files; returns whether there was anything to change."""


@dataclass(frozen=True)
class State:
    """What a release tree says now, each with a signature that the one before allows."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]


def find_expiry(days: float) -> datetime:
    """Return the time in so many days, to the second, as metadata have it."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def name_metadata(role: str, version: int) -> str:
    """Return the name of a version of a role's metadata in the tree."""
    return f"{METADATA_FOLDER}/{version}.{role}.json"


TIMESTAMP = f"{METADATA_FOLDER}/timestamp.json"


def sign(metadata: Metadata, signers: list[CryptoSigner]) -> bytes:  # type: ignore[type-arg]
    """Sign metadata by all signers and return them as they are written."""
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def parse_root(content: bytes, before: Metadata[Root] | None = None) -> Metadata[Root]:
    """Return a root that enough of its own keys have signed, and of those of the one before it.

    Args:
        content: Its bytes.
        before: The one before; None where the root is trusted for another reason.

    Raises:
        RepositoryError: Signatures are missing, or it is no root.
        ValueError: It is no root, or not the next one.
    """
    from tuf.api.metadata import Metadata, Root

    root = Metadata[Root].from_bytes(content)
    for authority in (before or root, root):
        authority.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    if before is not None and root.signed.version != before.signed.version + 1:
        raise ValueError(f"it says that it is version {root.signed.version}")
    return root


def read_root(store: Store, trusted: Path) -> Metadata[Root]:
    """Return the newest root that the trusted one leads to.

    Args:
        store: The release tree.
        trusted: A root that is trusted, as the one beside the keys.

    Raises:
        ReleaseError: It cannot be read, or the tree's next one is not signed by it.
    """
    with translate_errors(lambda error: _explain(error, trusted)):
        root = parse_root(read_bytes(trusted, MOST["root"]))
    while True:
        name = name_metadata("root", root.signed.version + 1)
        try:
            content = store.read(name, MOST["root"])
        except FileNotFoundError:
            return root
        with translate_errors(lambda error, name=name: _explain(error, f"{store.address}/{name}")):  # type: ignore[misc]
            root = parse_root(content, root)


def read_state(store: Store, trusted: Path) -> State:
    """Return what a release tree says now. Expired metadata are read too: a publisher is who renews them.

    Raises:
        ReleaseError: There is no such tree, or something in it is not signed as it must be.
    """
    from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

    root = read_root(store, trusted)
    try:
        content = store.read(TIMESTAMP, MOST["timestamp"])
    except FileNotFoundError as error:
        raise ReleaseError(
            "no releases there",
            where=store.address,
            remedy="imageqx publish --init-keys --keys KEYS --to " + store.address,
        ) from error
    with translate_errors(lambda error: _explain(error, f"{store.address}/{TIMESTAMP}")):
        timestamp = Metadata[Timestamp].from_bytes(content)
        root.signed.verify_delegate("timestamp", timestamp.signed_bytes, timestamp.signatures)
        wanted = timestamp.signed.snapshot_meta
        content = store.read(name_metadata("snapshot", wanted.version), MOST["snapshot"])
        wanted.verify_length_and_hashes(content)
        snapshot = Metadata[Snapshot].from_bytes(content)
        root.signed.verify_delegate("snapshot", snapshot.signed_bytes, snapshot.signatures)
        listed = snapshot.signed.meta["targets.json"]
        content = store.read(name_metadata("targets", listed.version), MOST["targets"])
        listed.verify_length_and_hashes(content)
        targets = Metadata[Targets].from_bytes(content)
        root.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    return State(root, timestamp, snapshot, targets)


def commit(store: Store, keys: KeyRing, change: Change) -> bool:
    """Change the signed list of files in one step, whoever else is publishing; return whether there was a change.

    Args:
        store: The release tree; every file that the list will name is there already.
        keys: Those that publish; the root's are not needed.
        change: Gets a copy of the newest list, again where another publisher was quicker.

    Raises:
        ReleaseError: A key is missing, the tree is not to be trusted, or others publish without end.
    """
    advance(store, keys)
    for _ in range(_ATTEMPTS):
        state = read_state(store, keys.trusted)
        targets = copy.deepcopy(state.targets)
        if not change(targets.signed):
            return False
        if _try(store, keys, state, targets):
            return True
        advance(store, keys)
    raise ReleaseError("others are publishing all the time", where=store.address, remedy="run it again")


def advance(store: Store, keys: KeyRing) -> None:
    """Point ``timestamp.json`` to the newest snapshot, which a publisher that was killed may not have done.

    Raises:
        ReleaseError: A snapshot is in the way that no key of this tree signed.
    """
    while True:
        with store.hold():
            state = read_state(store, keys.trusted)
            name = name_metadata("snapshot", state.snapshot.signed.version + 1)
            try:
                content = store.read(name, MOST["snapshot"])
            except FileNotFoundError:
                return
            root = state.root.signed
            timestamp = make_timestamp(content, state.snapshot.signed.version + 1, keys.days["timestamp"])
            written = sign(timestamp, keys.choose("timestamp", root))
            verify(store, keys, {TIMESTAMP: written})
            store.replace(TIMESTAMP, written)


def make_timestamp(snapshot: bytes, version: int, days: float) -> Metadata[Timestamp]:
    """Return the unsigned timestamp that points to a snapshot."""
    from tuf.api.metadata import Metadata, MetaFile, Timestamp

    meta = MetaFile.from_data(version, snapshot, ["sha256"])
    return Metadata(Timestamp(version=version, expires=find_expiry(days), snapshot_meta=meta))


def _try(store: Store, keys: KeyRing, state: State, targets: Metadata[Targets]) -> bool:
    """Write a changed list and the snapshot that names it; return False where another publisher was quicker."""
    from tuf.api.metadata import Metadata, MetaFile, Snapshot

    root = state.root.signed
    names = store.list_names(METADATA_FOLDER)
    taken = [int(name.split(".")[0]) for name in names if name.endswith(".targets.json") and name[0].isdigit()]
    targets.signed.version = max([*taken, state.targets.signed.version]) + 1
    targets.signed.expires = find_expiry(keys.days["targets"])
    content = sign(targets, keys.choose("targets", root))
    if not store.create(name_metadata("targets", targets.signed.version), content):
        return False
    version = state.snapshot.signed.version + 1
    meta = {"targets.json": MetaFile.from_data(targets.signed.version, content, ["sha256"])}
    snapshot = Metadata(Snapshot(version=version, expires=find_expiry(keys.days["snapshot"]), meta=meta))
    written = sign(snapshot, keys.choose("snapshot", root))
    timestamp = sign(make_timestamp(written, version, keys.days["timestamp"]), keys.choose("timestamp", root))
    name = name_metadata("snapshot", version)
    verify(store, keys, {name: written, TIMESTAMP: timestamp})
    if not store.create(name, written):
        return False
    advance(store, keys)
    return True


def verify(store: Store, keys: KeyRing, pending: Mapping[str, bytes]) -> None:
    """Let The Update Framework's own client read the tree as it would be with the ``pending`` files.

    Raises:
        ReleaseError: It would refuse it.
    """
    from tuf.ngclient import Updater, UpdaterConfig

    from imageqx_export.release.fetchers import StoreFetcher

    trusted = read_bytes(keys.trusted, MOST["root"])
    with temporary_folder("release") as folder, translate_errors(lambda error: _explain(error, store.address)):
        fetcher = StoreFetcher(store, pending)
        config = UpdaterConfig(prefix_targets_with_hash=False)
        address = f"{fetcher.address}/{METADATA_FOLDER}"
        Updater(str(folder), address, fetcher=fetcher, config=config, bootstrap=trusted).refresh()


def _explain(error: Exception, where: str | Path) -> ImageQXError:
    return ReleaseError(
        "the release tree is not signed as it must be",
        where=where,
        got=name_error(error),
        remedy="if a file there was changed by somebody else, put the tree back from a copy",
    )
