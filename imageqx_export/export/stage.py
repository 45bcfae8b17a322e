"""The export stage: a checkpoint becomes a folder of artifacts, a manifest and golden vectors, or nothing changes."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from imageqx_export import networks
from imageqx_export.artifact import Artifact, Checkpoint, Format, Manifest, Precision, digest, size_of
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.errors import ConversionError, ImageQXError, UnavailableError, UnknownNameError
from imageqx_export.export.header import versions
from imageqx_export.folders import staged_folder
from imageqx_export.parity import ParityReport, compare_artifacts, generated_pixels
from imageqx_export.processes import isolated, pool, quiet
from imageqx_export.progress import Progress, silent
from imageqx_export.runtimes import Outputs
from imageqx_export.runtimes.torch import TorchRuntime

if TYPE_CHECKING:
    from imageqx_export.networks.imageqx import ImageQX

GOLDEN_SEED = 2**32 + 1
GOLDEN_COUNT = 12
PARITY_FILE = "parity.json"
MANIFEST_FILE = "manifest.json"


class Exporter(Protocol):
    """What each format's file offers."""

    LIBRARIES: dict[str, str]
    """Import name → distribution, of every library that the format needs."""

    def write(self, network: ImageQX, checkpoint: Checkpoint, paths: dict[Precision, Path]) -> None:
        """Write one file per precision."""


@dataclass(frozen=True)
class ExportResult:
    """Hold what an export did.

    Attributes:
        folder: Where the artifacts are: the published folder, or ``<name>.rejected`` where parity failed.
        manifest: What was written.
        parity: How it compares with the checkpoint.
    """

    folder: Path
    manifest: Manifest
    parity: ParityReport


