"""What Maven and git look versions up in: made anew of the signed list, by whoever has changed it."""

from __future__ import annotations

import re
from pathlib import Path

from imageqx_export.release.maven import GROUP, write_versions
from imageqx_export.release.names import MAVEN_FOLDER, SWIFT_FOLDER, sort_key
from imageqx_export.release.signing import read_state
from imageqx_export.release.store import Store
from imageqx_export.release.swift import write_references

_MOST = 100
_LIBRARY = re.compile(rf"{MAVEN_FOLDER}/{re.escape(GROUP.replace('.', '/'))}/([^/]+)/([^/]+)/[^/]+\.pom")
_TAG = re.compile(rf"({SWIFT_FOLDER}/[^/]+\.git)/refs/tags/([^/]+)")


def write_indexes(store: Store, trusted: Path) -> None:
    """Write ``maven-metadata.xml`` of each library and ``info/refs`` of each repository, as the signed list has them.

    They come after the list, so that what they name is always there; a publisher that was killed before them is
    mended by the next.
    """
    with store.hold():
        names = list(read_state(store, trusted).targets.signed.targets)
        libraries: dict[str, list[str]] = {}
        tags: dict[str, dict[str, bytes]] = {}
        for name in names:
            if found := _LIBRARY.fullmatch(name):
                libraries.setdefault(found[1], []).append(found[2])
            elif found := _TAG.fullmatch(name):
                tags.setdefault(found[1], {})[found[2]] = store.read(name, _MOST).strip()
        for library, versions in libraries.items():
            for name, content in write_versions(library, versions).items():
                store.replace(name, content)
        for root, commits in tags.items():
            finals = [version for version in commits if "-" not in version] or list(commits)
            for name, content in write_references(commits, max(finals, key=sort_key)).items():
                store.replace(f"{root}/{name}", content)
