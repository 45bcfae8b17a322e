"""Probabilities and thresholds in, decisions out; the one definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import BinaryDecision, ModelSpec, TensorSpec, Thresholds
from imageqx_export.errors import ArtifactError, UnknownNameError
from imageqx_export.input_form import ANY, read_form
from imageqx_export.support.untrusted import describe, read_model

POOR, GOOD = "poor_quality", "good"
"""The label that sends a photo back, and what a binary decision calls the other photos."""
QUALITY, EXPLANATIONS, ATTENTION = "quality", "explanations", "attention"
"""The outputs of a model with labels: what the label, the reasons and the heat maps are read from."""


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


def rank_reasons(explanations: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.int64]:
    """Order the reasons of each photo, the worst first.

    A reason is worse the further its probability lies above its threshold, as a share of the way from there to 1.

    Args:
        explanations: Probabilities, float32 [N,R].
        spec: Has the reasons' thresholds.

    Returns:
        Indices into ``spec.reasons``, int64 [N,R].
    """
    thresholds = np.array([spec.thresholds[reason] for reason in spec.reasons])
    excess = (explanations.astype(np.float64) - thresholds) / np.maximum(1 - thresholds, 1e-6)
    return np.asarray((-excess).argsort(1, kind="stable"), np.int64)


def decide_good(good: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.bool_]:
    """Decide whether each photo is good, by a spec with a binary decision.

    Args:
        good: Probabilities, float32 [N,1]; the threshold is rounded to float32 too.
        spec: Has the threshold.

    Returns:
        bool [N].
    """
    return np.asarray(good[:, 0] >= np.float32(_get_binary(spec).threshold))


def find_bad_regions(regions: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.bool_]:
    """Decide which regions of each photo are bad, by a spec with a binary decision that has regions.

    Args:
        regions: Probabilities that they are good, float32 [N,R].
        spec: Has their threshold.

    Returns:
        bool [N,R].
    """
    parts = _get_binary(spec).regions
    if parts is None:
        raise ValueError(f"{spec.name} has no regions")
    return np.asarray(regions < np.float32(parts.threshold))


def count_votes(ranks: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return how many raters would call each photo good, int64 [N]: the ranks [N,K] that are likelier than not."""
    return np.asarray((ranks >= 0.5).sum(1), np.int64)


def name_deciding_output(spec: ModelSpec) -> str:
    """Return the name of the output that a photo's label, or good or poor, is read from."""
    return QUALITY if spec.binary is None else spec.binary.output


def decide_output(name: str, values: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.int64 | np.bool_] | None:
    """Take the decisions that an output is there for, of either kind of spec.

    Args:
        name: The output's.
        values: float32 [N,…].
        spec: Has the thresholds.

    Returns:
        What was decided, [N] or [N,decisions]; None where nothing is decided by this output.
    """
    if spec.binary is None:
        if name == QUALITY:
            return decide(values, spec)
        return values >= _list_reason_thresholds(spec) if name == EXPLANATIONS else None
    if name == spec.binary.output:
        return decide_good(values, spec)
    parts = spec.binary.regions
    return find_bad_regions(values, spec) if parts is not None and name == parts.output else None


def measure_margins(
    name: str, want: NDArray[np.float32], got: NDArray[np.float32], spec: ModelSpec
) -> NDArray[np.float32]:
    """Return how near a model was to deciding otherwise, in the step in which another may differ from it.

    Args:
        name: An output that :func:`decide_output` decides by.
        want: The model's values, float32 [N,…].
        got: The other's.
        spec: Has the thresholds.

    Returns:
        Shaped like the decisions. Of labels without a threshold, the lead of the best over the second; with one, the
        distance of P(poor) from it where only one of both says poor, and else the lead among the other labels.
    """
    if spec.binary is not None:
        if name == spec.binary.output:
            return np.asarray(np.abs(want[:, 0] - np.float32(spec.binary.threshold)))
        assert spec.binary.regions is not None
        return np.asarray(np.abs(want - np.float32(spec.binary.regions.threshold)))
    if name == EXPLANATIONS:
        return np.asarray(np.abs(want - _list_reason_thresholds(spec)))
    if spec.poor_quality_threshold is None:
        ranked = np.sort(want, axis=1)
        return np.asarray(ranked[:, -1] - ranked[:, -2])
    poor = spec.labels.index(POOR)
    ranked = np.sort(np.delete(want, poor, axis=1), axis=1)
    crossed = (decide(want, spec) == poor) != (decide(got, spec) == poor)
    distance = np.abs(want[:, poor] - np.float32(spec.poor_quality_threshold))
    return np.where(crossed, distance, ranked[:, -1] - ranked[:, -2])


