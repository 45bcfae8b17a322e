"""What a network decides about labelled photos, of either kind: one label each, and questions of yes or no."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.votes import RATERS
from imageqx_export.decisions import EXPLANATIONS, QUALITY, decide, decide_good
from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.diagnostic.truth import find_good
from imageqx_export.evaluation.intervals import Bools
from imageqx_export.evaluation.tables import one_hot

Floats32 = NDArray[np.float32]


class Questions(NamedTuple):
    """What is asked about N photos: the truth, and what a network says.

    Args:
        labels: The label that holds, bool [N,L], one a row.
        decided: The label that was decided, likewise.
        sure: How sure the network is of its most probable label, float32 [N].
        right: Whether that one holds, bool [N].
        names: Of the K questions of yes or no.
        truth: Their answers, bool [N,K].
        given: What the network answers, by the thresholds, bool [N,K].
        scores: With which probability, float32 [N,K].
        kind: What the questions are about.
    """

    labels: Bools
    decided: Bools
    sure: Floats32
    right: Bools
    names: tuple[str, ...]
    truth: Bools
    given: Bools
    scores: Floats32
    kind: Literal["reasons", "ranks"] = "reasons"


def name_main_output(spec: ModelSpec) -> str:
    """Return the output that the label, or the binary decision, is read from."""
    return QUALITY if spec.binary is None else spec.binary.output


def ask(outputs: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> Questions:
    """Return what a network with labels says of label and reasons, and a binary one of good and of each rank.

    Args:
        outputs: The network's, [N,…] by name.
        photos: N ≥ 1, with the truth.
        spec: Names and thresholds.

    Raises:
        DatasetError: The decision is binary, and nobody voted on the photos.
    """
    return _ask_labels(outputs, photos, spec) if spec.binary is None else _ask_votes(outputs, photos, spec)


def _ask_labels(outputs: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> Questions:
    quality, explanations = outputs[QUALITY], outputs[EXPLANATIONS]
    thresholds = np.array([spec.thresholds[reason] for reason in spec.reasons], np.float32)
    return Questions(
        labels=one_hot(photos.quality, len(spec.labels)),
        decided=one_hot(decide(quality, spec), len(spec.labels)),
        sure=quality.max(1),
        right=quality.argmax(1) == photos.quality,
        names=spec.reasons,
        truth=photos.reasons >= 0.5,
        given=explanations >= thresholds,
        scores=explanations,
    )


def _ask_votes(outputs: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> Questions:
    assert spec.binary is not None
    if photos.votes is None:
        raise DatasetError(
            "photos without raters' votes cannot say what a binary decision costs",
            where=photos.source,
            expected=f"votes for {spec.binary.output}",
            got="labels alone",
        )
    good, ranks = outputs[spec.binary.output], spec.binary.ranks
    holds, called = find_good(photos.votes, spec), decide_good(good, spec)
    likely = good[:, 0] >= 0.5
    names: tuple[str, ...] = (spec.binary.output,)
    truth, scores = holds[:, None], good
    if ranks is not None:
        names = tuple(f"at_least_{count + 1}_votes" for count in range(ranks.raters))
        truth = photos.votes[:, None] * ranks.raters > np.arange(ranks.raters) * RATERS
        scores = outputs[ranks.output]
    return Questions(
        labels=np.stack([holds, ~holds], 1),
        decided=np.stack([called, ~called], 1),
        sure=np.maximum(good[:, 0], 1 - good[:, 0]),
        right=likely == holds,
        names=names,
        truth=truth,
        given=called[:, None] if ranks is None else scores >= 0.5,
        scores=scores,
        kind="ranks",
    )
