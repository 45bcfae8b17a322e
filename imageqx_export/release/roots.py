"""A new root that is signed where the root's keys are, and published elsewhere: proposed, signed, applied.

A proposal is a folder of TUF metadata, ``2.root.json`` and so on, which other tools of TUF can sign too. It goes to
whoever holds keys of the root, one after the other, and comes back; only the signatures change on the way.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ReleaseError, UnknownNameError
from imageqx_export.release.indexes import write_indexes
from imageqx_export.release.keys import KDF_ROUNDS, ROLES, KeyRing, Passphrase, make_key, open_keys
from imageqx_export.release.signing import MOST, commit, find_expiry, name_metadata, read_root, verify
from imageqx_export.release.store import Store
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.files import write_aside
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import name_error, read_bytes

if TYPE_CHECKING:
    from securesystemslib.signer import Key
    from tuf.api.metadata import Metadata, Root

_NAME = re.compile(r"([1-9][0-9]{0,5})\.root\.json")
LAYOUT = Layout("a proposal of roots", (_NAME.pattern,))


@dataclass(frozen=True)
class Proposed:
    """One root of a proposal.

    Args:
        file: Its file.
        version: Its version.
        changes: What it changes, in words.
        signatures: How many keys that must sign it have.
        needed: How many must; the larger number where the root before it asks for another.
    """

    file: Path
    version: int
    changes: tuple[str, ...]
    signatures: int
    needed: int

    @property
    def complete(self) -> bool:
        """Whether it can be published."""
        return self.signatures >= self.needed


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
        ReleaseError: The role has no key here, or the tree is not to be trusted.
    """
    require("tuf")
    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES)
    keys = open_keys(folder, passphrase, () if role == "root" else (role,), days)
    root = read_root(store, keys.trusted)
    LAYOUT.refuse_other(out)
    with write_aside(keys.trusted) as aside:  # what the proposal follows, which whoever signs must trust too
        aside.write_bytes(root.to_bytes())
    lifetime = keys.days["root"]
    if role == "root":
        roots = [make_next(root, lifetime, role=role)]
    else:
        oldest = keys.choose(role, root.signed)[0].public_key.keyid
        new = make_key(folder, role, passphrase, rounds=rounds).public_key
        joined = make_next(root, lifetime, role=role, add=new)
        roots = [joined, make_next(joined, lifetime, role=role, drop=oldest)]
    with stage_folder(out, LAYOUT) as staging:
        for one in roots:
            (staging.path / f"{one.signed.version}.root.json").write_bytes(one.to_bytes())
        staging.publish()
    return _describe(out, root, roots)


def sign_roots(proposal: Path, folder: Path, passphrase: Passphrase) -> list[Proposed]:
    """Add the signatures of the root's keys that are here, and say how many are there and needed.

    Args:
        proposal: Its folder.
        folder: Holds ``root/`` with keys, and ``root.json``, which the proposal must follow.
        passphrase: Decrypts them.

    Raises:
        ReleaseError: It is no proposal, does not follow ``root.json``, or none of the keys may sign it.
    """
    require("tuf")
    keys = open_keys(folder, passphrase, ("root",))
    trusted, roots = _read_trusted(keys), _read(proposal)
    _refuse_gap(proposal, trusted, roots)
    before, signed = trusted, 0
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
        with write_aside(proposal / f"{one.signed.version}.root.json") as aside:
            aside.write_bytes(one.to_bytes())
    return _describe(proposal, trusted, roots)


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
    trusted, roots = _read_trusted(keys), _read(proposal)
    _refuse_gap(proposal, trusted, roots)
    proposed = _describe(proposal, trusted, roots)
    if missing := [one for one in proposed if not one.complete]:
        raise ReleaseError(
            "too few keys of root have signed",
            where=missing[0].file,
            expected=f"{missing[0].needed} signatures",
            got=str(missing[0].signatures),
            remedy=f"imageqx keys sign {proposal} --keys KEYS, where the root's keys are",
        )
    for number, one in enumerate(roots):
        _publish(store, keys, one)
        if number < len(roots) - 1:
            commit(store, _keep(keys, roots[-1].signed), lambda targets: True)
            write_indexes(store, keys.trusted)
    with write_aside(keys.trusted) as aside:
        aside.write_bytes(roots[-1].to_bytes())
    return proposed


def _publish(store: Store, keys: KeyRing, root: Metadata[Root]) -> None:
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


def _read(proposal: Path) -> list[Metadata[Root]]:
    """Return the roots of a proposal in their order; raise ReleaseError where it is none."""
    from tuf.api.metadata import Metadata, Root

    found = [path for path in proposal.iterdir() if _NAME.fullmatch(path.name)] if proposal.is_dir() else []
    roots = []
    for path in sorted(found, key=lambda path: int(path.name.partition(".")[0])):
        with translate_errors(
            lambda error, path=path: ReleaseError("not a root", where=path, got=name_error(error))  # type: ignore[misc]
        ):
            roots.append(Metadata[Root].from_bytes(read_bytes(path, MOST["root"])))
            if path.name != f"{roots[-1].signed.version}.root.json":
                raise ValueError(f"it says that it is version {roots[-1].signed.version}")
    if not roots:
        raise ReleaseError(
            "no proposal there", where=proposal, expected="2.root.json and so on", remedy="imageqx keys propose ROLE"
        )
    return roots


def _read_trusted(keys: KeyRing) -> Metadata[Root]:
    from tuf.api.metadata import Metadata, Root

    with translate_errors(lambda error: ReleaseError("not a root", where=keys.trusted, got=name_error(error))):
        return Metadata[Root].from_bytes(read_bytes(keys.trusted, MOST["root"]))


def _refuse_gap(proposal: Path, trusted: Metadata[Root], roots: Sequence[Metadata[Root]]) -> None:
    """Refuse a proposal that is not what comes after the root that is trusted here.

    Raises:
        ReleaseError: It is not.
    """
    versions = [one.signed.version for one in roots]
    wanted = [trusted.signed.version + 1 + number for number in range(len(roots))]
    if versions != wanted:
        raise ReleaseError(
            "the proposal does not follow the root that is trusted here",
            where=proposal,
            expected=" and ".join(f"{one}.root.json" for one in wanted),
            got=" and ".join(f"{one}.root.json" for one in versions),
            remedy="bring the newest root.json here, or propose again",
        )


def _describe(proposal: Path, before: Metadata[Root], roots: Sequence[Metadata[Root]]) -> list[Proposed]:
    found = []
    for one in roots:
        sides = [
            judge.signed.get_verification_result("root", one.signed_bytes, one.signatures) for judge in (before, one)
        ]
        least = min(sides, key=lambda side: len(side.signed) - side.threshold)
        file = proposal / f"{one.signed.version}.root.json"
        changes = tuple(_list_changes(before.signed, one.signed))
        found.append(Proposed(file, one.signed.version, changes, len(least.signed), least.threshold))
        before = one
    return found


def _list_changes(old: Root, new: Root) -> list[str]:
    changes = [f"is believed until {new.expires:%Y-%m-%d}"]
    for role in ROLES:
        was, now = old.roles[role], new.roles[role]
        changes += [f"{role} gets the key {key[:12]}" for key in now.keyids if key not in was.keyids]
        changes += [f"{role} loses the key {key[:12]}" for key in was.keyids if key not in now.keyids]
        changes += [f"{role} asks for {now.threshold} keys, not {was.threshold}"] * (now.threshold != was.threshold)
    return changes
