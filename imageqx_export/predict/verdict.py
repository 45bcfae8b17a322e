"""A verdict on a photo: is it good enough, and if not, what should the person do differently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from imageqx_export.artifact import BinaryDecision, ModelSpec, Outputs, Pixels, Region
from imageqx_export.decisions import ATTENTION, EXPLANATIONS, GOOD, POOR, QUALITY, decide, decide_good, rank_reasons
from imageqx_export.errors import ArtifactError
from imageqx_export.preprocess import load_pixels
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.frozen import Frozen

_CELLS = 64  # of a region's map, a side


class Reason(Frozen):
    """One reason: its ``name``, its probability, whether it is ``given``, and the retake ``hint``.

    Of a binary decision it is a region, the probability that it is bad, and what to do about it.
    """

    name: str
    probability: float
    given: bool
    hint: str


class Verdict(Frozen):
    """What the model says of one photo.

    Attributes:
        photo: The file, or its address.
        label: What was decided; see :func:`decide`, or of a binary decision ``"good"`` or ``"poor_quality"``.
        retake: Whether the person should take the photo again.
        probabilities: Per label; the sum is 1.
        reasons: Every reason, the worst first.
        hint: What to tell the person where a photo is poor and no reason is given; None takes the likeliest reason's.
        needed: Of a binary decision, the probability of ``"good"`` from which a photo is good; None of labels.
        meaning: Likewise, of what ``"good"`` is the probability, in words; empty where the model does not say.
    """

    photo: Path | str
    label: str
    retake: bool
    probabilities: dict[str, float]
    reasons: tuple[Reason, ...]
    hint: str | None = Field(default=None, exclude=True)
    needed: float | None = Field(default=None, exclude=True)
    meaning: str = Field(default="", exclude=True)

    @property
    def title(self) -> str:
        """What was decided, in words, with the number that decided it."""
        label, share = self.label.replace("_", " "), self.probabilities.get(self.label)
        if self.needed is not None:
            return f"{label}: good {self.probabilities[GOOD]:.1%}, needed {self.needed:.1%}"
        return label if share is None else f"{label} {share:.0%}"

    @property
    def hints(self) -> tuple[str, ...]:
        """What to tell the person, the worst reason first; empty if the photo is good enough.

        A poor photo without a reason above its threshold gets the likeliest one, as "poor" alone helps nobody; of a
        binary decision, the hint about the whole photo.
        """
        if not self.retake:
            return ()
        given = tuple(reason.hint for reason in self.reasons if reason.given)
        return given or (self.reasons[0].hint if self.hint is None else self.hint,)


def predict_photos(
    photos: Sequence[Path], runtime: Runtime, spec: ModelSpec | None = None
) -> list[tuple[Verdict, NDArray[np.float32]]]:
    """Run a model over photos and decide about each.

    Args:
        photos: Files of any kind that Pillow reads.
        runtime: A checkpoint's or an artifact's.
        spec: The file's own with other thresholds, or None for the file's own.

    Returns:
        Per photo the verdict, and the attention maps float32 [K,h,w] in the order of the spec's reasons; of a binary
        decision, in the order of its regions, 1 where a region lies times the probability that it is bad.

    Raises:
        PhotoError: A file is not a usable photo; nothing is decided then.
        ArtifactError: The model cannot be run, or gives NaN.
    """
    spec = spec or runtime.spec
    return predict_pixels(photos, np.stack([load_pixels(photo, spec.preprocessing) for photo in photos]), runtime, spec)


def predict_pixels(
    photos: Sequence[Path | str], pixels: Pixels, runtime: Runtime, spec: ModelSpec
) -> list[tuple[Verdict, NDArray[np.float32]]]:
    """Run a model over photos that are read already; see :func:`predict_photos`.

    Args:
        photos: Their files or addresses, for the verdicts.
        pixels: uint8 [N,H,W,3], as of :func:`~imageqx_export.preprocess.load_pixels`.
        runtime: A checkpoint's or an artifact's.
        spec: What to decide with.

    Raises:
        ArtifactError: The model cannot be run, or gives NaN.
    """
    outputs = runtime.run(pixels)
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise ArtifactError(
                "an output is not finite", where=name, expected="probabilities", remedy="imageqx parity with its folder"
            )
    return [(make_verdict(photo, outputs, i, spec), make_maps(outputs, i, spec)) for i, photo in enumerate(photos)]


def list_reasons(spec: ModelSpec) -> tuple[str, ...]:
    """Return the names of a verdict's reasons in the order of the maps: the reasons, or the regions."""
    return spec.reasons if spec.binary is None else tuple(part.name for part in _list_regions(spec.binary))


