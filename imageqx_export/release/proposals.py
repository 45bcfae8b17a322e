"""A proposal of roots on disk: those that are to be signed, and the published ones that lead up to them.

It is a folder of TUF metadata, which other tools of TUF can sign too. ``4.root.json`` and so on are proposed;
``2.published.json`` and so on were published since the first, so that whoever trusts an older root can follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ReleaseError
from imageqx_export.release.changes import list_changes, refuse_disguised
from imageqx_export.release.signing import MOST, name_metadata, parse_root
from imageqx_export.release.store import Store
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import name_error, read_bytes

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata, Root

_NAME = re.compile(r"([1-9][0-9]{0,5})\.(root|published)\.json")
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


@dataclass(frozen=True)
class Proposal:
    """A proposal as it was read once: what is described is what is signed, whatever happens to the files.

    Args:
        folder: Where it is.
        trusted: The published root that it follows, to which the one that is trusted here has led.
        roots: What is proposed, in order.
    """

    folder: Path
    trusted: Metadata[Root]
    roots: tuple[Metadata[Root], ...]

    def name_file(self, root: Metadata[Root]) -> Path:
        """Return the file of one of its roots."""
        return self.folder / f"{root.signed.version}.root.json"

    def describe(self) -> list[Proposed]:
        """Return what each root changes, and how many keys have signed it."""
        found, before = [], self.trusted
        for one in self.roots:
            sides = [
                authority.signed.get_verification_result("root", one.signed_bytes, one.signatures)
                for authority in (before, one)
            ]
            least = min(sides, key=lambda side: len(side.signed) - side.threshold)
            changes = tuple(list_changes(before.signed, one.signed))
            file = self.name_file(one)
            found.append(Proposed(file, one.signed.version, changes, len(least.signed), least.threshold))
            before = one
        return found


def read_published(store: Store, trusted: Metadata[Root]) -> dict[int, bytes]:
    """Return the roots that the tree has after the first one, by version, up to its newest.

    Raises:
        ReleaseError: One is missing, which apps that trust an older one must follow.
    """
    found = {}
    for version in range(2, trusted.signed.version + 1):
        name = name_metadata("root", version)
        try:
            found[version] = store.read(name, MOST["root"])
        except FileNotFoundError as error:
            raise ReleaseError(
                "a published root is missing",
                where=f"{store.address}/{name}",
                expected=f"roots 2 to {trusted.signed.version}, which apps follow one after the other",
                remedy="put it back from a copy of the tree"
                + (" (root.json beside the keys is this one)" if version == trusted.signed.version else "")
                + ", then imageqx keys propose",
            ) from error
    return found


def write_proposal(
    folder: Path, published: Mapping[int, bytes], trusted: Metadata[Root], roots: Sequence[Metadata[Root]]
) -> Proposal:
    """Write a proposal in the place of an earlier one, with what was published before it.

    Args:
        folder: Where.
        published: From :func:`read_published`.
        trusted: The tree's newest root.
        roots: What comes after it.

    Raises:
        ImageQXError: The folder holds something else.
    """
    with stage_folder(folder, LAYOUT) as staging:
        for version, content in published.items():
            (staging.path / f"{version}.published.json").write_bytes(content)
        for one in roots:
            (staging.path / f"{one.signed.version}.root.json").write_bytes(one.to_bytes())
        staging.publish()
    return Proposal(folder, trusted, tuple(roots))


def read_proposal(folder: Path, trusted: Path) -> Proposal:
    """Read a proposal, and follow the published roots in it from the one that is trusted here.

    Args:
        folder: The proposal's.
        trusted: ``root.json`` beside the keys.

    Raises:
        ReleaseError: What is trusted is not signed by its own keys, or the proposal is none, hides what it changes, or
            does not follow.
    """
    require("tuf")
    from tuf.api.metadata import Metadata, Root

    with translate_errors(lambda error: _explain(error, trusted)):
        newest = parse_root(read_bytes(trusted, MOST["root"]))
    published, proposed = (_list_files(folder, kind) for kind in ("published", "root"))
    while (path := published.get(newest.signed.version + 1)) is not None:
        with translate_errors(lambda error, path=path: _explain(error, path)):  # type: ignore[misc]
            newest = parse_root(read_bytes(path, MOST["root"]), newest)
    roots = []
    for version, path in sorted(proposed.items()):
        with translate_errors(lambda error, path=path: _explain(error, path)):  # type: ignore[misc]
            roots.append(Metadata[Root].from_bytes(read_bytes(path, MOST["root"])))
            if roots[-1].signed.version != version:
                raise ValueError(f"it says that it is version {roots[-1].signed.version}")
            refuse_disguised(roots[-1].signed, path)
            _ = roots[-1].signed_bytes  # what keys sign; canonical JSON has no fractions, for one
    _refuse_gap(folder, newest, list(proposed))
    return Proposal(folder, newest, tuple(roots))


def _list_files(folder: Path, kind: str) -> Mapping[int, Path]:
    """Return the files of a kind by their versions."""
    found = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    return {int(match[1]): path for match, path in found if match is not None and match[2] == kind}


def _refuse_gap(folder: Path, trusted: Metadata[Root], versions: Sequence[int]) -> None:
    """Refuse a proposal that is not what comes after the root that is trusted.

    Raises:
        ReleaseError: It is not.
    """
    if not versions:
        raise ReleaseError(
            "no proposal there", where=folder, expected="2.root.json and so on", remedy="imageqx keys propose ROLE"
        )
    wanted = [trusted.signed.version + 1 + number for number in range(len(versions))]
    if sorted(versions) != wanted:
        raise ReleaseError(
            "the proposal does not follow the root that is trusted here",
            where=folder,
            expected=" and ".join(f"{one}.root.json" for one in wanted),
            got=" and ".join(f"{one}.root.json" for one in sorted(versions)),
            remedy="propose again",
        )


def _explain(error: Exception, where: Path) -> ReleaseError:
    return ReleaseError("not a root that can be trusted here", where=where, got=name_error(error))
