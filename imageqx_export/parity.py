"""Compare every artifact with the float32 checkpoint, output by output."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from imageqx_export.artifact import Artifact, Manifest, ModelSpec, Precision, TensorSpec, digest
from imageqx_export.errors import DatasetError, ImageQXError, ParityError
from imageqx_export.predict import POOR, decide
from imageqx_export.preprocess import load_pixels
from imageqx_export.processes import isolated, pool, quiet
from imageqx_export.progress import Progress, silent
from imageqx_export.runtimes import Outputs, Pixels, load_runtime

PARITY_SEED = 2**32
MINIMUM_IMAGES = 64


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerance(_Frozen):
    """Say how far an artifact may be from the checkpoint.

    Args:
        max_abs: Largest |Δ| of any number of any output.
        agreement: Share of decisions (label; each reason) that must be the same, in [0, 1].
        margin: A decision may differ, and counts as the same, where the checkpoint's own margin is below this.
    """

    max_abs: float
    agreement: float
    margin: float


# The one table of tolerances.
TOLERANCES = {
    Precision.FP32: Tolerance(max_abs=1e-4, agreement=1.0, margin=1e-3),
    Precision.FP16: Tolerance(max_abs=5e-3, agreement=0.995, margin=0.0),
}
ADVICE = {
    "unreadable": "export it again; if it was pulled, its copy is damaged",
    "nan": "an operation overflows: keep it in float32, or look at the input range",
    "shape": "the graph is not this ModelSpec's: export it again",
    "interface": "names and order must be the ModelSpec's: export it again",
    "delta": "normalisation, channel order or resizing differ, or the weights are another checkpoint's",
    "decisions": "raise the precision, or move the thresholds away from where photos lie",
    "digest": "the file is not the one that was exported: pull or export it again",
}


class OutputParity(_Frozen):
    """Hold how one output of one artifact compares.

    Attributes:
        output: The output's name.
        max_abs: Largest |Δ|; infinite where it could not be computed.
        mean_abs: Mean |Δ|.
        cosine: Cosine of the angle between both, over all images; 1 is equal direction.
        sqnr_db: 10·log10(Σ reference² / Σ Δ²) in dB; None where Δ is 0 everywhere.
        decisions: How many decisions were taken on this output.
        differing: How many of them differ, excused ones not counted.
        excused: How many differ within the tolerated margin.
        problems: Every reason for failing, in words; empty is a pass.
    """

    output: str
    max_abs: float
    mean_abs: float
    cosine: float
    sqnr_db: float | None
    decisions: int
    differing: int
    excused: int
    problems: tuple[str, ...]


class ArtifactParity(_Frozen):
    """Hold how one artifact compares; ``problems`` concern the file as a whole."""

    path: str
    precision: Precision
    outputs: tuple[OutputParity, ...]
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and something was compared."""
        return bool(self.outputs) and not self.problems and not any(output.problems for output in self.outputs)


class ParityReport(_Frozen):
    """Hold a whole comparison."""

    checkpoint_sha256: str
    images: int
    source: Literal["generated", "photos"]
    artifacts: tuple[ArtifactParity, ...]

    @property
    def passed(self) -> bool:
        """Whether every artifact passed, and there is at least one."""
        return bool(self.artifacts) and all(artifact.passed for artifact in self.artifacts)


def generated_pixels(count: int = MINIMUM_IMAGES, seed: int = PARITY_SEED) -> Pixels:
    """Return painted photos, good and spoilt, uint8 [count,224,224,3]."""
    from imageqx_export.data.held_out import painted_samples

    return painted_samples(count, seed).pixels


