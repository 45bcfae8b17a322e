"""Prove what a bundle says of itself: its files, its graphs, its reports, and that it can be made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from imageqx_export.artifact import Artifact, Manifest
from imageqx_export.bundle.manifest import (
    PARITY_FILE,
    RECIPES_FOLDER,
    list_digests,
    read_manifest,
)
from imageqx_export.bundle.runtimes import read_runtimes_beside
from imageqx_export.errors import ImageQXError, ReleaseError
from imageqx_export.export.metadata import versions
from imageqx_export.export.minimum import find_minimums
from imageqx_export.export.stage import ExportConfig, export_checkpoint
from imageqx_export.parity.compare import ParityReport
from imageqx_export.release.names import SUMS_FILE, refuse_leaving
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.files import digest
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.untrusted import describe, read_bytes, read_model

_MOST_SUMS = 2**20


class Check(Frozen):
    """One thing that was looked at.

    Attributes:
        part: ``"digest"``, ``"spec"``, ``"parity"``, ``"minimum"`` or ``"rebuild"``.
        what: The file.
        state: ``"right"``, ``"wrong"``, or ``"unknown"`` where nothing here can say.
        detail: What was found, where it is not right.
    """

    part: Literal["digest", "spec", "parity", "minimum", "rebuild"]
    what: str
    state: Literal["right", "wrong", "unknown"]
    detail: str = ""


class Verification(Frozen):
    """Everything that was looked at."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong; what is unknown is no failure, and no pass of its own."""
        return bool(self.checks) and not any(check.state == "wrong" for check in self.checks)


def verify_bundle(
    folder: Path, checkpoint: Path | None = None, *, rebuild: bool = False, progress: Progress = silent
) -> Verification:
    """Look at every claim of an export's or a release's folder.

    Args:
        folder: With ``manifest.json``.
        checkpoint: What it was made from; for ``rebuild``, and the record of runtimes beside it.
        rebuild: Whether to export again and compare the bytes.
        progress: Opens bars.

    Raises:
        ParityError: There is no manifest.
        ReleaseError: A rebuild without its checkpoint.
    """
    manifest = read_manifest(folder)
    checks = [*check_digests(folder, manifest), *check_graphs(folder, manifest), check_parity(folder, manifest)]
    checks += check_minimums(manifest, checkpoint)
    if rebuild:
        checks += rebuild_and_compare(folder, manifest, checkpoint, progress)
    return Verification(checks=tuple(checks))


def check_digests(folder: Path, manifest: Manifest) -> Iterator[Check]:
    """Yield each file that the manifest, or SHA256SUMS, names, held to its digest."""
    yield from (_hold(folder, name, sha256) for name, sha256 in list_digests(manifest).items())
    if (folder / SUMS_FILE).is_file():
        for line in read_bytes(folder / SUMS_FILE, _MOST_SUMS).decode("utf-8", "replace").splitlines():
            sha256, _, name = line.partition("  ")
            yield _hold(folder, refuse_leaving(name), sha256)


def check_graphs(folder: Path, manifest: Manifest) -> Iterator[Check]:
    """Yield whether each graph's own ModelSpec is the manifest's, and its inputs and outputs are what that says."""
    for one in manifest.artifacts:
        name = one.path.as_posix()
        try:
            runtime = load_runtime(folder / one.path)
            signature = [(tensor.name, tensor.shape) for tensor in runtime.signature]
        except ImageQXError as error:
            yield Check(part="spec", what=name, state="wrong", detail=str(error).splitlines()[0])
            continue
        if runtime.spec != one.spec:
            yield Check(part="spec", what=name, state="wrong", detail="its own ModelSpec is not the manifest's")
        elif sorted(signature) != sorted((tensor.name, tensor.shape) for tensor in one.spec.outputs):
            yield Check(part="spec", what=name, state="wrong", detail=f"its outputs are {signature}")
        else:
            yield Check(part="spec", what=name, state="right")


