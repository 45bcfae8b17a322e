"""Keys made, replaced, and kept from expiring: what a release tree's owner does now and then."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ImageQXError, ReleaseError, UnknownNameError
from imageqx_export.release.indexes import write_indexes
from imageqx_export.release.keys import (
    DAYS,
    KDF_ROUNDS,
    ONLINE,
    ROLES,
    TRUSTED_ROOT_FILE,
    KeyRing,
    Passphrase,
    find_files,
    make_key,
    open_keys,
)
from imageqx_export.release.names import METADATA_FOLDER
from imageqx_export.release.roots import publish_roots, replace_key
from imageqx_export.release.signing import (
    MOST,
    TIMESTAMP,
    advance,
    commit,
    find_expiry,
    make_timestamp,
    name_metadata,
    read_root,
    sign,
    verify,
)
from imageqx_export.release.store import Store
from imageqx_export.support.files import write_aside
from imageqx_export.support.libraries import require

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata, Root


def init_keys(
    store: Store,
    folder: Path,
    passphrase: Passphrase,
    *,
    root_keys: int = 1,
    threshold: int = 1,
    days: Mapping[str, float] | None = None,
    rounds: int = KDF_ROUNDS,
) -> None:
    """Make the keys of a new release tree, and the tree with an empty list of releases.

    Args:
        store: Where; nothing may be there yet.
        folder: Where the keys go: the root's into ``root/``, which is to be taken offline; ``root.json`` is public.
        passphrase: Encrypts them.
        root_keys: How many the root has.
        threshold: How many of them must sign a new root.
        days: Other lifetimes than the usual ones, by role.
        rounds: Of the keys' encryption.

    Raises:
        ReleaseError: There are keys or releases already, or the threshold is none.
    """
    require("tuf")
    from tuf.api.metadata import Metadata, Root

    if not 1 <= threshold <= root_keys <= 16:
        raise ReleaseError(
            "no such threshold",
            expected="1 to as many as there are root keys, of which there are at most 16",
            got=f"{threshold} of {root_keys}",
        )
    if store.list_names(METADATA_FOLDER):
        raise ReleaseError("there are releases already", where=store.address, remedy="publish without --init-keys")
    if held := [path for role in ROLES for path in find_files(folder, role)]:
        raise ReleaseError("there are keys already", where=held[0], remedy="name a new folder with --keys")
    lifetimes = {**DAYS, **(days or {})}
    with _delete_unused(store, folder):
        made = {role: [make_key(folder, role, passphrase, rounds=rounds)] for role in ONLINE}
        made["root"] = [make_key(folder, "root", passphrase, rounds=rounds) for _ in range(root_keys)]
        root = Root(version=1, expires=find_expiry(lifetimes["root"]), consistent_snapshot=True)
        for role, signers in made.items():
            for signer in signers:
                root.add_key(signer.public_key, role)
        root.roles["root"].threshold = threshold
        content = sign(Metadata(root), made["root"])
        with write_aside(folder / TRUSTED_ROOT_FILE) as aside:
            aside.write_bytes(content)
        _start(store, KeyRing(folder, made, lifetimes), root, content)


@contextmanager
def _delete_unused(store: Store, folder: Path) -> Iterator[None]:
    """Delete the keys that the block has made where it fails before the tree has their root: it can be tried again.

    Where the tree cannot be asked they stay, as it may have it.
    """
    trusted = folder / TRUSTED_ROOT_FILE
    before = trusted.read_bytes() if trusted.exists() else None
    try:
        yield
    except BaseException:
        with suppress(ImageQXError, OSError):
            ours = trusted.read_bytes() if trusted.exists() else None
            started = ours not in (None, before) and _has(store, name_metadata("root", 1), ours)
            if not started:
                for path in [path for role in ROLES for path in find_files(folder, role)]:
                    path.unlink()
                if ours != before:
                    trusted.unlink()
        raise


def _has(store: Store, name: str, content: bytes | None) -> bool:
    """Say whether a tree has a file of that name with that content."""
    try:
        return store.read(name, MOST["root"]) == content
    except FileNotFoundError:
        return False


def rotate_key(
    store: Store,
    folder: Path,
    role: str,
    passphrase: Passphrase,
    *,
    days: Mapping[str, float] | None = None,
    rounds: int = KDF_ROUNDS,
) -> Path:
    """Make a new key of a role, and let it take the place of the role's oldest one.

    Apps that know the old root follow to the new one, and at no moment a client is refused, wherever this is killed.

    Args:
        store: The release tree.
        folder: The keys, the root's included.
        role: ``"root"``, ``"targets"``, ``"snapshot"`` or ``"timestamp"``.
        passphrase: Decrypts and encrypts them.
        days: Other lifetimes than the usual ones, by role.
        rounds: Of the new key's encryption.

    Returns:
        The old key's file, which may be deleted.

    Raises:
        ReleaseError: Keys are missing, or the tree is not to be trusted.
    """
    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES)
    keys = open_keys(folder, passphrase, ROLES, days)
    root = read_root(store, keys.trusted)
    current = keys.choose(role, root.signed)
    keys.choose("root", root.signed)
    oldest = find_files(folder, role)[list(keys.signers[role]).index(current[0])]
    new = make_key(folder, role, passphrase, rounds=rounds)
    keys = KeyRing(folder, {**keys.signers, role: [*keys.signers[role], new]}, keys.days)
    oldest_id = current[0].public_key.keyid
    roots = replace_key(root, keys.days["root"], role=role, new=new.public_key, oldest=oldest_id)
    for before, one in itertools.pairwise([root, *roots]):
        signers = [signer for authority in (before, one) for signer in keys.choose("root", authority.signed)]
        sign(one, list({signer.public_key.keyid: signer for signer in signers}.values()))
    publish_roots(store, keys, roots, lambda root: _create_root(store, root))
    return oldest


def renew(store: Store, keys: KeyRing) -> None:
    """Sign the newest list again, so that it does not expire; the root is renewed by a rotation of its key.

    Raises:
        ReleaseError: Keys are missing, or the tree is not to be trusted.
    """
    commit(store, keys, lambda targets: True)
    write_indexes(store, keys.trusted)


def _start(store: Store, keys: KeyRing, root: Root, content: bytes) -> None:
    """Write the metadata of a tree without releases; ``1.root.json`` is what only one publisher can create."""
    from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets

    if not store.create(name_metadata("root", 1), content):
        raise ReleaseError("there are releases already", where=store.address, remedy="publish without --init-keys")
    targets = sign(Metadata(Targets(1, expires=find_expiry(keys.days["targets"]))), keys.choose("targets", root))
    meta = {"targets.json": MetaFile.from_data(1, targets, ["sha256"])}
    snapshot = sign(
        Metadata(Snapshot(1, expires=find_expiry(keys.days["snapshot"]), meta=meta)), keys.choose("snapshot", root)
    )
    timestamp = sign(make_timestamp(snapshot, 1, keys.days["timestamp"]), keys.choose("timestamp", root))
    store.create(name_metadata("targets", 1), targets)
    store.create(name_metadata("snapshot", 1), snapshot)
    verify(store, keys, {TIMESTAMP: timestamp})
    store.replace(TIMESTAMP, timestamp)
    advance(store, keys)


def _create_root(store: Store, root: Metadata[Root]) -> None:
    """Write the next root; only one publisher can.

    Raises:
        ReleaseError: Another was quicker.
    """
    if not store.create(name_metadata("root", root.signed.version), root.to_bytes()):
        raise ReleaseError("somebody else has written a new root just now", where=store.address, remedy="run it again")