def _list_reason_thresholds(spec: ModelSpec) -> NDArray[np.float32]:
    return np.array([spec.thresholds[reason] for reason in spec.reasons], np.float32)


def _get_binary(spec: ModelSpec) -> BinaryDecision:
    if spec.binary is None:
        raise ValueError(f"{spec.name} has labels, and no binary decision")
    return spec.binary


def refuse_undecidable(spec: ModelSpec, signature: Sequence[TensorSpec], where: Path) -> None:
    """Refuse a model that takes no photo, or whose outputs decisions, reasons and attention maps cannot be read from.

    Args:
        spec: A file's ModelSpec.
        signature: The outputs as the file itself declares them; a shape of () is one that it does not know.
        where: The file.

    Raises:
        ArtifactError: It is another kind of model; the message says what is missing.
    """
    try:
        batch = read_form(spec).batch
    except ValueError as error:
        size = [1, spec.preprocessing.height, spec.preprocessing.width, 3]
        raise _make_undecidable(where, "inputs", f"one, uint8 {size} as its preprocessing says", str(error)) from error
    first = ANY if batch is None else batch
    wanted = {name: (first, *shape[1:]) for name, shape in _list_outputs(spec, where).items()}
    for source, outputs in (("ModelSpec", spec.outputs), ("file", signature)):
        by_name = {output.name: output for output in outputs}
        if len(by_name) != len(outputs):
            raise _make_undecidable(where, "outputs", "each name once", ", ".join(o.name for o in outputs)[:200])
        for name, shape in wanted.items():
            output = by_name.get(name)
            if output is None or output.dtype != "float32" or (output.shape != () and not _fits(output.shape, shape)):
                shown = "none" if output is None else f"{output.dtype} {list(output.shape)}"
                sizes = ", ".join("any" if side in (0, ANY) else str(side) for side in shape)
                raise _make_undecidable(where, f"output {name} of the {source}", f"float32 [{sizes}]", shown)


def _list_outputs(spec: ModelSpec, where: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the outputs that a spec's decisions are read from; 0 is any size from 1."""
    if spec.binary is not None:
        return spec.binary.list_outputs()
    if POOR not in spec.labels or len(spec.labels) < 2:
        raise _make_undecidable(where, "labels", f"{POOR} and another", ", ".join(spec.labels)[:200] or "none")
    if not spec.reasons:
        raise _make_undecidable(where, "reasons", "one or more", "none")
    reasons = len(spec.reasons)
    return {QUALITY: (1, len(spec.labels)), EXPLANATIONS: (1, reasons), ATTENTION: (1, reasons, 0, 0)}


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        side == want if want else side > 0 for side, want in zip(shape, wanted, strict=True)
    )


def _make_undecidable(where: Path, what: str, expected: str, got: str) -> ArtifactError:
    return ArtifactError(
        "a model that cannot assess photos",
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
    if spec.binary is not None:
        return _apply_to_binary(spec, spec.binary, own, file)
    if own.good is not None or own.regions is not None:
        raise ArtifactError(
            "the thresholds are of another kind of model",
            where=file,
            expected=f"poor_quality and reasons, as {spec.name} has labels",
            got="good or regions",
        )
    changes: dict[str, object] = {"thresholds": {**spec.thresholds, **own.reasons}}
    if "poor_quality" in own.model_fields_set:
        changes["poor_quality_threshold"] = own.poor_quality
    return spec.model_copy(update=changes)


def _apply_to_binary(spec: ModelSpec, binary: BinaryDecision, own: Thresholds, file: Path) -> ModelSpec:
    if own.poor_quality is not None:
        raise ArtifactError(
            "the thresholds are of another kind of model",
            where=file,
            expected=f"good and regions, as {spec.name} has a binary decision",
            got="poor_quality",
        )
    regions = binary.regions
    if own.regions is not None and regions is None:
        raise ArtifactError("a threshold of regions, which the model does not have", where=file, got=spec.name)
    if own.regions is not None and regions is not None:
        regions = regions.model_copy(update={"threshold": own.regions})
    threshold = binary.threshold if own.good is None else own.good
    return spec.model_copy(update={"binary": binary.model_copy(update={"threshold": threshold, "regions": regions})})