def check_parity(folder: Path, manifest: Manifest) -> Check:
    """Say whether the parity report is of these files' checkpoint, of each of them, and a pass."""
    try:
        report = read_model(folder / PARITY_FILE, ParityReport)
    except (OSError, ValueError) as error:
        return Check(part="parity", what=PARITY_FILE, state="wrong", detail=describe(error))
    passed = {one.path for one in report.artifacts if one.passed}
    missing = [one.path.as_posix() for one in manifest.artifacts if one.path.as_posix() not in passed]
    if report.checkpoint_sha256 != manifest.checkpoint_sha256:
        return Check(part="parity", what=PARITY_FILE, state="wrong", detail="it is of another checkpoint")
    if missing:
        return Check(part="parity", what=PARITY_FILE, state="wrong", detail="no pass of " + ", ".join(missing))
    return Check(part="parity", what=PARITY_FILE, state="right")


def check_minimums(manifest: Manifest, checkpoint: Path | None) -> Iterator[Check]:
    """Yield whether each file states the oldest runtimes that the record beside the checkpoint has for these bytes."""
    table = read_runtimes_beside(checkpoint) if checkpoint is not None else None
    for one in manifest.artifacts:
        name = one.path.as_posix()
        rows = tuple(row for row in table.rows if row.sha256 == one.sha256) if table is not None else ()
        if table is None or not rows:
            yield Check(part="minimum", what=name, state="unknown", detail="no record of these bytes on older runtimes")
            continue
        found = find_minimums(table.model_copy(update={"rows": rows}), name)
        stated = {runtime: version for runtime, version in one.spec.min_runtime.items() if runtime != "ios"}
        if found == stated:
            yield Check(part="minimum", what=name, state="right")
        else:
            yield Check(
                part="minimum", what=name, state="wrong", detail=f"it states {stated}, and the record has {found}"
            )


def rebuild_and_compare(
    folder: Path, manifest: Manifest, checkpoint: Path | None, progress: Progress
) -> Iterator[Check]:
    """Export again with the bundle's own recipes, and yield whether each file has the same bytes.

    Raises:
        ReleaseError: The checkpoint is missing, or another.
    """
    got = digest(checkpoint) if checkpoint is not None and checkpoint.is_file() else "no such file"
    if checkpoint is None or got != manifest.checkpoint_sha256:
        raise ReleaseError(
            "the checkpoint is not the one that the bundle was made from",
            where=checkpoint,
            expected=manifest.checkpoint_sha256,
            got=got,
            remedy="name it with --checkpoint",
        )
    with temporary_folder("rebuild") as out:
        config = ExportConfig(
            checkpoint,
            out,
            model=manifest.model,
            formats=sorted({one.format for one in manifest.artifacts}),
            precisions=sorted({one.precision for one in manifest.artifacts}),
            recipes=[folder / RECIPES_FOLDER / name for name in manifest.recipes],
        )
        result = export_checkpoint(config, progress=progress)
        made = {one.path: one.sha256 for one in result.manifest.artifacts}
    for one in manifest.artifacts:
        same = made.get(one.path) == one.sha256
        detail = "" if same else explain_difference(one)
        yield Check(part="rebuild", what=one.path.as_posix(), state="right" if same else "wrong", detail=detail)


def explain_difference(artifact: Artifact) -> str:
    """Say which tool's version differs from the one that made a file; or that none does."""
    here = versions(tuple(artifact.tool_versions))
    rows = [
        f"{name} {artifact.tool_versions[name]}, here {here[name]}"
        for name in here
        if here[name] != artifact.tool_versions[name]
    ]
    return "made with " + "; ".join(rows) if rows else "the same versions of all tools, and other bytes"


def _hold(folder: Path, name: str, sha256: str) -> Check:
    path = folder / name
    try:
        got = digest(path) if path.exists() else "no such file"
    except OSError as error:  # such as a name that is too long
        got = describe(error)
    if got == sha256:
        return Check(part="digest", what=name, state="right")
    return Check(part="digest", what=name, state="wrong", detail=f"expected {sha256}, got {got}")
