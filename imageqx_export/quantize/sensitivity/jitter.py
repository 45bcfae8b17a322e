"""Measure what quantization costs on few photos: F1 and agreement as expected under a little noise in the answers.

On 200 photos one changed decision moves macro-F1 by up to half a point, which is a whole budget, so that a search would
follow chance. Here every photo's answers are moved a little, by the same amounts for both networks, many times over,
and the figures are averaged. A photo near a threshold then counts by how far its answer moved, not only if it crosses.
``python -m benchmarks.bench_jitter`` measures how much that steadies the figures.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.evaluation.accuracy_loss import Accuracy, Loss, OfDecisions, accuracy, of_decisions
from imageqx_export.evaluation.intervals import Floats

SPREAD, DRAWS, SEED = 0.5, 24, 20261122


def measure_jittered_accuracy(
    reference: Outputs,
    quantized: Outputs,
    photos: LabelledPhotos,
    spec: ModelSpec,
    *,
    spread: float = SPREAD,
) -> Accuracy:
    """Compare a quantized network with the float one on labelled photos, averaged over jittered answers.

    Args:
        reference: The float network's ``quality`` [N,4] and ``explanations`` [N,5].
        quantized: The quantized network's.
        photos: N ≥ 1, with the truth.
        spec: Names and thresholds.
        spread: Standard deviation of the noise, in logits (labels: in log-probabilities, normalised again).

    Returns:
        F1's losses and the agreement are means over the draws, without intervals; the calibration error and mean |Δ|
        are the answers' own.
    """
    rng = np.random.default_rng(SEED)
    seen = []
    for _ in range(DRAWS):
        labels, reasons = (rng.normal(0, spread, reference[name].shape) for name in ("quality", "explanations"))
        before, after = (_jitter(outputs, labels, reasons) for outputs in (reference, quantized))
        seen.append(of_decisions(before, after, photos, spec, intervals=False))

    averaged = OfDecisions(
        quality=_average(one.quality for one in seen),
        explanations=_average(one.explanations for one in seen),
        reasons={name: _average(one.reasons[name] for one in seen) for name in seen[0].reasons},
        agreement=float(np.mean([one.agreement for one in seen])),
    )
    return accuracy(reference, quantized, photos, spec, decisions=averaged)


def _average(losses: Iterable[Loss]) -> Loss:
    return Loss(points=float(np.mean([loss.points for loss in losses])))


def _jitter(outputs: Outputs, labels: Floats, reasons: Floats) -> Outputs:
    from scipy.special import expit, logit, softmax

    with np.errstate(divide="ignore"):  # a probability of 0 stays one
        quality = softmax(np.log(outputs["quality"].astype(np.float64)) + labels, axis=1)
    explanations = expit(logit(outputs["explanations"].astype(np.float64)) + reasons)
    return {"quality": quality.astype(np.float32), "explanations": explanations.astype(np.float32)}
