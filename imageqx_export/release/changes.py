"""What a new root changes, in words for whoever is to sign it; what words would hide is refused."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.errors import ReleaseError, shorten
from imageqx_export.release.keys import ROLES

if TYPE_CHECKING:
    from securesystemslib.signer import Key
    from tuf.api.metadata import Root

_LONGEST = 120
_SHOWN_ELSEWHERE = ("version", "expires", "keys", "roles")


def name_key(key: Key) -> str:
    """Return a public key's fingerprint, as ``ssh-keygen -l`` prints it of the key's file.

    Of a key of another kind than ed25519 it is the whole id, which is a digest too.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import ssh_key_fingerprint

    if key.keytype != "ed25519":
        return key.keyid
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
    return "SHA256:" + base64.b64encode(ssh_key_fingerprint(public, SHA256())).decode().rstrip("=")


def refuse_disguised(root: Root, where: Path) -> None:
    """Refuse a root whose keys are not what their ids say: another key under a known id would be signed unseen.

    Args:
        root: What is to be signed.
        where: Its file.

    Raises:
        ReleaseError: A key's id is not its digest, no role uses it, or a role names one that is not there.
        ValueError: A key is none.
    """
    from securesystemslib.formats import encode_canonical

    for keyid, key in root.keys.items():
        content = {"keytype": key.keytype, "scheme": key.scheme, "keyval": key.keyval}
        digest = hashlib.sha256((encode_canonical(content) or "").encode()).hexdigest()
        if keyid != digest:
            raise ReleaseError("a key is not the one that its id says", where=where, expected=digest, got=keyid)
        name_key(key)
    named = {keyid for role in root.roles.values() for keyid in role.keyids}
    if odd := sorted(named ^ set(root.keys)):
        what = "a role names a key that is not there" if odd[0] in named else "no role uses a key that is there"
        raise ReleaseError(what, where=where, got=odd[0])


def list_changes(old: Root, new: Root) -> list[str]:
    """Return whatever a root changes of the one before, a clause each; always until when it is believed."""
    changes = [f"is believed until {new.expires:%Y-%m-%d}"]
    for role in ROLES:
        was, now = old.roles[role], new.roles[role]
        changes += [f"{role} gets the key {name_key(new.keys[key])}" for key in now.keyids if key not in was.keyids]
        changes += [f"{role} loses the key {_name(old, key)}" for key in was.keyids if key not in now.keyids]
        changes += [f"{role} asks for {now.threshold} keys, not {was.threshold}"] * (now.threshold != was.threshold)
        changes += _compare(f"{role}.", was.unrecognized_fields, now.unrecognized_fields)
    both = [key for key in new.keys if key in old.keys and old.keys[key] != new.keys[key]]
    changes += [f"the key {name_key(new.keys[key])} is not what was there under its id" for key in both]
    before, after = ({**root.to_dict()} for root in (old, new))
    for name in _SHOWN_ELSEWHERE:
        del before[name], after[name]
    return [*changes, *_compare("", before, after)]


def _compare(of: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if was != now or (name in old) != (name in new):
            yield f"{of}{shorten(name, _LONGEST)} is {shorten(repr(now), _LONGEST)}, not {shorten(repr(was), _LONGEST)}"


def _name(root: Root, keyid: str) -> str:
    return name_key(root.keys[keyid]) if keyid in root.keys else keyid
