"""What quantization costs on labelled photos, against the float network on the same photos, and its budgets.

All figures are in points (hundredths), and a positive one is a loss. Both networks see the same photos, so the
intervals are of the paired difference: photos are resampled, each with both networks' decisions about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.evaluation.intervals import Bools, Floats, bootstrap, percentile
from imageqx_export.evaluation.questions import Questions, ask, name_main_output
from imageqx_export.evaluation.reliability import measure_reliability
from imageqx_export.evaluation.scores import LABEL
from imageqx_export.support.frozen import Frozen, rename_key

POINTS = 100.0
Interval = tuple[float, float]


Points = Annotated[float, Field(ge=0, le=POINTS)]


class Loss(Frozen):
    """The fall of a figure.

    Args:
        points: Float network's less quantized network's, in points.
        interval: Of 95 %, by the paired bootstrap; None where it would have no width, or was not asked for.
    """

    points: float
    interval: Interval | None = None


class OfDecisions(NamedTuple):
    """The part of :class:`Accuracy` that decisions make."""

    quality: Loss
    explanations: Loss
    reasons: dict[str, Loss]
    agreement: float


class Accuracy(Frozen):
    """What quantization cost on some photos.

    Of a binary decision the labels are good and poor, and in the reasons' place are the ranks, at 0.5.

    Args:
        photos: How many.
        quality: Loss of the labels' macro-F1, as decided with the thresholds.
        explanations: Loss of the reasons' macro-F1, likewise.
        reasons: Loss of each reason's F1; reasons that no photo has are left out.
        agreement: Per cent of photos with the same label from both networks.
        ece: How much each expected calibration error grew, in points: the label's, and per reason.
        mean_abs: Mean |Δ| of the labels' probabilities.
        kind: What ``explanations`` and ``reasons`` are about.
    """

    photos: int
    quality: Loss
    explanations: Loss
    reasons: dict[str, Loss]
    agreement: float
    ece: dict[str, float]
    mean_abs: float
    kind: Literal["reasons", "ranks"] = "reasons"

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, fields: object) -> object:
        return rename_key(fields, "calibration", "ece")

    @property
    def label_ece(self) -> float:
        """How much the label's expected calibration error grew, in points."""
        return self.ece[LABEL]


class Budget(Frozen):
    """The limits of what quantization may cost; all in points, the agreement in per cent.

    Args:
        macro_f1: Loss of the labels' macro-F1, and of the reasons'.
        reason_f1: Loss of one reason's F1.
        agreement: At least so many photos with the same label.
        ece: Growth of the label's expected calibration error.
    """

    macro_f1: Points
    reason_f1: Points = 1.0
    agreement: Points = 98.0
    ece: Points = 1.0

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, fields: object) -> object:
        return rename_key(fields, "calibration", "ece")


def accuracy(
    reference: Outputs,
    quantized: Outputs,
    photos: LabelledPhotos,
    spec: ModelSpec,
    *,
    decisions: OfDecisions | None = None,
) -> Accuracy:
    """Compare a quantized network with the float one on labelled photos.

    Args:
        reference: The float network's outputs, [N,…] by name.
        quantized: The quantized network's.
        photos: N ≥ 1, with the truth.
        spec: Names and thresholds.
        decisions: What decisions cost, if not as :func:`of_decisions` says.
    """
    if decisions is None:
        decisions = of_decisions(reference, quantized, photos, spec)
    asked = [ask(outputs, photos, spec) for outputs in (quantized, reference)]
    grown = [_measure_eces(one) for one in asked]
    main = name_main_output(spec)
    return Accuracy(
        photos=len(photos),
        **decisions._asdict(),
        ece={name: POINTS * (grown[0][name] - grown[1][name]) for name in grown[0]},
        mean_abs=float(np.abs(reference[main].astype(np.float64) - quantized[main]).mean()),
        kind=asked[0].kind,
    )


