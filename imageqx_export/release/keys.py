"""The keys that sign releases: one file a key, encrypted; the root's in a folder of their own, to be kept offline."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ReleaseError
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import describe, read_bytes

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Root

ONLINE = ("targets", "snapshot", "timestamp")
ROLES = ("root", *ONLINE)
TRUSTED_ROOT_FILE = "root.json"
"""Beside the keys: the root that a publisher trusts, and that apps get."""
DAYS = {"root": 730, "targets": 365, "snapshot": 30, "timestamp": 30}
"""For how long each is believed; a server that shows old metadata for ever is found out after the timestamp's."""
_MOST_KEY = 64 * 2**10
_MAGIC = b"openssh-key-v1\0"
KDF_ROUNDS = 16
"""Of bcrypt, as ssh-keygen has them: about 0.4 s a key. PEM's own encryption has 2,048 rounds of PBKDF2."""

MOST_ROUNDS = 1024
"""Of a key that is read, about half a minute's; a damaged file may ask for years."""

Passphrase = Callable[[bool], str]
"""Gives the passphrase of the root's keys, or of the others; asked when a key is read or made."""


def find_files(folder: Path, role: str) -> list[Path]:
    """Return the key files of a role, the oldest first: ``targets-1.key``; the root's in ``root/``."""
    place = folder / "root" if role == "root" else folder
    found = [(int(match[1]), path) for path in _scan(place) if (match := _match(role, path.name))]
    return [path for _, path in sorted(found)]


def make_key(folder: Path, role: str, passphrase: Passphrase, *, rounds: int = KDF_ROUNDS) -> CryptoSigner:
    """Make an ed25519 key of a role, write it encrypted in OpenSSH's format with mode 0600, and return its signer.

    Raises:
        ReleaseError: The passphrase is empty.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
    from securesystemslib.signer import CryptoSigner

    word = _ask(passphrase, role)
    if not word:
        raise ReleaseError("keys are encrypted, and the passphrase is empty", where=role, remedy=_hint(role))
    place = folder / "root" if role == "root" else folder
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    numbers = [int(match[1]) for path in _scan(place) if (match := _match(role, path.name))]
    key = Ed25519PrivateKey.generate()
    encryption = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(rounds).build(word.encode())
    content = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption)
    path = place / f"{role}-{max(numbers, default=0) + 1}.key"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    return CryptoSigner(key)


@dataclass(frozen=True)
class KeyRing:
    """Decrypted keys.

    Args:
        folder: Where they, and the root that is trusted, are.
        signers: Per role its keys, whether or not the newest root still names them.
        days: Per role for how long what it signs is believed.
    """

    folder: Path
    signers: Mapping[str, Sequence[CryptoSigner]]
    days: Mapping[str, float]

    @property
    def trusted(self) -> Path:
        """The root that a publisher trusts."""
        return self.folder / TRUSTED_ROOT_FILE

    def choose(self, role: str, root: Root) -> list[CryptoSigner]:
        """Return the keys of a role that ``root`` names.

        Raises:
            ReleaseError: They are fewer than it asks for.
        """
        wanted = root.roles[role]
        found = [signer for signer in self.signers.get(role, ()) if signer.public_key.keyid in wanted.keyids]
        if len(found) < wanted.threshold:
            place = self.folder / "root" if role == "root" else self.folder
            raise ReleaseError(
                f"too few keys of {role} to sign with",
                where=place,
                expected=f"{wanted.threshold} of the {len(wanted.keyids)} that the root names, as {role}-1.key",
                got=f"{len(found)} of them among {len(find_files(self.folder, role))} files",
                remedy=f"bring the offline keys to {place}" if role == "root" else "name their folder with --keys",
            )
        return found


def open_keys(
    folder: Path, passphrase: Passphrase, roles: Sequence[str] = ONLINE, days: Mapping[str, float] | None = None
) -> KeyRing:
    """Decrypt the keys of some roles.

    Args:
        folder: Where they are.
        passphrase: Decrypts them; not asked where a role has no files.
        roles: Whose.
        days: Other lifetimes than :data:`DAYS`, by role.

    Raises:
        ReleaseError: One cannot be read or decrypted.
    """
    require("tuf")
    signers = {role: [_load(path, role, passphrase) for path in find_files(folder, role)] for role in roles}
    return KeyRing(folder, signers, {**DAYS, **(days or {})})


def _load(path: Path, role: str, passphrase: Passphrase) -> CryptoSigner:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        content = read_bytes(path, _MOST_KEY)
        _refuse_slow(content)
        key = load_ssh_private_key(content, _ask(passphrase, role).encode() or None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("it is no ed25519 key")
        return CryptoSigner(key)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ReleaseError("a key cannot be decrypted", where=path, got=describe(error), remedy=_hint(role)) from error


def _refuse_slow(content: bytes) -> None:
    """Refuse a key whose passphrase would take too long to try.

    Source: OpenSSH's PROTOCOL.key: a magic, the cipher's and the key derivation's names, and the latter's options: a
    salt and how many rounds.

    Raises:
        ValueError: It is no such key, or would take too long.
    """
    body = re.search(rb"(?s)-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", content)
    if body is None:
        raise ValueError("it is no private key in OpenSSH's format")
    inside = base64.b64decode(body[1])
    at, fields = len(_MAGIC), []
    for _ in range(3):
        size = int.from_bytes(inside[at : at + 4], "big")
        fields.append(inside[at + 4 : at + 4 + size])
        at += 4 + size
    rounds = int.from_bytes(fields[2][-4:], "big")
    if rounds > MOST_ROUNDS:
        raise ValueError(
            f"it asks for {rounds:,} rounds of {fields[1].decode('ascii', 'replace')[:40]}, at most {MOST_ROUNDS:,}"
        )


def _scan(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _match(role: str, name: str) -> re.Match[str] | None:
    return re.fullmatch(rf"{role}-([1-9][0-9]{{0,5}})\.key", name)


def _ask(passphrase: Passphrase, role: str) -> str:
    return passphrase(role == "root")


def _hint(role: str) -> str:
    return f"set {'IMAGEQX_ROOT_PASSPHRASE' if role == 'root' else 'IMAGEQX_KEYS_PASSPHRASE'}, or answer the question"
