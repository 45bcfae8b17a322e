"""What a release is made of: an export's folder, held to its manifest, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from imageqx_export.artifact import Artifact, Manifest, Thresholds
from imageqx_export.bench.history import load_history
from imageqx_export.bench.stage import read_commit
from imageqx_export.bundle.manifest import (
    BUDGETS_FILE,
    GOLDEN_FOLDER,
    LINT_FILE,
    MANIFEST_FILE,
    PARITY_FILE,
    list_digests,
    read_manifest,
)
from imageqx_export.errors import ReleaseError
from imageqx_export.input_form import DEFAULT_FORM, read_form
from imageqx_export.parity.compare import ParityReport
from imageqx_export.release.model import Release, ReleasedArtifact
from imageqx_export.release.names import REPORTS_FOLDER, SPEC_FILE, THRESHOLDS_FILE, refuse_leaving
from imageqx_export.support.files import digest, list_files
from imageqx_export.support.untrusted import describe, parse_json, read_model

_HEADER = "imageqx_export"
_LOCK = Path("requirements/lock.txt")

Content = Path | bytes
"""A file of a release: one of this machine, or its bytes."""


@dataclass(frozen=True)
class Facts:
    """Where a release comes from.

    Args:
        commit: Of the project; ``+dirty`` with changes, ``"unknown"`` outside of a repository.
        lock_sha256: Of the locked set of libraries, or None where there is no lock.
        header: What the checkpoint says of itself: ``spec``, ``metrics``, ``provenance``.
        checkpoint: Its file.
    """

    commit: str
    lock_sha256: str | None
    header: Mapping[str, Any]
    checkpoint: Path


@dataclass(frozen=True)
class Contents:
    """A release before it is published.

    Args:
        release: What ``release.json`` will say.
        manifest: The export's.
        files: Each file by its name in the release's folder.
        facts: Where it comes from.
    """

    release: Release
    manifest: Manifest
    facts: Facts
    files: dict[str, Content] = field(default_factory=dict)


def collect(
    folder: Path, version: str, checkpoint: Path, reports: Sequence[Path] = (), histories: Sequence[Path] = ()
) -> Contents:
    """Return a release of an export's folder, every file held to the manifest and parity passed.

    Args:
        folder: The export's.
        version: The release's.
        checkpoint: What the export was made from.
        reports: Further files that go into ``reports/``: robustness, accelerators, benchmarks.
        histories: Of ``imageqx bench``; the newest run of each target on these very files gives the latencies.

    Raises:
        ParityError: There is no manifest.
        ReleaseError: A file is not what the manifest says or takes other than one photo of bytes, parity did not pass,
            or the checkpoint is another.
    """
    manifest = read_manifest(folder)
    _refuse_unfed(folder, manifest)
    parity = _read_parity(folder, manifest)
    facts = _find_facts(checkpoint, manifest)
    files = _find_files(folder, manifest)
    times = _find_times(histories, manifest)
    rows = [_describe(folder, one, parity, times) for one in manifest.artifacts]
    spec = manifest.artifacts[0].spec.model_copy(update={"min_runtime": {}})  # which is each file's own
    release = Release(
        model=manifest.model,
        version=version,
        checkpoint_sha256=manifest.checkpoint_sha256,
        spec=spec.model_dump(mode="json"),
        scores=_find_scores(facts.header),
        artifacts=tuple(rows),
        golden=tuple(sorted(name for name in files if name.startswith(GOLDEN_FOLDER))),
    )
    files[SPEC_FILE] = (spec.model_dump_json(indent=2) + "\n").encode()
    files[THRESHOLDS_FILE] = (_write_thresholds(manifest) + "\n").encode()
    for path in reports:
        if not path.is_file():
            raise ReleaseError("no such report", where=path)
        name = refuse_leaving(f"{REPORTS_FOLDER}/{path.name}")
        if name in files:
            raise ReleaseError("two reports of one name", where=path, got=str(files[name]), remedy="rename one of them")
        files[name] = path
    return Contents(release, manifest, facts, files)


def _find_files(folder: Path, manifest: Manifest) -> dict[str, Content]:
    """Return the export's files by name, each as the manifest has it."""
    files: dict[str, Content] = {MANIFEST_FILE: folder / MANIFEST_FILE, PARITY_FILE: folder / PARITY_FILE}
    files |= {name: folder / name for name in (LINT_FILE, BUDGETS_FILE) if (folder / name).is_file()}
    for name, sha256 in list_digests(manifest).items():
        path = folder / name
        got = digest(path) if path.exists() else "no such file"
        if got != sha256:
            raise ReleaseError(
                "a file is not the one that was exported", where=path, expected=sha256, got=got, remedy="imageqx export"
            )
        for file in list_files(path):
            files[refuse_leaving(file.relative_to(folder).as_posix())] = file
    return files


