"""Draw labelled samples: a scene or a photo, spoilt in known ways. A seed and an index give the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from imageqx_export.data import degradations
from imageqx_export.data.folder import PhotoFolder
from imageqx_export.data.synthetic import FITZPATRICK, Image, SceneClass, noise, room, scene
from imageqx_export.networks.imageqx_spec import LABELS, REASONS

SIZE = 224
_CANVAS = 256
_CLASSES: tuple[SceneClass, ...] = get_args(SceneClass)
_CLASS_SHARES = (0.36, 0.26, 0.38)
_SPOILT_SHARE = 0.5
_MOVED_SHARE = 0.8  # of the subjects that can be cut out: put in front of something else
_REASONS_SHARES = (0.7, 0.25, 0.05)  # of the spoilt: one, two or three reasons


class Sample(NamedTuple):
    """Hold one labelled photo.

    Attributes:
        image: uint8 [224,224,3], sRGB.
        quality: Index into ``LABELS``.
        explanations: float32 [5], 1 where the reason holds.
    """

    image: Image
    quality: int
    explanations: NDArray[np.float32]


@dataclass(frozen=True)
class Samples:
    """Draw samples by index, from the painter and, for a share of them, from photos.

    Args:
        seed: Two instances with the same seed draw the same samples.
        photos: Photos to mix in, or None for the painter alone.
        photo_share: Of the samples, the share that is made from photos.
    """

    seed: int
    photos: PhotoFolder | None = None
    photo_share: float = 0.7

    def __getitem__(self, index: int) -> Sample:
        """Draw sample number ``index`` ≥ 0."""
        rng = np.random.default_rng((self.seed, index))
        label, severity = _plan(rng)
        use_photo = self.photos is not None and self.photos.has(label) and rng.random() < self.photo_share
        image = self._photo(rng, label, severity) if use_photo else _painted(rng, label, severity)
        for reason, spoil in degradations.PIXELWISE.items():
            image = spoil(rng, image, severity[reason])
        flags = np.array([severity[reason] >= degradations.STRONG for reason in REASONS], np.float32)
        quality = _quality(label, severity)
        image = np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
        return Sample(np.ascontiguousarray(image), quality, flags)

    def label(self, index: int) -> int:
        """Tell sample ``index``'s label, an index into ``LABELS``, without drawing the picture."""
        return _quality(*_plan(np.random.default_rng((self.seed, index))))

    def _photo(self, rng: np.random.Generator, label: SceneClass, severity: dict[str, float]) -> Image:
        assert self.photos is not None
        photo, mask = self.photos.draw(rng, label)
        photo = _recolor(rng, photo)
        if mask is not None and rng.random() < _MOVED_SHARE:
            behind = cv2.resize(self._behind(rng), photo.shape[1::-1])
            photo = np.asarray(photo * mask[..., None] + behind * (1 - mask[..., None]), np.uint8)
        if rng.random() < 0.5:
            photo = np.ascontiguousarray(photo[:, ::-1])
        if label == "no_skin":
            return _cropped(rng, photo)
        behind = self._behind(rng) if rng.random() < 0.75 else _skin_like(rng, photo)
        return degradations.compose(rng, photo, behind, severity["bad_framing"], severity["too_far_away"])

    def _behind(self, rng: np.random.Generator) -> Image:
        """Choose what shows behind a photo's subject: another photo or a painted room."""
        assert self.photos is not None
        if rng.random() < 0.65 and self.photos.has("no_skin"):
            return _cropped(rng, self.photos.draw(rng, "no_skin")[0])
        return np.asarray(room(rng, _CANVAS), np.uint8)


def batch(samples: Samples, indices: range) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Stack samples.

    Returns:
        Images uint8 [N,224,224,3], labels int64 [N], explanations float32 [N,5].
    """
    drawn = [samples[index] for index in indices]
    return (
        np.stack([sample.image for sample in drawn]),
        np.array([sample.quality for sample in drawn], np.int64),
        np.stack([sample.explanations for sample in drawn]),
    )


def _plan(rng: np.random.Generator) -> tuple[SceneClass, dict[str, float]]:
    label = _CLASSES[rng.choice(3, p=_CLASS_SHARES)]
    return label, _severities(rng, label)


def _quality(label: SceneClass, severity: dict[str, float]) -> int:
    poor = max(severity.values()) >= degradations.STRONG
    return LABELS.index("poor_quality" if poor else label)


def _severities(rng: np.random.Generator, label: SceneClass) -> dict[str, float]:
    # Squared: most good photos are far from the limit.
    severity = {reason: float(rng.uniform(0, 1) ** 2 * degradations.MILD) for reason in REASONS}
    # Bad framing means that a lesion is cut off. It is possible on a third of the samples, so it is drawn more often.
    weights = {"lesion": {"bad_framing": 3.0}, "healthy_skin": {"bad_framing": 0.0, "too_far_away": 1.3}}.get(
        label, dict.fromkeys(degradations.GEOMETRIC, 0.0)
    )
    possible = [reason for reason in REASONS if weights.get(reason, 1.0) > 0]
    odds = np.array([weights.get(reason, 1.0) for reason in possible])
    if rng.random() < _SPOILT_SHARE:
        count = 1 + int(rng.choice(3, p=_REASONS_SHARES))
        for reason in rng.choice(possible, min(count, len(possible)), replace=False, p=odds / odds.sum()):
            severity[str(reason)] = float(rng.uniform(degradations.STRONG, 1))
    if severity["bad_framing"] >= degradations.STRONG and severity["too_far_away"] >= degradations.STRONG:
        severity["too_far_away"] = float(rng.uniform(0, degradations.MILD))  # half a speck tells nothing
    return severity


def _painted(rng: np.random.Generator, label: SceneClass, severity: dict[str, float]) -> Image:
    where = degradations.place(rng, severity["bad_framing"], severity["too_far_away"])
    if label == "healthy_skin":  # a limb fills more of the frame than a lesion does
        where = where._replace(scale=where.scale * (3.0 if severity["too_far_away"] < degradations.STRONG else 1.2))
    return scene(rng, label, where, _CANVAS)


def _recolor(rng: np.random.Generator, photo: Image) -> Image:
    """Shift a photo's tone: the photos at hand are mostly of light skin."""
    darker = rng.uniform(0.35, 1.1) if rng.random() < 0.5 else 1.0
    gains = darker * (1 + rng.normal(0, 0.04, 3))
    return np.asarray(
        np.clip(255 * (photo / 255.0) ** (1 / max(float(darker), 0.55)) * gains / darker, 0, 255), np.uint8
    )


def _cropped(rng: np.random.Generator, photo: Image) -> Image:
    height, width = photo.shape[:2]
    share = rng.uniform(0.75, 1, 2)
    h, w = round(height * share[0]), round(width * share[1])
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    cut = photo[top : top + h, left : left + w]
    return np.asarray(cv2.resize(cut, (_CANVAS, _CANVAS), interpolation=cv2.INTER_AREA), np.uint8)


def _skin_like(rng: np.random.Generator, photo: Image) -> Image:
    """Continue a close-up past its border: skin of the border's own colour."""
    border = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]]).astype(np.float32)
    base = np.median(border, 0)
    nearest = int(np.abs(FITZPATRICK - base).sum(1).argmin())
    grain = noise(rng, _CANVAS, _CANVAS // 3) * 4 + noise(rng, _CANVAS, 6 + nearest) * 6
    return np.asarray(np.clip(base + grain, 0, 255), np.uint8)
