"""Probabilities and thresholds in, decisions out; the one definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from imageqx_export.artifact import ModelSpec, Thresholds
from imageqx_export.errors import ArtifactError, UnknownNameError

POOR = "poor_quality"


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
        own = Thresholds.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(
            "no such thresholds file", where=file, remedy="imageqx thresholds --thresholds-out writes one"
        ) from error
    except ValidationError as error:
        raise ArtifactError("the thresholds file is not valid", where=file, got=str(error)) from error
    for name in own.reasons:
        if name not in spec.reasons:
            raise UnknownNameError(f"reason in {file}:", name, spec.reasons)
    changes: dict[str, object] = {"thresholds": {**spec.thresholds, **own.reasons}}
    if "poor_quality" in own.model_fields_set:
        changes["poor_quality_threshold"] = own.poor_quality
    return spec.model_copy(update=changes)
