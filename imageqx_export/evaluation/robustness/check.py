"""Degrade photos in each kind alone, mild and strong, and ask a model about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Pixels
from imageqx_export.data.bank import Bank
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.kinds import KINDS, LESION, Kind
from imageqx_export.data.sample_plan import SamplePlan, plan_kind
from imageqx_export.data.synthetic import MILD, STRONG
from imageqx_export.data.vocabulary import LABELS, REASONS, require_vocabulary
from imageqx_export.decisions import EXPLANATIONS, POOR, QUALITY, decide, decide_good, rank_reasons
from imageqx_export.errors import ArtifactError, DatasetError
from imageqx_export.evaluation.intervals import UNMEASURED, Bools, wilson
from imageqx_export.evaluation.robustness.result import Cell, Example, KindResult, Robustness
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.progress import Progress, silent

SEED = 2**31 + 2
"""Of what is done to the photos; training's seeds are small numbers."""
RANGES = ((0.5 * MILD, MILD), (STRONG, 1.0))
"""Severities of the mild and of the strong versions: uniform in these ranges."""
_CHUNK = 32


@dataclass(frozen=True)
class Answers:
    """What a model says of N photos.

    Args:
        poor: Whether each is poor, bool [N].
        label: Index into ``LABELS``, int64 [N]; None of a model without labels.
        first: Index into ``REASONS`` of the first hint, int64 [N]; likewise.
        probability: Of being poor, float32 [N].
    """

    poor: Bools
    label: NDArray[np.int64] | None
    first: NDArray[np.int64] | None
    probability: NDArray[np.float32]


def measure_robustness(
    runtime: Runtime,
    bank: Bank,
    *,
    model_name: str,
    source: str,
    spec: ModelSpec | None = None,
    progress: Progress = silent,
) -> Robustness:
    """Ask a model about every kind of degradation.

    Args:
        runtime: A checkpoint's or an artifact's, of either kind of answer.
        bank: Photos that are good as they are.
        model_name: What to call the model.
        source: Where the photos come from.
        spec: Thresholds to decide with in place of the runtime's own.
        progress: Opens a bar over the kinds.

    Raises:
        DatasetError: There is no photo.
        ArtifactError: The model has other labels or reasons, or gives numbers that are not finite.
    """
    spec = spec or runtime.spec
    if len(bank) == 0:
        raise DatasetError("no photos to degrade", where=source, expected="one at least")
    if spec.binary is None:
        require_vocabulary(spec, model_name)
    asker = _Asker(runtime, spec, bank, Degrader(bank, torch.device("cpu")))
    with progress("degrading and assessing", len(KINDS) + 1) as advance:
        clean = asker.assess_clean()
        advance()
        kinds = []
        for number, kind in enumerate(KINDS):
            kinds.append(asker.assess(kind, number))
            advance()
    return Robustness(model_name, source, spec, clean, tuple(kinds))


