"""A verdict on a photo: is it good enough, and if not, what should the person do differently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.decisions import POOR, decide, rank_reasons
from imageqx_export.errors import ArtifactError
from imageqx_export.preprocess import load_pixels
from imageqx_export.runtimes.base import Runtime


class Reason(BaseModel):
    """One reason: its ``name``, its probability, whether it is ``given``, and the retake ``hint``."""

    model_config = ConfigDict(frozen=True)
    name: str
    probability: float
    given: bool
    hint: str


class Verdict(BaseModel):
    """What the model says of one photo.

    Attributes:
        photo: The file.
        label: What was decided; see :func:`decide`.
        retake: Whether the person should take the photo again.
        probabilities: Per label; the sum is 1.
        reasons: Every reason, the worst first.
    """

    model_config = ConfigDict(frozen=True)
    photo: Path
    label: str
    retake: bool
    probabilities: dict[str, float]
    reasons: tuple[Reason, ...]

    @property
    def hints(self) -> tuple[str, ...]:
        """What to tell the person, the worst reason first; empty if the photo is good enough.

        A poor photo without a reason above its threshold gets the likeliest one, as "poor" alone helps nobody.
        """
        if not self.retake:
            return ()
        return tuple(reason.hint for reason in self.reasons if reason.given) or (self.reasons[0].hint,)


def predict_photos(
    photos: Sequence[Path], runtime: Runtime, spec: ModelSpec | None = None
) -> list[tuple[Verdict, NDArray[np.float32]]]:
    """Run a model over photos and decide about each.

    Args:
        photos: Files of any kind that Pillow reads.
        runtime: A checkpoint's or an artifact's.
        spec: The file's own with other thresholds, or None for the file's own.

    Returns:
        Per photo the verdict, and the attention maps float32 [5,7,7] in the order of the spec's reasons.

    Raises:
        PhotoError: A file is not a usable photo; nothing is decided then.
        ArtifactError: The model cannot be run, or gives NaN.
    """
    pixels = np.stack([load_pixels(photo) for photo in photos])
    outputs = runtime.run(pixels)
    spec = spec or runtime.spec
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise ArtifactError(
                "an output is not finite", where=name, expected="probabilities", remedy="imageqx parity with its folder"
            )
    return [(make_verdict(photo, outputs, i, spec), outputs["attention"][i]) for i, photo in enumerate(photos)]


def make_verdict(photo: Path, outputs: Outputs, index: int, spec: ModelSpec) -> Verdict:
    """Read row ``index`` of a runtime's outputs as a verdict."""
    quality, explanations = outputs["quality"][index], outputs["explanations"][index]
    label = spec.labels[int(decide(outputs["quality"][index : index + 1], spec)[0])]
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