def photo_pixels(folder: Path) -> Pixels:
    """Read every photo below ``folder``, uint8 [N,224,224,3].

    Raises:
        DatasetError: The folder is missing or has fewer than 64 photos.
        PhotoError: One of them cannot be read.
    """
    from imageqx_export.data.folder import SUFFIXES

    if not folder.is_dir():
        raise DatasetError("no such folder of photos", where=folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(files) < MINIMUM_IMAGES:
        raise DatasetError("too few photos", where=folder, expected=f"at least {MINIMUM_IMAGES}", got=str(len(files)))
    return np.stack([load_pixels(path) for path in files])


def check(folder: Path, checkpoint: Path, photos: Path | None = None, *, progress: Progress = silent) -> ParityReport:
    """Compare a folder of artifacts with its checkpoint, on painted photos or on those below ``photos``.

    Args:
        folder: The folder with ``manifest.json``.
        checkpoint: The float32 checkpoint; must be the one that the manifest names.
        photos: At least 64 photos, or None for painted ones.
        progress: Opens a bar over the files.

    Raises:
        ParityError: There is no readable manifest, or the checkpoint is another one.
        DatasetError: There are too few photos.
        PhotoError: A photo cannot be read.
    """
    read_manifest(folder)  # before the photos, which take longer
    pixels = generated_pixels() if photos is None else photo_pixels(photos)
    source: Literal["generated", "photos"] = "generated" if photos is None else "photos"
    return compare_artifacts(folder, checkpoint, pixels, source=source, progress=progress)


def compare_artifacts(
    folder: Path,
    checkpoint: Path,
    pixels: Pixels,
    *,
    source: Literal["generated", "photos"] = "generated",
    progress: Progress = silent,
) -> ParityReport:
    """Run every artifact of a manifest and the checkpoint on the same images.

    Each artifact runs in a process of its own: one that crashes its runtime fails, and the others are still
    compared.

    Args:
        folder: The folder with ``manifest.json``.
        checkpoint: The float32 checkpoint; must be the one that the manifest names.
        pixels: uint8 [N,224,224,3].
        source: Where ``pixels`` come from, for the report.
        progress: Opens a bar over the files.

    Raises:
        ParityError: There is no readable manifest, or the checkpoint is another one.
        CheckpointError: The checkpoint cannot be trusted.
    """
    manifest = read_manifest(folder)
    sha256 = digest(checkpoint) if checkpoint.is_file() else "missing"
    if sha256 != manifest.checkpoint_sha256:
        raise ParityError(
            "the artifacts were made from another checkpoint", where=folder, expected=manifest.checkpoint_sha256,
            got=f"{sha256} ({checkpoint})", remedy="--checkpoint with the right one, or imageqx export",
        )  # fmt: skip
    with pool() as threads, progress("comparing", len(manifest.artifacts) + 1) as advance:
        jobs: list[Future[tuple[tuple[TensorSpec, ...], Outputs]]] = [
            threads.submit(isolated, run_file, folder / artifact.path, pixels) for artifact in manifest.artifacts
        ]
        _, reference = run_file(checkpoint, pixels)
        advance()
        rows = []
        for artifact, job in zip(manifest.artifacts, jobs, strict=True):
            rows.append(_judged(folder, artifact, reference, job))
            advance()
    return ParityReport(checkpoint_sha256=sha256, images=len(pixels), source=source, artifacts=tuple(rows))


def read_manifest(folder: Path) -> Manifest:
    """Read ``<folder>/manifest.json``.

    Raises:
        ParityError: It is missing or not valid.
    """
    path = folder / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ParityError("no manifest", where=path, remedy="imageqx export, then pass artifacts/<model>") from error
    except (ValidationError, OSError, json.JSONDecodeError) as error:
        raise ParityError("the manifest is not valid", where=path, got=str(error), remedy="imageqx export") from error


def run_file(path: Path, pixels: Pixels) -> tuple[tuple[TensorSpec, ...], Outputs]:
    """Open a file, run it, and return the outputs that it declares and gives.

    Raises:
        ArtifactError: The file cannot be read or run.
    """
    with quiet():
        runtime = load_runtime(path)
        return runtime.signature, runtime.run(pixels)


def _judged(
    folder: Path, artifact: Artifact, reference: Outputs, job: Future[tuple[tuple[TensorSpec, ...], Outputs]]
) -> ArtifactParity:
    name, precision = str(artifact.path), artifact.precision
    path = folder / artifact.path
    try:
        signature, outputs = job.result()
    except ImageQXError as error:
        return ArtifactParity(
            path=name, precision=precision, outputs=(), problems=(_because("unreadable", str(error)),)
        )
    except Exception as error:  # a runtime may raise anything; that too is a failure of the file
        text = f"{type(error).__name__}: {error}"
        return ArtifactParity(path=name, precision=precision, outputs=(), problems=(_because("unreadable", text),))
    problems = _interface_problems(artifact.spec, signature)
    if digest(path) != artifact.sha256:
        problems.append(_because("digest", f"SHA-256 is not the manifest's {artifact.sha256}"))
    rows = compare_outputs(artifact.spec, reference, outputs, TOLERANCES[precision])
    return ArtifactParity(path=name, precision=precision, outputs=rows, problems=tuple(problems))


def _interface_problems(spec: ModelSpec, signature: tuple[TensorSpec, ...]) -> list[str]:
    names, wanted = [tensor.name for tensor in signature], [tensor.name for tensor in spec.outputs]
    if names != wanted:
        return [_because("interface", f"outputs are {names}, expected {wanted}")]
    return [
        _because("shape", f"{tensor.name} is declared {list(tensor.shape)}, expected {list(want.shape)}")
        for tensor, want in zip(signature, spec.outputs, strict=True)
        if tensor.shape not in ((), want.shape)
    ]


def compare_outputs(
    spec: ModelSpec, reference: Outputs, got: Outputs, tolerance: Tolerance
) -> tuple[OutputParity, ...]:
    """Compare what a file gave with what the checkpoint gave, output by output.

    Args:
        spec: Names, shapes and thresholds.
        reference: The checkpoint's outputs, float32 [N,…] by name.
        got: The file's.
        tolerance: How far they may be apart.
    """
    return tuple(
        _compare(spec, output.name, reference[output.name], got.get(output.name), tolerance) for output in spec.outputs
    )


def _compare(
    spec: ModelSpec, name: str, want: NDArray[np.float32], got: NDArray[np.float32] | None, tolerance: Tolerance
) -> OutputParity:
    problem = _unusable(want, got)
    if problem is not None or got is None:
        return OutputParity(
            output=name, max_abs=float("inf"), mean_abs=float("inf"), cosine=0.0, sqnr_db=None,
            decisions=0, differing=0, excused=0, problems=(problem or "",),
        )  # fmt: skip
    x, y = want.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    delta = np.abs(x - y)
    differing, excused, decisions = _decisions(spec, name, want, got, tolerance.margin)
    problems = []
    if delta.max() > tolerance.max_abs:
        problems.append(_because("delta", f"max |Δ| {delta.max():.2e} > {tolerance.max_abs:.0e}"))
    if decisions and (decisions - differing) / decisions < tolerance.agreement:
        text = f"{differing} of {decisions} decisions differ, {tolerance.agreement:.1%} must agree"
        problems.append(_because("decisions", text))
    power, error = float((x**2).sum()), float((delta**2).sum())
    length = np.sqrt(power * float((y**2).sum()))
    return OutputParity(
        output=name,
        max_abs=float(delta.max()),
        mean_abs=float(delta.mean()),
        cosine=float(x @ y / length) if length else float(power == float((y**2).sum())),
        sqnr_db=None if error == 0 else float(10 * np.log10(max(power, 1e-300) / error)),
        decisions=decisions,
        differing=differing,
        excused=excused,
        problems=tuple(problems),
    )


def _unusable(want: NDArray[np.float32], got: NDArray[np.float32] | None) -> str | None:
    if got is None:
        return _because("interface", "the output is missing")
    if got.shape != want.shape:
        return _because("shape", f"shape is {list(got.shape)}, expected {list(want.shape)}")
    bad = int((~np.isfinite(got)).sum())
    return _because("nan", f"{bad} of {got.size} values are NaN or infinite") if bad else None


def _decisions(
    spec: ModelSpec, name: str, want: NDArray[np.float32], got: NDArray[np.float32], margin: float
) -> tuple[int, int, int]:
    """Count decisions that differ, that differ within the margin, and that there are."""
    if name == "quality":
        margins = _label_margins(spec, want, got)
        differs = decide(want, spec) != decide(got, spec)
    elif name == "explanations":
        thresholds = np.array([spec.thresholds[reason] for reason in spec.reasons], np.float32)
        margins = np.abs(want - thresholds)
        differs = (want >= thresholds) != (got >= thresholds)
    else:
        return 0, 0, 0
    excused = differs & (margins < margin)
    return int((differs & ~excused).sum()), int(excused.sum()), int(differs.size)


def _label_margins(spec: ModelSpec, want: NDArray[np.float32], got: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how near the checkpoint was to deciding otherwise, in the step in which ``got`` may differ from it.

    Without a threshold that is the lead of the best label over the second. With one, it is the distance of
    P(poor) from it where only one of both says poor, and else the lead among the other labels.
    """
    threshold, poor = spec.poor_quality_threshold, spec.labels.index(POOR)
    ranked = np.sort(want if threshold is None else np.delete(want, poor, axis=1), axis=1)
    lead: NDArray[np.float32] = ranked[:, -1] - ranked[:, -2]
    if threshold is None:
        return lead
    crossed = (decide(want, spec) == poor) != (decide(got, spec) == poor)
    return np.where(crossed, np.abs(want[:, poor] - np.float32(threshold)), lead)


def _because(kind: str, text: str) -> str:
    return f"{text} — try: {ADVICE[kind]}"
