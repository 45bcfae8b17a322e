"""A new root that is signed where the root's keys are, and published elsewhere: proposed, signed, applied.

A proposal goes to whoever holds keys of the root, one after the other, and comes back; only the signatures change on
the way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ReleaseError, UnknownNameError
from imageqx_export.release.indexes import write_indexes
from imageqx_export.release.keys import KDF_ROUNDS, ROLES, KeyRing, Passphrase, make_key, open_keys
from imageqx_export.release.proposals import LAYOUT, Proposal, Proposed, read_proposal, read_published, write_proposal
from imageqx_export.release.signing import MOST, commit, find_expiry, name_metadata, read_root, verify
from imageqx_export.release.store import Store
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.files import write_aside
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import name_error

if TYPE_CHECKING:
    from securesystemslib.signer import Key
    from tuf.api.metadata import Metadata, Root


def make_next(
    old: Metadata[Root], days: float, *, role: str, add: Key | None = None, drop: str | None = None
) -> Metadata[Root]:
    """Return the unsigned root that comes after one.

    Args:
        old: The one before.
        days: For how long it is believed.
        role: Whose keys change.
        add: A key that the role gets.
        drop: The id of one that it loses.
    """
    new = copy.deepcopy(old)
    new.signatures.clear()
    new.signed.version += 1
    new.signed.expires = find_expiry(days)
    if add is not None:
        new.signed.add_key(add, role)
    if drop is not None:
        new.signed.revoke_key(drop, role)
    return new


def replace_key(old: Metadata[Root], days: float, *, role: str, new: Key, oldest: str) -> list[Metadata[Root]]:
    """Return the unsigned roots that put a key in the place of another, for :func:`publish_roots`.

    Of the roles that sign releases the new key joins first, signs, and the old one goes then, so that at no moment a
    client is refused.

    Args:
        old: The root before.
        days: For how long each is believed.
        role: Whose key it is.
        new: The key.
        oldest: The id of the one that goes.
    """
    if role == "root":
        return [make_next(old, days, role=role, add=new, drop=oldest)]
    joined = make_next(old, days, role=role, add=new)
    return [joined, make_next(joined, days, role=role, drop=oldest)]


def publish_roots(
    store: Store, keys: KeyRing, roots: Sequence[Metadata[Root]], write: Callable[[Metadata[Root]], None]
) -> None:
    """Publish roots in order, and let the keys that the last one names sign the list of releases before that.

    Killed anywhere, nobody is refused.

    Args:
        store: The release tree.
        keys: Those that publish.
        roots: Signed.
        write: Writes one of them.
    """
    for number, one in enumerate(roots):
        if number:
            commit(store, _keep(keys, roots[-1].signed), lambda targets: True)
            write_indexes(store, keys.trusted)
        write(one)
    with write_aside(keys.trusted) as aside:
        aside.write_bytes(roots[-1].to_bytes())


def propose_roots(
    store: Store,
    folder: Path,
    role: str,
    out: Path,
    passphrase: Passphrase,
    *,
    days: Mapping[str, float] | None = None,
    rounds: int = KDF_ROUNDS,
) -> list[Proposed]:
    """Write the unsigned roots that put a new key in the place of a role's oldest; the root's keys are not needed.

    Of ``"root"`` nothing but the time changes for which it is believed: its keys are made where they stay.

    Args:
        store: The release tree.
        folder: The keys that publish, and ``root.json``; the new key goes there too, and signs once it is named.
        role: ``"root"``, ``"targets"``, ``"snapshot"`` or ``"timestamp"``.
        out: The proposal's folder; an earlier proposal there is replaced.
        passphrase: Encrypts the new key.
        days: Other lifetimes than the usual ones, by role.
        rounds: Of the new key's encryption.

    Raises:
        ReleaseError: The role has no key here, or the tree is not to be trusted, or has lost a root.
    """
    require("tuf")
    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES)
    keys = open_keys(folder, passphrase, () if role == "root" else (role,), days)
    root = read_root(store, keys.trusted)
    published = read_published(store, root)
    LAYOUT.refuse_other(out)
    with write_aside(keys.trusted) as aside:  # what the proposal follows, which whoever signs must trust too
        aside.write_bytes(root.to_bytes())
    lifetime = keys.days["root"]
    if role == "root":
        roots = [make_next(root, lifetime, role=role)]
    else:
        oldest = keys.choose(role, root.signed)[0].public_key.keyid
        new = make_key(folder, role, passphrase, rounds=rounds).public_key
        roots = replace_key(root, lifetime, role=role, new=new, oldest=oldest)
    return write_proposal(out, published, root, roots).describe()


def sign_roots(proposal: Proposal, folder: Path, passphrase: Passphrase) -> list[Proposed]:
    """Add the signatures of the root's keys that are here, and say how many are there and needed.

    Args:
        proposal: As it was read, and described to whoever decides.
        folder: Holds ``root/`` with keys, and ``root.json``, which becomes the root that the proposal follows.
        passphrase: Decrypts them.

    Raises:
        ReleaseError: None of the keys may sign it.
    """
    keys = open_keys(folder, passphrase, ("root",))
    before, roots, signed = proposal.trusted, copy.deepcopy(proposal.roots), 0
    for one in roots:
        allowed = {*before.signed.roles["root"].keyids, *one.signed.roles["root"].keyids}
        signers = [signer for signer in keys.signers["root"] if signer.public_key.keyid in allowed]
        for signer in signers:
            with translate_errors(lambda error: ReleaseError("the proposal cannot be signed", got=name_error(error))):
                one.sign(signer, append=True)
        signed += len(signers)
        before = one
    if not signed:
        raise ReleaseError(
            "no key here may sign the proposal",
            where=folder / "root",
            expected="a key that root.json names, as root-1.key",
            got=f"{len(keys.signers['root'])} keys",
        )
    for one in roots:
        with write_aside(proposal.name_file(one)) as aside:
            aside.write_bytes(one.to_bytes())
    with write_aside(keys.trusted) as aside:
        aside.write_bytes(proposal.trusted.to_bytes())
    return Proposal(proposal.folder, proposal.trusted, roots).describe()


def apply_roots(
    store: Store, folder: Path, proposal: Path, passphrase: Passphrase, *, days: Mapping[str, float] | None = None
) -> list[Proposed]:
    """Publish a proposal that enough keys have signed; between two roots the list of releases is signed by the new key.

    Killed anywhere, nobody is refused, and the same command goes on.

    Args:
        store: The release tree.
        folder: The keys that publish, and ``root.json``.
        proposal: Its folder.
        passphrase: Decrypts them.
        days: Other lifetimes than the usual ones, by role.

    Raises:
        ReleaseError: Signatures are missing, or the tree has another root by now.
    """
    keys = open_keys(folder, passphrase, days=days)
    found = read_proposal(proposal, keys.trusted)
    roots, proposed = found.roots, found.describe()
    if missing := [one for one in proposed if not one.complete]:
        raise ReleaseError(
            "too few keys of root have signed",
            where=missing[0].file,
            expected=f"{missing[0].needed} signatures",
            got=str(missing[0].signatures),
            remedy=f"imageqx keys sign {proposal} --keys KEYS, where the root's keys are",
        )
    publish_roots(store, keys, roots, lambda root: _write_verified(store, keys, root))
    return proposed


def _write_verified(store: Store, keys: KeyRing, root: Metadata[Root]) -> None:
    """Write a root, unless the tree has it already.

    Raises:
        ReleaseError: It has another one of the version, or an app would refuse this one.
    """
    name, content = name_metadata("root", root.signed.version), root.to_bytes()
    try:
        there: bytes | None = store.read(name, MOST["root"])
    except FileNotFoundError:
        there = None
        verify(store, keys, {name: content})
    if there == content or (there is None and store.create(name, content)):
        return
    raise ReleaseError(
        "the tree has another root of this version", where=f"{store.address}/{name}", remedy="propose again"
    )


def _keep(keys: KeyRing, root: Root) -> KeyRing:
    """Return the keys that a root names."""
    named = {role: set(root.roles[role].keyids) for role in keys.signers}
    signers = {role: [one for one in keys.signers[role] if one.public_key.keyid in named[role]] for role in named}
    return KeyRing(keys.folder, signers, keys.days)
