"""Score predictions with scikit-learn: the numbers of the paper's tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, multilabel_confusion_matrix

from imageqx_export.artifact import ModelSpec


def score(
    guessed: NDArray[np.int64],
    given: NDArray[np.bool_],
    labels: NDArray[np.int64],
    flags: NDArray[np.float32],
    spec: ModelSpec,
) -> dict[str, Any]:
    """Compare decisions with the truth.

    Args:
        guessed: Decided labels, indices into the ModelSpec's, [N].
        given: Decided reasons, [N,5].
        labels: Truth, int64 [N].
        flags: Truth, 0 or 1, [N,5].
        spec: Names the labels and the reasons.

    Returns:
        ``quality_macro_f1``, ``explanations_macro_f1``, per label and reason ``f1``, ``recall`` and ``specificity``,
        and the confusion matrix (rows are the truth). All in [0, 1]; a ratio without a denominator is 0.
    """
    onehot = np.eye(len(spec.labels), dtype=int)
    rows = {
        "quality": dict(zip(spec.labels, _make_rows(onehot[labels], onehot[guessed]), strict=True)),
        "explanations": dict(zip(spec.reasons, _make_rows(flags.astype(int), given.astype(int)), strict=True)),
    }
    everything = list(range(len(spec.labels)))
    return {
        "samples": len(labels),
        "quality_macro_f1": float(f1_score(labels, guessed, labels=everything, average="macro", zero_division=0)),
        "explanations_macro_f1": float(f1_score(flags.astype(int), given, average="macro", zero_division=0)),
        **rows,
        "confusion": confusion_matrix(labels, guessed, labels=everything).tolist(),
    }


def _make_rows(truth: NDArray[np.int_], guess: NDArray[np.int_]) -> list[dict[str, float]]:
    rows = []
    for matrix in multilabel_confusion_matrix(truth, guess):
        tn, fp, fn, tp = (float(v) for v in matrix.ravel())
        rows.append(
            {
                "f1": 2 * tp / max(2 * tp + fp + fn, 1),
                "recall": tp / max(tp + fn, 1),
                "specificity": tn / max(tn + fp, 1),
            }
        )
    return rows
