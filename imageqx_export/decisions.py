"""Probabilities and thresholds in, decisions out; the one definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, TensorSpec, Thresholds
from imageqx_export.errors import ArtifactError, UnknownNameError
from imageqx_export.support.untrusted import describe, read_model

POOR = "poor_quality"
ATTENTION = "attention"
SIZE = (1, 224, 224, 3)
"""What :func:`~imageqx_export.preprocess.load_pixels` makes of a photo, with a batch."""


def decide(quality: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.int64]:
    """Decide the label of each photo.

    A photo is poor from ``spec.poor_quality_threshold`` on, and else the most probable of the other labels holds;
    without a threshold the most probable of all labels holds.

    Args:
        quality: Probabilities, float32 [N,4]; the threshold is rounded to float32 too.
        spec: Has the labels and the threshold.

    Returns:
        Indices into ``spec.labels``, int64 [N].
    """
    if spec.poor_quality_threshold is None:
        return np.asarray(quality.argmax(1), np.int64)
    poor = spec.labels.index(POOR)
    others = np.where(np.arange(quality.shape[1]) == poor, -np.inf, quality)
    return np.where(quality[:, poor] >= np.float32(spec.poor_quality_threshold), poor, others.argmax(1))


def refuse_undecidable(spec: ModelSpec, signature: Sequence[TensorSpec], where: Path) -> None:
    """Refuse a model that takes no photo, or whose outputs decisions, reasons and attention maps cannot be read from.

    Args:
        spec: A file's ModelSpec.
        signature: The outputs as the file itself declares them; a shape of () is one that it does not know.
        where: The file.

    Raises:
        ArtifactError: It is another kind of model; the message says what is missing.
    """
    size = (1, spec.preprocessing.height, spec.preprocessing.width, 3)
    got = [(one.shape, one.dtype) for one in spec.inputs]
    if got != [(SIZE, "uint8")] or size != SIZE:
        shown = "; ".join(f"{dtype} {list(shape)}" for shape, dtype in got) or "none"
        raise _make_undecidable(
            where, "inputs", f"one, uint8 {list(SIZE)}", f"{shown}, photos of {size[1]} × {size[2]}"
        )
    if POOR not in spec.labels or len(spec.labels) < 2:
        raise _make_undecidable(where, "labels", f"{POOR} and another", ", ".join(spec.labels)[:200] or "none")
    if not spec.reasons:
        raise _make_undecidable(where, "reasons", "one or more", "none")
    wanted = {"quality": (1, len(spec.labels)), "explanations": (1, len(spec.reasons))}
    for source, outputs in (("ModelSpec", spec.outputs), ("file", signature)):
        by_name = {output.name: output for output in outputs}
        if len(by_name) != len(outputs):
            raise _make_undecidable(where, "outputs", "each name once", ", ".join(o.name for o in outputs)[:200])
        for name in (*wanted, ATTENTION):
            output = by_name.get(name)
            fits = output is not None and output.dtype == "float32"
            if output is None or not fits or (output.shape != () and not _fits(output, wanted, len(spec.reasons))):
                shape = list(wanted[name]) if name in wanted else [1, len(spec.reasons), "height", "width"]
                shown = "none" if output is None else f"{output.dtype} {list(output.shape)}"
                raise _make_undecidable(where, f"output {name} of the {source}", f"float32 {shape}", shown)


def _fits(output: TensorSpec, wanted: Mapping[str, tuple[int, ...]], reasons: int) -> bool:
    if output.name in wanted:
        return output.shape == wanted[output.name]
    return len(output.shape) == 4 and output.shape[:2] == (1, reasons) and min(output.shape) > 0


def _make_undecidable(where: Path, what: str, expected: str, got: str) -> ArtifactError:
    return ArtifactError(
        "a model that cannot judge photos",
        where=f"{where}: {what}",
        expected=expected,
        got=got,
        remedy="give a file that imageqx export or imageqx train wrote",
    )


def apply_thresholds(spec: ModelSpec, file: Path) -> ModelSpec:
    """Return ``spec`` with a clinic's own thresholds in place of its own.

    Args:
        spec: An artifact's or a checkpoint's.
        file: JSON as :class:`~imageqx_export.artifact.Thresholds` says; what it does not name stays.

    Raises:
        ArtifactError: The file is missing or not valid.
        UnknownNameError: It names a reason that the model does not have.
    """
    try:
        own = read_model(file, Thresholds)
    except FileNotFoundError as error:
        raise ArtifactError(
            "no such thresholds file", where=file, remedy="imageqx thresholds --thresholds-out writes one"
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactError("the thresholds file is not valid", where=file, got=describe(error)) from error
    for name in own.reasons:
        if name not in spec.reasons:
            raise UnknownNameError(f"reason in {file}:", name, spec.reasons)
    changes: dict[str, object] = {"thresholds": {**spec.thresholds, **own.reasons}}
    if "poor_quality" in own.model_fields_set:
        changes["poor_quality_threshold"] = own.poor_quality
    return spec.model_copy(update=changes)
