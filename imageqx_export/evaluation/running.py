"""Run a model over photos, for an evaluation of either kind, and say where evaluations may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imageqx_export.artifact import Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.errors import ArtifactError
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.folders import Layout
from imageqx_export.support.progress import Progress, silent

CHUNK = 32
DPI = 110
_TEXTS = {"evaluation.json", "evaluation.md"}
_FIGURES = {"attention.png", "reliability.png", "confusion.png", "precision_recall.png", "roc.png", "votes.png"}
LAYOUT = Layout.of_names("an evaluation", {*_TEXTS, *_FIGURES, "calibration.png"})
"""The files of either kind of evaluation; the last is the earlier name of reliability.png."""


def run(runtime: Runtime, photos: LabelledPhotos, name: str, progress: Progress = silent) -> Outputs:
    """Run a model over photos, 32 at a time.

    Returns:
        Every output of the ModelSpec, by name, [N,…].

    Raises:
        ArtifactError: An output is not finite.
    """
    starts = range(0, len(photos), CHUNK)
    parts: list[Outputs] = []
    with progress(f"running {name}", len(starts)) as advance:
        for start in starts:
            parts.append(runtime.run(photos.pixels[start : start + CHUNK]))
            advance()
    outputs = {one.name: np.concatenate([part[one.name] for part in parts]) for one in runtime.spec.outputs}
    for key, value in outputs.items():
        bad = int((~np.isfinite(value)).sum())
        if bad:
            raise ArtifactError(
                "outputs that are not numbers",
                where=f"{name}: {key}",
                expected="finite values",
                got=f"{bad} of {value.size} are NaN or infinite",
                remedy="imageqx parity",
            )
    return outputs


def check_folder(out: Path) -> None:
    """Refuse a place that holds anything but an earlier evaluation, as the new one replaces the folder whole.

    Raises:
        ImageQXError: It does.
    """
    LAYOUT.check_place(out)
