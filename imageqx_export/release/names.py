"""The names in a release tree, the versions of releases, and what a person asks for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from imageqx_export.errors import ReleaseError

METADATA_FOLDER = "metadata"
"""What The Update Framework signs: ``1.root.json``, ``1.targets.json``, ``1.snapshot.json``, ``timestamp.json``."""
MAVEN_FOLDER = "maven"
SWIFT_FOLDER = "swift"
RELEASE_FILE = "release.json"
SUMS_FILE = "SHA256SUMS"
SBOM_FILE = "sbom.cdx.json"
PROVENANCE_FILE = "provenance.intoto.json"
CARD_FILE = "README.md"
"""The model card, by the name under which Hugging Face shows it."""
CARD_JSON_FILE = "model-card.json"
SPEC_FILE = "spec.json"
THRESHOLDS_FILE = "thresholds.json"
REPORTS_FOLDER = "reports"

CHANNELS = ("stable", "beta")
"""Of a release one; ``stable`` and ``beta`` as a version mean the newest of each; a stable one is a beta too."""

_NUMBER = "(0|[1-9][0-9]{0,5})"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-(alpha|beta|rc)\.{_NUMBER})?")
_MODEL = re.compile(r"[a-z][a-z0-9-]{0,63}")
_FINAL = "~"  # behind every word of a pre-release


@dataclass(frozen=True)
class Wanted:
    """What a person asks for, as ``imageqx@1.2.0``.

    Args:
        model: The model's name.
        version: A version, or a channel's name.
    """

    model: str
    version: str


def sort_key(version: str) -> tuple[int, int, int, str, int]:
    """Return what versions are sorted by, as Semantic Versioning 2.0 orders them.

    Raises:
        ReleaseError: It is no version that Maven, SwiftPM and Semantic Versioning read alike.

    >>> sorted(["1.10.0", "1.9.0", "1.10.0-rc.1", "1.10.0-beta.2"], key=sort_key)
    ['1.9.0', '1.10.0-beta.2', '1.10.0-rc.1', '1.10.0']
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ReleaseError("not a version of a release", expected="such as 1.2.0 or 1.2.0-beta.1", got=version[:80])
    major, minor, patch, stage, number = found.groups()
    return int(major), int(minor), int(patch), stage or _FINAL, int(number or 0)


def parse_wanted(text: str) -> Wanted:
    """Return what ``MODEL``, ``MODEL@VERSION`` or ``MODEL@CHANNEL`` asks for; without a version the newest stable one.

    Raises:
        ReleaseError: It is none of these.

    >>> parse_wanted("imageqx@1.2.0"), parse_wanted("imageqx")
    (Wanted(model='imageqx', version='1.2.0'), Wanted(model='imageqx', version='stable'))
    """
    model, at, version = text.partition("@")
    if not _MODEL.fullmatch(model) or (at and not version):
        raise ReleaseError("not a release's name", expected="such as imageqx@1.2.0 or imageqx@beta", got=text[:80])
    return Wanted(model, version or "stable")


def name_folder(model: str, version: str) -> str:
    """Return a release's folder in the tree."""
    sort_key(version)
    if not _MODEL.fullmatch(model):
        raise ReleaseError("not a model's name", got=model[:80])
    return f"{model}/{version}"


def find_nearest(version: str, known: Iterable[str]) -> list[str]:
    """Return at most three versions that somebody may have meant, the likeliest first.

    >>> find_nearest("1.2", ["1.0.0", "1.2.0", "1.2.1", "2.0.0"])
    ['1.2.1', '1.2.0', '1.0.0']
    """
    newest = sorted(known, key=sort_key, reverse=True)
    begins = [one for one in newest if one.startswith(version)]
    alike = difflib.get_close_matches(version, newest, n=3, cutoff=0.5)
    return list(dict.fromkeys([*begins, *alike, *newest]))[:3]


def refuse_leaving(name: str) -> str:
    """Return the name of a file in a release, or refuse one that would be written elsewhere than in its folder.

    Raises:
        ReleaseError: It is absolute, has a part such as "..", or a character that a system reads otherwise.

    >>> refuse_leaving("golden/00.png")
    'golden/00.png'
    """
    parts = name.split("/")
    odd = re.search(r"[^A-Za-z0-9._+@/-]", name)
    if not name or odd or any(part in ("", ".", "..") for part in parts):
        raise ReleaseError(
            "a file of the release has a path that leaves its folder", expected="such as golden/00.png", got=name[:120]
        )
    return name