def of_decisions(
    reference: Outputs, quantized: Outputs, photos: LabelledPhotos, spec: ModelSpec, *, intervals: bool = True
) -> OfDecisions:
    """Compare what two networks decide on labelled photos.

    Args:
        reference: The float network's outputs, [N,…] by name.
        quantized: The quantized network's.
        photos: N ≥ 1, with the truth.
        spec: Names and thresholds.
        intervals: Whether to resample photos for intervals.
    """
    before, after = (ask(outputs, photos, spec) for outputs in (reference, quantized))
    truth = before.truth
    losses = {
        name: _measure_loss(truth[:, [k]], before.given[:, [k]], after.given[:, [k]], intervals)
        for k, name in enumerate(before.names)
        if truth[:, k].any()
    }
    return OfDecisions(
        quality=_measure_loss(before.labels, before.decided, after.decided, intervals),
        explanations=_measure_loss(truth, before.given, after.given, intervals),
        reasons=losses,
        agreement=POINTS * float((before.decided == after.decided).all(1).mean()),
    )


def problems(found: Accuracy, budget: Budget | None) -> tuple[str, ...]:
    """Say what is over the budget, a sentence each; nothing if it holds, or where there is none.

    >>> none = Loss(points=0.0)
    >>> found = Accuracy(photos=1, quality=Loss(points=0.7), explanations=none, reasons={"blurry": none},
    ...                  agreement=100, ece={"label": 0.0}, mean_abs=0)
    >>> problems(found, Budget(macro_f1=0.5))
    ('quality macro-F1 lost 0.70 points > 0.5',)
    """
    if budget is None:
        return ()
    rows = {
        f"{name} macro-F1 lost": (loss.points, budget.macro_f1)
        for name, loss in (("quality", found.quality), (found.kind, found.explanations))
    }
    rows |= {f"{name}: F1 lost": (loss.points, budget.reason_f1) for name, loss in found.reasons.items()}
    rows["the label's calibration error grew by"] = (found.label_ece, budget.ece)
    over = tuple(f"{what} {got:.2f} points > {limit:g}" for what, (got, limit) in rows.items() if not got <= limit)
    if not found.agreement >= budget.agreement:
        over += (f"labels agree on {found.agreement:.2f} % < {budget.agreement:g} %",)
    return over


def macro_f1(truth: Bools, given: Bools) -> float:
    """Return the mean over columns of F1 = 2 TP / (2 TP + FP + FN), bool [N,K]; columns that nobody has do not count.

    >>> round(macro_f1(np.array([[True], [True], [False]]), np.array([[True], [False], [False]])), 4)
    0.6667
    """
    return float(_measure_macro(truth, given, np.ones((1, len(truth)), np.float32))[0])


def _measure_loss(truth: Bools, before: Bools, after: Bools, intervals: bool) -> Loss:
    def difference(weights: NDArray[np.float32]) -> Floats:
        return (_measure_macro(truth, before, weights) - _measure_macro(truth, after, weights))[:, None]

    points = POINTS * (macro_f1(truth, before) - macro_f1(truth, after))
    if not intervals:
        return Loss(points=points)
    return Loss(points=points, interval=percentile(POINTS * bootstrap(difference, len(truth))[:, 0]))


def _measure_macro(truth: Bools, given: Bools, weights: NDArray[np.float32]) -> Floats:
    """Return macro-F1 of resampled photos, [B] for weights [B,N]; NaN where no column has a photo."""
    tp, other = (weights @ cell.astype(np.float32) for cell in (truth & given, truth ^ given))
    held = weights @ truth.astype(np.float32) > 0
    each = np.divide(2 * tp, 2 * tp + other, out=np.zeros(tp.shape), where=held)
    count = held.sum(1)
    return np.asarray(np.divide(each.sum(1), count, out=np.full(len(weights), np.nan), where=count > 0), np.float64)


def _measure_eces(asked: Questions) -> Mapping[str, float]:
    rows = {LABEL: (asked.sure, asked.right)}
    rows |= {name: (asked.scores[:, k], asked.truth[:, k]) for k, name in enumerate(asked.names)}
    return {name: measure_reliability(sure, right, name).ece.value or 0.0 for name, (sure, right) in rows.items()}