def _read_parity(folder: Path, manifest: Manifest) -> ParityReport:
    path = folder / PARITY_FILE
    try:
        report = read_model(path, ParityReport)
    except (OSError, ValueError) as error:
        raise ReleaseError("no parity report", where=path, got=describe(error), remedy="imageqx export") from error
    compared = {one.path for one in report.artifacts if one.passed}
    unproved = [str(one.path) for one in manifest.artifacts if one.path.as_posix() not in compared]
    if report.checkpoint_sha256 != manifest.checkpoint_sha256 or not report.passed or unproved:
        raise ReleaseError(
            "parity did not pass for what is to be published",
            where=path,
            got=", ".join(unproved) or "a report of another checkpoint, or one that failed",
            remedy="imageqx export",
        )
    return report


def _refuse_unfed(folder: Path, manifest: Manifest) -> None:
    for one in manifest.artifacts:
        if (form := read_form(one.spec)) != DEFAULT_FORM:
            raise ReleaseError(
                "a file that apps do not feed",
                where=folder / one.path,
                expected=DEFAULT_FORM.name,
                got=form.name,
                remedy="imageqx export without --batch and --input",
            )


def _find_facts(checkpoint: Path, manifest: Manifest) -> Facts:
    from safetensors import SafetensorError, safe_open

    got = digest(checkpoint) if checkpoint.is_file() else "no such file"
    if got != manifest.checkpoint_sha256:
        raise ReleaseError(
            "the checkpoint is not the one that was exported",
            where=checkpoint,
            expected=manifest.checkpoint_sha256,
            got=got,
            remedy="name it with --checkpoint",
        )
    try:
        with safe_open(checkpoint, framework="np") as file:
            header = parse_json((file.metadata() or {}).get(_HEADER, "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise ReleaseError("the checkpoint cannot be read", where=checkpoint, got=describe(error)) from error
    lock = digest(_LOCK) if _LOCK.is_file() else None
    return Facts(read_commit(), lock, header if isinstance(header, dict) else {}, checkpoint)


def _find_times(histories: Sequence[Path], manifest: Manifest) -> dict[str, dict[str, float]]:
    """Return by digest and target the median milliseconds of the newest run of each target."""
    found: dict[str, dict[str, float]] = {}
    wanted = {one.sha256 for one in manifest.artifacts}
    for path in histories:
        for run in load_history(path):
            for one in run.measurements:
                if one.sha256 in wanted and one.seconds and not run.schedule.quick:
                    found.setdefault(one.sha256, {})[run.target] = round(1e3 * median(one.seconds), 3)
    return found


def _describe(
    folder: Path,
    artifact: Artifact,
    parity: ParityReport,
    times: Mapping[str, dict[str, float]],
) -> ReleasedArtifact:
    path = folder / artifact.path
    compared = {one.path: one for one in parity.artifacts}[artifact.path.as_posix()]
    inside = [file.relative_to(folder).as_posix() for file in list_files(path)] if path.is_dir() else []
    return ReleasedArtifact(
        path=artifact.path.as_posix(),
        format=artifact.format,
        precision=artifact.precision,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        files=tuple(inside),
        minimum={runtime: version for runtime, version in artifact.spec.min_runtime.items() if version is not None},
        max_abs=max(output.max_abs for output in compared.outputs),
        milliseconds=times.get(artifact.sha256, {}),
    )


def _find_scores(header: Mapping[str, Any]) -> dict[str, float]:
    """Return the checkpoint's own numbers, flat: ``quality/lesion/f1``."""
    found: dict[str, float] = {}

    def walk(value: object, name: str) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                walk(one, f"{name}/{key}" if name else str(key))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value

    walk(header.get("metrics", {}), "")
    return dict(sorted(found.items()))


def _write_thresholds(manifest: Manifest) -> str:
    """Return the ModelSpec's own thresholds as a file that ``--thresholds`` takes."""
    spec = manifest.artifacts[0].spec
    binary = spec.binary
    thresholds = Thresholds(
        schema_version=1 if binary is None else 2,
        poor_quality=spec.poor_quality_threshold,
        reasons=spec.thresholds,
        good=binary.threshold if binary else None,
        regions=binary.regions.threshold if binary and binary.regions else None,
    )
    return json.dumps(thresholds.model_dump(mode="json", exclude_none=True, exclude_defaults=False), indent=2)