@dataclass(frozen=True)
class _Asker:
    runtime: Runtime
    spec: ModelSpec
    bank: Bank
    room: Degrader

    def assess_clean(self) -> dict[str, Cell]:
        every = np.arange(len(self.bank))
        answers = self._ask(plan_kind(self.bank, every, None, np.zeros(len(every), np.float32), SEED))[0]
        truth = self.bank.quality
        rows = {label: truth == index for index, label in enumerate(LABELS) if label != POOR}
        return {name: self._count(answers, chosen, truth, None) for name, chosen in rows.items()} | {
            "all": self._count(answers, np.ones(len(truth), bool), truth, None)
        }

    def assess(self, kind: Kind, number: int) -> KindResult:
        subject = np.flatnonzero(kind.suits(self.bank, np.arange(len(self.bank))))
        cells, examples = [], []
        shown = _choose_example(self.bank, subject)  # one lesion for all kinds that suit it
        for strength, (low, high) in enumerate(RANGES):
            rng = np.random.default_rng((SEED, number, strength))
            severity = rng.uniform(low, high, len(subject)).astype(np.float32)
            plan = plan_kind(self.bank, subject, kind, severity, SEED + 2 * number + strength)
            if len(subject) == 0:
                cells.append(Cell(0, UNMEASURED))
                continue
            answers, pixels = self._ask(plan, shown)
            every, truth = np.ones(len(subject), bool), self.bank.quality[subject]
            cells.append(self._count(answers, every, truth, kind.reason))
            wanted = bool(answers.poor[shown]) == (strength == 1 and kind.reason is not None)
            examples.append(Example(pixels, _describe(answers, shown), wanted))
        return KindResult(kind, cells[0], cells[1], tuple(examples))

    def _ask(self, plan: SamplePlan, shown: int = 0) -> tuple[Answers, Pixels]:
        """Degrade and assess, a few at a time; return the picture ``shown`` too."""
        parts, kept = [], None
        for start in range(0, len(plan), _CHUNK):
            stop = min(start + _CHUNK, len(plan))
            pixels = self.room.degrade(plan.part(start, stop), self.bank.side).to(torch.uint8).numpy()
            parts.append(self._read(self.runtime.run(pixels)))
            if start <= shown < stop:
                kept = pixels[shown - start].copy()
        assert kept is not None
        return _join(parts), kept

    def _read(self, outputs: dict[str, NDArray[np.float32]]) -> Answers:
        for name, values in outputs.items():
            if not np.isfinite(values).all():
                raise ArtifactError("outputs that are not numbers", where=name, expected="finite values")
        if self.spec.binary is not None:
            good = outputs[self.spec.binary.output]
            return Answers(~decide_good(good, self.spec), None, None, 1 - good[:, 0])
        label = decide(outputs[QUALITY], self.spec)
        poor = self.spec.labels.index(POOR)
        first = rank_reasons(outputs[EXPLANATIONS], self.spec)[:, 0]
        return Answers(label == poor, label, first, outputs[QUALITY][:, poor])

    def _count(self, answers: Answers, chosen: Bools, truth: NDArray[np.int64], reason: int | None) -> Cell:
        poor, count = answers.poor & chosen, int(chosen.sum())
        kept = hinted = UNMEASURED
        if answers.label is not None:
            kept = wilson(int((chosen & (answers.label == truth)).sum()), count)
        if answers.first is not None and reason is not None:
            hinted = wilson(int((poor & (answers.first == reason)).sum()), int(poor.sum()))
        return Cell(count, wilson(int(poor.sum()), count), kept, hinted)


def _join(parts: Sequence[Answers]) -> Answers:
    labels = [part.label for part in parts if part.label is not None]
    firsts = [part.first for part in parts if part.first is not None]
    return Answers(
        np.concatenate([part.poor for part in parts]),
        np.concatenate(labels) if labels else None,
        np.concatenate(firsts) if firsts else None,
        np.concatenate([part.probability for part in parts]),
    )


def _choose_example(bank: Bank, subject: NDArray[np.int64]) -> int:
    """Return the place of the lesion whose size is the nearest to a twelfth of the frame, or 0."""
    lesions = (bank.quality[subject] == LESION) & (bank.mask[subject] >= 0)
    if not lesions.any():
        return 0
    off = np.where(lesions, np.abs(bank.areas[np.maximum(bank.mask[subject], 0)] - 1 / 12), np.inf)
    return int(off.argmin())


def _describe(answers: Answers, index: int) -> tuple[str, ...]:
    """Say what a model said of one photo, a line each."""
    share = f"P(poor) {answers.probability[index]:.2f}"
    if answers.label is None:
        return ("poor" if answers.poor[index] else "good", share)
    lines = (LABELS[answers.label[index]].replace("_", " "), share)
    if not answers.poor[index] or answers.first is None:
        return lines
    return (*lines, f"first: {REASONS[answers.first[index]].replace('_', ' ')}")