def make_maps(outputs: Outputs, index: int, spec: ModelSpec) -> NDArray[np.float32]:
    """Return what is drawn over photo ``index``: see :func:`predict_photos`."""
    if spec.binary is None:
        return np.asarray(outputs[ATTENTION][index])
    parts = _list_regions(spec.binary)
    if not parts:
        return np.zeros((0, 1, 1), np.float32)
    assert spec.binary.regions is not None
    bad = 1 - outputs[spec.binary.regions.output][index]
    return np.stack([_cover(part) * np.float32(share) for part, share in zip(parts, bad, strict=True)])


def _cover(part: Region) -> NDArray[np.float32]:
    """Return a map with 1 where a region lies."""
    centres = (np.arange(_CELLS) + 0.5) / _CELLS
    rows = (centres > part.top) & (centres < part.top + part.height)
    columns = (centres > part.left) & (centres < part.left + part.width)
    return np.asarray(rows[:, None] & columns, np.float32)


def _list_regions(binary: BinaryDecision) -> tuple[Region, ...]:
    return () if binary.regions is None else binary.regions.parts


def make_verdict(photo: Path | str, outputs: Outputs, index: int, spec: ModelSpec) -> Verdict:
    """Read row ``index`` of a runtime's outputs as a verdict."""
    if spec.binary is not None:
        return _make_binary(photo, outputs, index, spec, spec.binary)
    quality, explanations = outputs[QUALITY][index], outputs[EXPLANATIONS][index]
    label = spec.labels[int(decide(outputs[QUALITY][index : index + 1], spec)[0])]
    reasons = [
        Reason(name=name, probability=float(p), given=bool(p >= spec.thresholds[name]), hint=spec.hints[name])
        for name, p in zip(spec.reasons, explanations, strict=True)
    ]
    reasons = [reasons[place] for place in rank_reasons(explanations[None], spec)[0]]
    return Verdict(
        photo=photo,
        label=label,
        retake=label == POOR,
        probabilities={name: float(p) for name, p in zip(spec.labels, quality, strict=True)},
        reasons=tuple(reasons),
    )


def _make_binary(photo: Path | str, outputs: Outputs, index: int, spec: ModelSpec, binary: BinaryDecision) -> Verdict:
    values = outputs[binary.output][index : index + 1]
    good, share = bool(decide_good(values, spec)[0]), float(values[0, 0])
    reasons = []
    if binary.regions is not None:
        least = np.float32(binary.regions.threshold)
        reasons = [
            Reason(name=part.name, probability=1 - float(p), given=bool(p < least), hint=part.hint)
            for part, p in zip(binary.regions.parts, outputs[binary.regions.output][index], strict=True)
        ]
    reasons.sort(key=lambda reason: reason.probability, reverse=True)
    return Verdict(
        photo=photo,
        label=GOOD if good else POOR,
        retake=not good,
        probabilities={GOOD: share, POOR: 1 - share},
        reasons=tuple(reasons),
        hint=binary.hint,
        needed=binary.threshold,
        meaning=_describe_good(binary),
    )


def _describe_good(binary: BinaryDecision) -> str:
    """Return of what the probability of good is one, where raters are counted."""
    ranks = binary.ranks
    return "" if ranks is None else f"that at least {ranks.good_when_at_least} of {ranks.raters} raters call it good"
