"""The parsers of what a release tree, its keys and its signatures are; those that end in cryptography are native."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.release.client import Source
from imageqx_export.release.diff import find_differences
from imageqx_export.release.keys import open_keys
from imageqx_export.release.model import parse_release
from imageqx_export.release.names import SUMS_FILE, name_folder, parse_wanted, refuse_leaving
from imageqx_export.release.proposals import read_proposal
from imageqx_export.release.provenance import check_statement, open_statement
from imageqx_export.release.pull import list_releases
from imageqx_export.release.signing import read_state
from imageqx_export.release.store import FolderStore
from imageqx_export.release.verify import check_digests
from imageqx_export.support.untrusted import parse_json
from tests.fuzz.parsers import Parser, from_file
from tests.release.tiny import Publisher, make_publisher, passphrase, write_export


def list_release_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser of text, by name."""
    return {
        "release.json": _make_release,
        "name of a release": lambda: Parser(_read_wanted, (b"imageqx@1.2.0-beta.1", b"imageqx@stable", b"imageqx")),
        "path in a release": lambda: Parser(
            lambda data: refuse_leaving(data.decode("utf-8", "replace")), (b"golden/00.png",), check=_find_leaving
        ),
        "SHA256SUMS": _make_sums,
        "statement of provenance": _make_statement,
    }


def list_signed_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser that checks signatures, by name."""
    return {
        **{f"signed {role}": partial(_make_signed, role) for role in ("timestamp", "snapshot", "targets", "root")},
        "trusted root": _make_trusted,
        "proposal of roots": _make_proposal,
        "key of a release": _make_key,
        "envelope of provenance": _make_envelope,
    }


@cache
def _publish() -> Publisher:
    folder = Path(tempfile.mkdtemp())
    publisher = make_publisher(folder)
    publisher.publish(write_export(folder / "export"), "1.0.0")
    return publisher


def _make_release() -> Parser:
    content = (_publish().tree / "imageqx" / "1.0.0" / "release.json").read_bytes()
    right = parse_release(content, "release.json")

    def read(data: bytes) -> object:
        release = parse_release(data, "release.json")
        return release, [(row.what, row.kind) for row in find_differences(right, release)]

    return Parser(read, (content,))


def _read_wanted(data: bytes) -> object:
    wanted = parse_wanted(data.decode("utf-8", "replace"))
    return wanted.version if wanted.version in ("stable", "beta") else name_folder(wanted.model, wanted.version)


def _find_leaving(name: str) -> str | None:
    inside = Path("/tree").joinpath(name).resolve().is_relative_to("/tree")
    return None if inside else f"{name[:80]!r} leaves its folder"


def _make_sums() -> Parser:
    folder = Path(tempfile.mkdtemp()) / "bundle"
    shutil.copytree(_publish().tree / "imageqx" / "1.0.0", folder)
    manifest, content = read_manifest(folder), (folder / SUMS_FILE).read_bytes()

    def read(data: bytes) -> object:
        (folder / SUMS_FILE).write_bytes(data)
        return [check.state for check in check_digests(folder, manifest)]

    return Parser(read, (content,))


def _read_statement() -> tuple[bytes, bytes]:
    """Return the payload of a release's provenance, and the envelope around it."""
    from securesystemslib.dsse import Envelope

    content = (_publish().tree / "imageqx" / "1.0.0" / "provenance.intoto.json").read_bytes()
    return Envelope.from_dict(json.loads(content)).payload, content


def _make_statement() -> Parser:
    return Parser(lambda data: check_statement(parse_json(data)), (_read_statement()[0],))


def _make_envelope() -> Parser:
    ring = open_keys(_publish().keys, passphrase)
    keys = [signer.public_key for signer in ring.signers["targets"]]
    return Parser(lambda data: open_statement(data, keys, 1), (_read_statement()[1],))


def _make_signed(role: str) -> Parser:
    """Of a tree whose newest list, or next root, is the input: read as a publisher does, and as an app."""
    publisher = _publish()
    folder = Path(tempfile.mkdtemp())
    tree = shutil.copytree(publisher.tree, folder / "tree")
    newest = {"timestamp": "timestamp.json", "snapshot": "2.snapshot.json", "targets": "2.targets.json"}
    place = tree / "metadata" / newest.get(role, "1.root.json")
    seed = place.read_bytes()
    changed = place if role != "root" else tree / "metadata" / "2.root.json"

    def read(data: bytes) -> object:
        changed.write_bytes(data)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        state = read_state(FolderStore(tree), publisher.root)
        return state.timestamp.signed.version, list_releases(Source(str(tree), publisher.root, folder / "cache"))

    return Parser(read, (seed,) if role != "root" else (_rotate(publisher, folder),))


def _rotate(publisher: Publisher, folder: Path) -> bytes:
    """Return the next root of a copy of a tree."""
    from imageqx_export.release.ceremony import rotate_key

    other = FolderStore(shutil.copytree(publisher.tree, folder / "rotated"))
    keys = shutil.copytree(publisher.keys, folder / "keys")
    rotate_key(other, keys, "root", passphrase, rounds=1)
    return other.read("metadata/2.root.json", 2**20)


def _make_proposal() -> Parser:
    """Of the next root, read as whoever is to sign it does."""
    publisher = _publish()
    folder = Path(tempfile.mkdtemp())

    def read(data: bytes) -> object:
        (folder / "2.root.json").write_bytes(data)
        return read_proposal(folder, publisher.root).describe()

    return Parser(read, (_rotate(publisher, Path(tempfile.mkdtemp())),))


def _make_trusted() -> Parser:
    publisher, cache_folder = _publish(), Path(tempfile.mkdtemp())

    def read(path: Path) -> object:
        shutil.rmtree(cache_folder, ignore_errors=True)
        return list_releases(Source(str(publisher.tree), path, cache_folder))

    return Parser(from_file("root.json", read), (publisher.root.read_bytes(),))


def _make_key() -> Parser:
    publisher, folder = _publish(), Path(tempfile.mkdtemp())

    def read(data: bytes) -> object:
        (folder / "timestamp-1.key").write_bytes(data)
        return len(open_keys(folder, passphrase, ("timestamp",)).signers["timestamp"])

    return Parser(read, ((publisher.keys / "timestamp-1.key").read_bytes(),))
