"""The same release as Swift packages: a static bare git repository a precision, which any web server can serve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.artifact import Format
from imageqx_export.bundle.manifest import MANIFEST_FILE
from imageqx_export.release.contents import Content
from imageqx_export.release.model import Release, ReleasedArtifact
from imageqx_export.release.names import SWIFT_FOLDER
from imageqx_export.support.libraries import require

if TYPE_CHECKING:
    from dulwich.objects import ObjectID, ShaFile

_AUTHOR = b"imageqx publish <>"
_DATE = 1_700_000_000  # the same release gives the same commit
_LEVEL = 0  # weights hardly get smaller, and every zlib stores alike
_CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"

_PACKAGE = """\
// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "{name}",
    platforms: [.iOS(.v{ios}), .macOS(.v{macos})],
    products: [.library(name: "{module}", targets: ["{module}"])],
    targets: [
        // Copied and not processed: .process takes the package apart where there is no Core ML compiler.
        .target(name: "{module}", path: "Sources", resources: [.copy("{package}"), .copy("{manifest}")])
    ]
)
"""
_SOURCE = """\
import Foundation

/// The model {model} {version}, {precision}.
public enum {module} {{
    public static let version = "{version}"
    public static let sha256 = "{sha256}"

    /// The .mlpackage; `MLModel.compileModel(at:)` makes it ready to run.
    public static var url: URL {{ Bundle.module.bundleURL.appendingPathComponent("{package}") }}

    /// The export's manifest, which says what the model's input and outputs mean.
    public static var manifest: URL {{ Bundle.module.bundleURL.appendingPathComponent("{manifest}") }}
}}
"""


def name_package(model: str, artifact: ReleasedArtifact) -> str:
    """Return a package's name, as ``imageqx-model-fp16``."""
    return f"{model}-model-{artifact.precision}"


def name_module(model: str, artifact: ReleasedArtifact) -> str:
    """Return a package's product, target and module.

    >>> from types import SimpleNamespace
    >>> name_module("duke-iqa", SimpleNamespace(precision="fp16"))
    'DukeIqaModelFP16'
    """
    words = "".join(word.capitalize() for word in model.split("-"))
    return f"{words.replace('Imageqx', 'ImageQX')}Model{artifact.precision.upper()}"


def name_repository(model: str, artifact: ReleasedArtifact) -> str:
    """Return a package's repository in the tree."""
    return f"{SWIFT_FOLDER}/{name_package(model, artifact)}.git"


def write_repositories(release: Release, files: Mapping[str, Content]) -> dict[str, Content]:
    """Return each Core ML model's commit and tag as the files of a bare repository, by their names in the tree.

    Args:
        release: Which.
        files: The release's files by their names in its folder.
    """
    require("dulwich")
    found: dict[str, Content] = {}
    for artifact in release.artifacts:
        if artifact.format is Format.COREML:
            root = name_repository(release.model, artifact)
            commit, objects = _commit(release, _write_tree(release, artifact, files))
            for one in objects:
                sha = one.id.decode()
                found[f"{root}/objects/{sha[:2]}/{sha[2:]}"] = one.as_legacy_object(_LEVEL)
            found[f"{root}/refs/tags/{release.version}"] = commit + b"\n"
            found[f"{root}/HEAD"] = b"ref: refs/heads/main\n"
            found[f"{root}/config"] = _CONFIG
            found[f"{root}/objects/info/packs"] = b"\n"
    return found


def write_references(tags: Mapping[str, bytes], newest: str) -> dict[str, bytes]:
    """Return what a static server tells of a repository's versions: ``info/refs``, and ``main`` at the newest one.

    Args:
        tags: The commit of each version.
        newest: The version that ``main`` is at.
    """
    rows = [(b"refs/heads/main", tags[newest])]
    rows += [(f"refs/tags/{version}".encode(), commit) for version, commit in sorted(tags.items())]
    text = b"".join(commit + b"\t" + name + b"\n" for name, commit in rows)
    return {"info/refs": text, "refs/heads/main": tags[newest] + b"\n"}


def _write_tree(release: Release, artifact: ReleasedArtifact, files: Mapping[str, Content]) -> dict[str, bytes]:
    """Return the package's files by name."""
    name, module = Path(artifact.path).name, name_module(release.model, artifact)
    ios = int(artifact.minimum.get("ios", "17").split(".")[0])
    words = {
        "name": name_package(release.model, artifact),
        "module": module,
        "package": name,
        "manifest": MANIFEST_FILE,
        "ios": str(ios),
        "macos": str(ios - 3),
        "model": release.model,
        "version": release.version,
        "precision": str(artifact.precision),
        "sha256": artifact.sha256,
    }
    found = {
        "Package.swift": _PACKAGE.format(**words).encode(),
        f"Sources/{module}.swift": _SOURCE.format(**words).encode(),
        f"Sources/{MANIFEST_FILE}": _read(files[MANIFEST_FILE]),
    }
    for file in artifact.files:
        found[f"Sources/{name}/{file.removeprefix(artifact.path + '/')}"] = _read(files[file])
    return found


def _commit(release: Release, files: Mapping[str, bytes]) -> tuple[bytes, list[ShaFile]]:
    """Return the commit of some files and all objects that it is made of."""
    from dulwich.objects import Blob, Commit, Tree

    objects: list[ShaFile] = []

    def plant(files: Mapping[str, bytes]) -> ObjectID:
        tree, folders = Tree(), dict[str, dict[str, bytes]]()
        for name, content in sorted(files.items()):
            first, slash, rest = name.partition("/")
            if slash:
                folders.setdefault(first, {})[rest] = content
                continue
            blob = Blob.from_string(content)
            objects.append(blob)
            tree.add(first.encode(), 0o100644, blob.id)
        for first, inside in folders.items():
            tree.add(first.encode(), 0o040000, plant(inside))
        objects.append(tree)
        return tree.id

    commit = Commit()
    commit.tree = plant(files)
    commit.author = commit.committer = _AUTHOR
    commit.author_time = commit.commit_time = _DATE
    commit.author_timezone = commit.commit_timezone = 0
    commit.message = f"{release.model} {release.version}\n".encode()
    objects.append(commit)
    return commit.id, objects


def _read(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()
