"""Publish a release: its files first, then the signed list that names them, in one step that cannot half-happen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ReleaseError, UnknownNameError
from imageqx_export.release.card import GIT_ATTRIBUTES, write_card, write_card_json
from imageqx_export.release.contents import Content, Contents, collect
from imageqx_export.release.indexes import write_indexes
from imageqx_export.release.keys import KeyRing
from imageqx_export.release.maven import VERIFICATION_FILE, write_libraries, write_verification
from imageqx_export.release.model import Listed
from imageqx_export.release.names import (
    CARD_FILE,
    CARD_JSON_FILE,
    CHANNELS,
    PROVENANCE_FILE,
    RELEASE_FILE,
    SBOM_FILE,
    SUMS_FILE,
    name_folder,
    sort_key,
)
from imageqx_export.release.provenance import sign_statement, write_statement
from imageqx_export.release.sbom import write_sbom
from imageqx_export.release.signing import commit, read_state
from imageqx_export.release.store import Store
from imageqx_export.release.swift import write_repositories
from imageqx_export.support.files import digest
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from tuf.api.metadata import Root, TargetFile, Targets

_AT_ONCE = 8
_UNFINISHED = "publish under another version, or with --replace-unfinished where no other publisher is at work"


@dataclass(frozen=True)
class PublishConfig:
    """What is published.

    Args:
        artifacts: An export's folder.
        version: Such as ``"1.2.0"``.
        checkpoint: What the export was made from.
        channel: ``"stable"`` or ``"beta"``.
        reports: Further files, into ``reports/``.
        histories: Of ``imageqx bench``, for the latencies.
        replace_unfinished: Whether files that a killed publish of this version left may be replaced.
    """

    artifacts: Path
    version: str
    checkpoint: Path
    channel: str = "stable"
    reports: Sequence[Path] = ()
    histories: Sequence[Path] = ()
    replace_unfinished: bool = False


@dataclass(frozen=True)
class Published:
    """What came of it.

    Attributes:
        listed: The release in the signed list.
        files: How many files it has.
        size_bytes: Bytes of them all.
        new: Whether the list changed; the same release may be published again, which changes nothing.
    """

    listed: Listed
    files: int
    size_bytes: int
    new: bool


def publish(config: PublishConfig, store: Store, keys: KeyRing, *, progress: Progress = silent) -> Published:
    """Publish an export as a release.

    ``SHA256SUMS`` is created first, which only one publisher of a version can; then the files, each read back; then the
    signed list. Killed anywhere, it leaves the releases that were there as they were, and can be run again.

    Args:
        config: What.
        store: The release tree, which has its keys already.
        keys: The keys that publish.
        progress: Opens a bar over the files.

    Raises:
        ReleaseError: The version is there with other bytes, something is not what it should be, or keys are missing.
    """
    if config.channel not in CHANNELS:
        raise UnknownNameError("channel", config.channel, CHANNELS)
    sort_key(config.version)
    root = read_state(store, keys.trusted).root.signed
    contents = collect(config.artifacts, config.version, config.checkpoint, config.reports, config.histories)
    release = contents.release
    libraries = write_libraries(release, contents.files)
    contents.files[VERIFICATION_FILE] = write_verification(release, libraries)
    files, sums = complete(contents, keys, root)
    derived = {**libraries, **write_repositories(release, contents.files)}
    folder = name_folder(release.model, config.version)
    named = {**{f"{folder}/{name}": content for name, content in files.items()}, **derived}
    digests = {name: _hash(content) for name, content in named.items()}
    listed = Listed(model=release.model, version=config.version, channel=config.channel)
    signed = read_state(store, keys.trusted).targets.signed
    _claim(store, folder, sums, signed, config)
    _refuse_changes(store, signed, digests)
    _upload(store, named, digests, progress)
    targets = _describe_all(named, digests, f"{folder}/{RELEASE_FILE}", config.channel)
    new = commit(store, keys, lambda signed: _list(signed, targets))
    write_indexes(store, keys.trusted)
    return Published(listed, len(named), sum(target.length for target in targets.values()), new)


def complete(contents: Contents, keys: KeyRing, root: Root) -> tuple[dict[str, Content], bytes]:
    """Return a release's files: the export's, what is said of them, and SHA256SUMS, which is returned alone too."""
    files = dict(contents.files)
    files[RELEASE_FILE] = (contents.release.model_dump_json(indent=1) + "\n").encode()
    files[CARD_FILE] = write_card(contents)
    files[CARD_JSON_FILE] = write_card_json(contents)
    files[".gitattributes"] = (GIT_ATTRIBUTES + "\n").encode()
    files[SBOM_FILE] = write_sbom(contents)
    digests = {name: _hash(content) for name, content in files.items()}
    statement = write_statement(contents, digests)
    files[PROVENANCE_FILE] = sign_statement(statement, keys.choose("targets", root))
    digests[PROVENANCE_FILE] = _hash(files[PROVENANCE_FILE])
    sums = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(digests.items())).encode()
    return {**files, SUMS_FILE: sums}, sums


def _claim(store: Store, folder: str, sums: bytes, signed: Targets, config: PublishConfig) -> None:
    """Make sure that this version has these bytes, and no others, whoever else publishes it."""
    name = f"{folder}/{SUMS_FILE}"
    wanted, published = hashlib.sha256(sums).hexdigest(), signed.targets.get(name)
    if published is not None and published.hashes.get("sha256") != wanted:
        raise ReleaseError(
            f"{config.version} is published already, with other bytes",
            where=f"{store.address}/{folder}",
            expected=f"SHA256SUMS {published.hashes.get('sha256')}",
            got=wanted,
            remedy="a version never changes: publish under the next one",
        )
    if store.create(name, sums):
        return
    if (there := store.find_digest(name)) == wanted:
        return
    if published is not None or config.replace_unfinished:
        store.replace(name, sums)
        return
    raise ReleaseError(
        f"another publisher is at {config.version} with other bytes, or was killed",
        where=f"{store.address}/{name}",
        expected=wanted,
        got=str(there),
        remedy=_UNFINISHED,
    )


def _refuse_changes(store: Store, signed: Targets, digests: Mapping[str, str]) -> None:
    """Raise before anything is written if a file that the signed list names would get other bytes."""
    for name, sha256 in digests.items():
        published = signed.targets.get(name)
        if published is not None and published.hashes.get("sha256") != sha256:
            raise ReleaseError(
                "a published file would change",
                where=f"{store.address}/{name}",
                expected=str(published.hashes.get("sha256")),
                got=sha256,
                remedy="what is published never changes: publish under the next version",
            )


def _upload(store: Store, named: Mapping[str, Content], digests: Mapping[str, str], progress: Progress) -> None:
    """Write the files that are not there yet, and read each back; several at once, as each waits for its disk."""

    def upload(name: str) -> None:
        _upload_one(store, name, named[name], digests[name])

    threads = ThreadPoolExecutor(_AT_ONCE)
    try:
        with progress("publish", len(named)) as advance:
            for _ in threads.map(upload, named):
                advance()
    finally:
        threads.shutdown(cancel_futures=True)


def _upload_one(store: Store, name: str, content: Content, sha256: str) -> None:
    if store.find_digest(name) == sha256:
        return
    if isinstance(content, bytes):
        store.replace(name, content)
    else:
        store.put(name, content)
    if (got := store.find_digest(name)) != sha256:
        raise ReleaseError(
            "a file came out otherwise than it was written",
            where=f"{store.address}/{name}",
            expected=sha256,
            got=got or "no such file",
            remedy="run it again",
        )


def _describe_all(
    named: Mapping[str, Content], digests: Mapping[str, str], index: str, channel: str
) -> dict[str, TargetFile]:
    """Return what the signed list says of each file; of ``release.json`` the channel too."""
    from tuf.api.metadata import TargetFile

    found = {}
    for name, content in named.items():
        length = len(content) if isinstance(content, bytes) else content.stat().st_size
        extra = {"custom": {"channel": channel}} if name == index else None
        found[name] = TargetFile(length, {"sha256": digests[name]}, name, extra)
    return found


def _list(signed: Targets, targets: Mapping[str, TargetFile]) -> bool:
    """Put a release into the signed list; return whether it changed."""
    before = dict(signed.targets)
    for name, target in targets.items():
        old = before.get(name)
        if old is not None and old.hashes != target.hashes:
            raise ReleaseError("another publisher was quicker, with other bytes", where=name)
        signed.targets[name] = target
    return signed.targets != before


def _hash(content: Content) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else digest(content)