def export_checkpoint(
    checkpoint_path: Path,
    out: Path,
    *,
    model: str = "imageqx",
    formats: Sequence[Format] = tuple(Format),
    precisions: Sequence[Precision] = tuple(Precision),
    allow_missing: bool = False,
    progress: Progress = silent,
) -> ExportResult:
    """Write ``<out>/<model>/`` in one step: every artifact, ``manifest.json``, ``parity.json`` and ``golden/``.

    Everything is written and compared in a folder beside it first. An export that fails or is killed leaves the
    old folder whole; one whose artifacts break parity leaves them in ``<out>/<model>.rejected`` to look at.

    Args:
        checkpoint_path: The weights.
        out: The folder of all models.
        model: The network's name.
        formats: What to write.
        precisions: In which schemes.
        allow_missing: Whether a format whose library is missing is noted in the manifest instead of refused.
        progress: Opens a bar over the conversions and one over the comparisons.

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        UnavailableError: A format's library is missing and ``allow_missing`` is off, or every format's is.
        ConversionError: A converter failed.
    """
    networks.spec(model)
    checkpoint, network = load_checkpoint(checkpoint_path, model)
    unavailable = {str(f): reason for f in formats if (reason := missing(f))}
    wanted = [f for f in formats if str(f) not in unavailable]
    if unavailable and (not allow_missing or not wanted):
        raise UnavailableError(
            "cannot export " + ", ".join(unavailable),
            got="; ".join(unavailable.values()),
            remedy="make setup, or --allow-missing to export " + (", ".join(wanted) or "the rest"),
        )
    with staged_folder(out / model) as staging:
        files = {(f, p): staging.path / f"{model}_{p}{f.suffix}" for f in wanted for p in precisions}
        _convert_all(checkpoint_path, model, files, progress)
        artifacts = tuple(_artifact(staging.path, path, f, p, checkpoint) for (f, p), path in files.items())
        golden = _write_golden(staging.path / "golden", TorchRuntime(network, checkpoint.spec))
        manifest = Manifest(
            model=model,
            checkpoint_sha256=checkpoint.sha256,
            artifacts=artifacts,
            unavailable=unavailable,
            golden=golden,
        )
        (staging.path / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
        report = compare_artifacts(staging.path, checkpoint_path, generated_pixels(), progress=progress)
        (staging.path / PARITY_FILE).write_text(report.model_dump_json(indent=2) + "\n")
        folder = staging.publish() if report.passed else staging.reject()
    return ExportResult(folder, manifest, report)


def parse_names(kind: str, text: str, known: type[Format] | type[Precision]) -> list[str]:
    """Split ``"a,b"`` and check every name, keeping the order and dropping repetitions.

    Raises:
        UnknownNameError: A name is not a member of ``known``; the message lists those that are.
    """
    names = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    values = [str(member) for member in known]
    for name in names or [""]:
        if name not in values:
            raise UnknownNameError(kind, name, values)
    return names


def exporter(format: Format) -> Exporter:
    """Return the module that writes ``format``; its libraries are not imported yet."""
    module: Exporter = importlib.import_module(f"imageqx_export.export.{format.value}")
    return module


def missing(format: Format) -> str | None:
    """Say which libraries ``format`` lacks on this machine, or None."""
    lacking = [
        name for library, name in exporter(format).LIBRARIES.items() if importlib.util.find_spec(library) is None
    ]
    return f"{format}: {', '.join(lacking)} not installed" if lacking else None


def _convert_all(
    checkpoint_path: Path, model: str, files: dict[tuple[Format, Precision], Path], progress: Progress
) -> None:
    """Convert each format in a process of its own: they are slow, noisy, and do not like one another's libraries."""
    by_format: dict[Format, dict[Precision, Path]] = {}
    for (format, precision), path in files.items():
        by_format.setdefault(format, {})[precision] = path
    # The slowest first, so that the last to end is a short one.
    order = sorted(by_format, key=[Format.TFLITE, Format.COREML, Format.ONNX].index)
    with pool() as threads, progress("converting", len(order)) as advance:
        jobs: dict[Future[None], Format] = {
            threads.submit(isolated, _convert, format, checkpoint_path, model, by_format[format]): format
            for format in order
        }
        for job in as_completed(jobs):
            _finish(job, jobs[job])
            advance()


def _finish(job: Future[None], format: Format) -> None:
    try:
        job.result()
    except ImageQXError:
        raise
    except Exception as error:  # whatever a converter raises; its own words are kept
        raise ConversionError(
            f"the {format} converter failed", got=f"{type(error).__name__}: {error}", remedy="--formats without it"
        ) from error


def _convert(format: Format, checkpoint_path: Path, model: str, paths: dict[Precision, Path]) -> None:
    # What converters print concerns their own insides and versions; what matters is compared afterwards.
    checkpoint, network = load_checkpoint(checkpoint_path, model)
    with quiet():
        exporter(format).write(network, checkpoint, paths)


def _artifact(root: Path, path: Path, format: Format, precision: Precision, checkpoint: Checkpoint) -> Artifact:
    libraries = ("torch", "torchvision", *exporter(format).LIBRARIES.values())
    return Artifact(
        path=path.relative_to(root),
        format=format,
        precision=precision,
        spec=checkpoint.spec,
        sha256=digest(path),
        size_bytes=size_of(path),
        checkpoint_sha256=checkpoint.sha256,
        tool_versions=versions(libraries),
    )


def _write_golden(folder: Path, reference: TorchRuntime) -> dict[str, str]:
    """Write inputs as PNG and the checkpoint's outputs for them, for the phones' own tests."""
    from PIL import Image

    pixels = generated_pixels(GOLDEN_COUNT, GOLDEN_SEED)
    outputs = reference.run(pixels)
    folder.mkdir()
    for index, one in enumerate(pixels):
        Image.fromarray(one).save(folder / f"{index:02}.png")
    rows = {f"{index:02}.png": _row(outputs, index) for index in range(len(pixels))}
    (folder / "expected.json").write_text(json.dumps(rows, indent=1) + "\n")
    return {path.name: digest(path) for path in sorted(folder.iterdir())}


def _row(outputs: Outputs, index: int) -> dict[str, object]:
    # float64 of a float32 prints with all its digits; nine significant ones identify a float32 exactly.
    return {name: np.vectorize(lambda v: float(f"{v:.9g}"))(values[index]).tolist() for name, values in outputs.items()}
