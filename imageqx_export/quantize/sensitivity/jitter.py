"""Measure what quantization costs on few photos: F1 and agreement as expected under a little noise in the answers.

On 200 photos one changed decision moves macro-F1 by up to half a point, which is a whole budget, so that a search would
follow chance. Here every photo's answers are moved a little, by the same amounts for both networks, many times over,
and the figures are averaged. A photo near a threshold then counts by how far its answer moved, not only if it crosses.
``python -m benchmarks.bench_jitter`` measures how much that steadies the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import EXPLANATIONS, QUALITY
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
        reference: The float network's outputs, [N,…] by name.
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
        noise = _draw(rng, spread, reference, spec)
        before, after = (_measure_jitter(outputs, noise) for outputs in (reference, quantized))
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


def _draw(rng: np.random.Generator, spread: float, outputs: Outputs, spec: ModelSpec) -> dict[str, Floats]:
    """Draw how far each output of probabilities is moved; a binary decision's go together, as ranks never cross."""
    if spec.binary is None:
        return {name: rng.normal(0, spread, outputs[name].shape) for name in (QUALITY, EXPLANATIONS)}
    together = rng.normal(0, spread, (len(outputs[spec.binary.output]), 1))
    return {name: together for name, values in outputs.items() if values.ndim == 2}


def _measure_jitter(outputs: Outputs, noise: Mapping[str, Floats]) -> Outputs:
    from scipy.special import expit, logit, softmax

    moved = {}
    for name, by in noise.items():
        values = outputs[name].astype(np.float64)
        with np.errstate(divide="ignore"):  # a probability of 0 stays one
            found = softmax(np.log(values) + by, axis=1) if name == QUALITY else expit(logit(values) + by)
        moved[name] = found.astype(np.float32)
    return moved
