"""Pull a model file of a release into an app's folder; each file is verified, and then whole or not there."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.artifact import Format, Precision
from imageqx_export.bundle.manifest import MANIFEST_FILE
from imageqx_export.errors import ReleaseError
from imageqx_export.release.client import Releases, Source, open_releases
from imageqx_export.release.maven import VERIFICATION_FILE
from imageqx_export.release.model import Release, ReleasedArtifact
from imageqx_export.release.names import Wanted, name_folder
from imageqx_export.support.files import digest, write_aside
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.locks import hold
from imageqx_export.support.progress import Progress, silent

_STEP = 2**16  # bytes that the bar moves by
_ROOM = 2**20


@dataclass(frozen=True)
class Pulled:
    """What was pulled.

    Attributes:
        release: The release.
        artifact: Which of its files.
        path: Where it is now.
        downloaded: Bytes that came over the wire; 0 where all was cached.
        golden: Whether the golden pictures came too.
    """

    release: Release
    artifact: ReleasedArtifact
    path: Path
    downloaded: int
    golden: bool


def pull(
    wanted: Wanted,
    format: Format,
    precision: Precision,
    source: Source,
    out: Path,
    *,
    golden: bool = False,
    verification: Path | None = None,
    progress: Progress = silent,
) -> Pulled:
    """Write a model file, and the manifest that describes it, into ``out``; what else is there stays.

    Every file is verified in the cache before the first one is written, and written before the first takes its place.

    Args:
        wanted: Which release.
        format: Of the file.
        precision: Of the file.
        source: Where releases come from.
        out: The folder, such as an app's assets; made where it is missing.
        golden: Whether ``golden/`` comes too, which apps' own tests compare with.
        verification: Where Gradle's verification metadata of the release go; None for nowhere.
        progress: Opens a bar over the bytes, in steps of 64 KiB.

    Raises:
        ReleaseError: There is no such release or file, or what the server sends is not to be trusted.
        OSError: There is no room.
    """
    came = [0]
    moves: list[object] = []

    def count(number: int) -> None:
        before, came[0] = came[0] // _STEP, came[0] + number
        for _ in range(came[0] // _STEP - before):
            for move in moves:
                move()  # type: ignore[operator]

    with open_releases(source, count) as releases:
        version = releases.choose(wanted)
        release = releases.read(wanted.model, version)
        artifact = find_artifact(release, format, precision)
        folder = name_folder(release.model, version)
        names = [*artifact.list_files(), MANIFEST_FILE, *(release.golden if golden else ())]
        names += [VERIFICATION_FILE] if verification is not None else []
        total = sum(releases.count_bytes(f"{folder}/{name}") for name in names)
        _refuse_full(out, total + artifact.size_bytes)
        came[0] = 0
        with progress(f"{release.model} {version} {artifact.name}", max(1, total // _STEP)) as move:
            moves.append(move)
            files = {name: releases.fetch(f"{folder}/{name}") for name in names}
        others = {out / name: files[name] for name in (MANIFEST_FILE, *(release.golden if golden else ()))}
        if verification is not None:
            others[verification] = files[VERIFICATION_FILE]
        path = _place(out, artifact, files, others)
    return Pulled(release, artifact, path, came[0], golden)


def find_artifact(release: Release, format: Format, precision: Precision) -> ReleasedArtifact:
    """Return a release's file of a format and precision.

    Raises:
        ReleaseError: It has none.
    """
    for one in release.artifacts:
        if (one.format, one.precision) == (format, precision):
            return one
    raise ReleaseError(
        f"{release.model}@{release.version} has no {format} of {precision}",
        expected="one of " + ", ".join(sorted(one.name for one in release.artifacts)),
    )


def list_releases(source: Source, wanted_model: str | None = None) -> list[tuple[str, str, str]]:
    """Return model, version and channel of every release, the newest first.

    Raises:
        ReleaseError: The list is not to be trusted, or cannot be had.
    """
    with open_releases(source) as releases:
        return [
            (row.model, row.version, row.channel)
            for row in releases.list_all()
            if wanted_model is None or row.model == wanted_model
        ]


def read_release(releases: Releases, wanted: Wanted) -> Release:
    """Return the description of a release that is asked for by version or channel."""
    return releases.read(wanted.model, releases.choose(wanted))


def _place(out: Path, artifact: ReleasedArtifact, files: Mapping[str, Path], others: Mapping[Path, Path]) -> Path:
    """Write the model file or folder, and the others; return the model's place.

    All are whole beside their places before the first takes its own, so that a full disk changes none of them. A
    manifest of another release goes before that and the new one comes last, so that a kill in between leaves no
    manifest beside files that it does not describe: there is none until the same pull is given again.

    Args:
        out: The folder; two pulls into it take turns.
        artifact: The model.
        files: Its files in the cache, by their names in the release.
        others: Likewise what goes with it, by its place; the first one, the manifest, takes its place last.
    """
    target, (manifest, *_) = out / Path(artifact.path).name, others
    out.mkdir(parents=True, exist_ok=True)
    with hold(out), ExitStack() as places:
        for place, cached in others.items():
            _copy(cached, place, places)
        if not artifact.files:
            _copy(files[artifact.path], target, places)
            _remove_other(manifest, others[manifest])
            return target
        inside = {name.removeprefix(f"{artifact.path}/"): files[name] for name in artifact.files}
        layout = Layout(f"{artifact.format} model", tuple(re.escape(name) for name in inside))
        staging = places.enter_context(stage_folder(target, layout))
        _fill(staging.path, inside, artifact)
        _remove_other(manifest, others[manifest])
        return staging.publish()


def _remove_other(manifest: Path, cached: Path) -> None:
    if manifest.is_file() and digest(manifest) != cached.name:
        manifest.resolve().unlink()  # a link to it stays one


def _fill(folder: Path, inside: Mapping[str, Path], artifact: ReleasedArtifact) -> None:
    for name, cached in inside.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(cached, place)
        place.chmod(0o644)
    if (got := digest(folder)) != artifact.sha256:
        raise ReleaseError(
            "the package is not the one that was released", where=artifact.path, expected=artifact.sha256, got=got
        )


def _copy(cached: Path, target: Path, places: ExitStack) -> None:
    if not (target.is_file() and digest(target) == cached.name):
        shutil.copyfile(cached, places.enter_context(write_aside(target)))


def _refuse_full(out: Path, size: int) -> None:
    """Raise where what is to be written would not fit, before anything is downloaded.

    Raises:
        OSError: There is no room.
    """
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if shutil.disk_usage(there).free < size + _ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))
