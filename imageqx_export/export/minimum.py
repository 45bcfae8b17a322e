"""Say in an artifact's ModelSpec which runtimes are too old for it: the matrix's word, and a Core ML package's own."""

from __future__ import annotations

from imageqx_export.artifact import Checkpoint, Format, ModelSpec, Precision
from imageqx_export.bundle.manifest import name_artifact
from imageqx_export.bundle.runtimes import DEFAULTS, RuntimeTable, find_oldest, read_runtimes_beside


def state_minimum(checkpoint: Checkpoint, format: Format, precision: Precision, ios: str | None = None) -> ModelSpec:
    """Return a checkpoint's ModelSpec as one of its artifacts carries it, with ``min_runtime``.

    Args:
        checkpoint: What the artifact is made from; ``<name>.runtimes.json`` beside it, which ``imageqx compat`` writes,
            says what was found. Where there is none, nothing is stated.
        format: The artifact's format.
        precision: Its scheme.
        ios: The oldest iOS that opens it; None where it is no Core ML package.

    Raises:
        ArtifactError: The table is there and cannot be read.
    """
    table = read_runtimes_beside(checkpoint.path)
    found = {} if table is None else find_minimums(table, name_artifact(checkpoint.spec, format, precision))
    if ios is not None:
        found["ios"] = ios
    return checkpoint.spec.model_copy(update={"min_runtime": found})


def find_minimums(table: RuntimeTable, artifact: str) -> dict[str, str | None]:
    """Return the oldest version of each runtime that was asked, as it comes, from which on an artifact is right.

    Args:
        table: What was found.
        artifact: The file's name.

    Returns:
        None for a runtime whose newest version is not right; nothing of one that could not be had.
    """
    found: dict[str, str | None] = {}
    for runtime, variant in DEFAULTS.items():
        rows = [
            row
            for row in table.rows
            if (row.artifact, row.runtime, row.variant) == (artifact, runtime, variant) and row.verdict != "unavailable"
        ]
        if rows:
            found[runtime] = find_oldest(rows)
    return found
