"""The pictures that samples are made from, decoded once: photos, synthetic scenes, rated photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Preprocessing
from imageqx_export.data.crops import measure_spans
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import DatasetError

SIDE = Preprocessing().height
"""Pixels a side, unless a network's ModelSpec says otherwise."""
NOWHERE, PHOTO, SYNTHETIC, RATED = -1, 0, 1, 2
"""Where a picture comes from: a photo that is good as it is, a synthetic scene, or a photo that raters labelled."""


@dataclass(frozen=True)
class Bank:
    """A number N of pictures with their labels; 150,528 bytes each at 224 pixels a side.

    Args:
        images: uint8 [N,H,H,3], the whole frame, stretched.
        masks: Subjects' masks, uint8 [M,H,H], 255 on the subject: a lesion, a hand, an object.
        mask: Index into ``masks``, or -1, int64 [N].
        shares: Per label, the share of raters; one-hot where there were none; float32 [N,4].
        reasons: What is wrong with the picture as it is, 0 or 1, float32 [N,5].
        origin: :data:`PHOTO`, :data:`SYNTHETIC` or :data:`RATED`, int64 [N].
        fitzpatrick: Skin type 1…6, or 0 where it is not known, int64 [N].
        severity: How far each reason goes in the picture as it is, in [0, 1]; 0 where it is not known; float32 [N,5].
        votes: How many of four raters call the picture good, or -1 where nobody was asked, int64 [N].
    """

    images: NDArray[np.uint8] = field(repr=False)
    masks: NDArray[np.uint8] = field(repr=False)
    mask: NDArray[np.int64] = field(repr=False)
    shares: NDArray[np.float32] = field(repr=False)
    reasons: NDArray[np.float32] = field(repr=False)
    origin: NDArray[np.int64] = field(repr=False)
    fitzpatrick: NDArray[np.int64] = field(repr=False)
    severity: NDArray[np.float32] = field(repr=False)
    votes: NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def side(self) -> int:
        """Pixels a side."""
        return int(self.images.shape[1])

    @cached_property
    def quality(self) -> NDArray[np.int64]:
        """The likeliest label's index, int64 [N]."""
        return np.asarray(self.shares.argmax(1), np.int64)

    @cached_property
    def rated(self) -> NDArray[np.int64]:
        """The indices of the rated photos."""
        return np.flatnonzero(self.origin == RATED)

    @cached_property
    def spans(self) -> NDArray[np.float32]:
        """Where the tenths of each mask lie along x and y, as shares of a side, float32 [M,2,11]."""
        return measure_spans(self.masks)

    @cached_property
    def areas(self) -> NDArray[np.float32]:
        """The share of the frame that each mask covers, float32 [M]."""
        return np.asarray((self.masks > 127).mean((1, 2)), np.float32)

    def take(self, indices: NDArray[np.int64]) -> Bank:
        """Return the pictures at ``indices``."""
        names = ("images", "mask", "shares", "reasons", "origin", "fitzpatrick", "severity", "votes")
        return Bank(masks=self.masks, **{name: getattr(self, name)[indices] for name in names})

    def pool(
        self,
        label: int,
        origin: int | None = None,
        geometry: tuple[bool, bool] = (False, False),
        photos_first: bool = False,
    ) -> NDArray[np.int64]:
        """List the pictures of a label.

        Args:
            label: Index into ``LABELS``.
            origin: Where from; None for photos and synthetic scenes.
            geometry: For synthetic scenes, whether they are badly framed and too far away.
            photos_first: Whether to leave the synthetic ones out if there are photos.

        Returns:
            Indices, int64.
        """
        if origin is not None:
            return self._pools.get((label, origin, *(map(bool, geometry) if origin == SYNTHETIC else ())), _NONE)
        photos, synthetic = self.pool(label, PHOTO), self.pool(label, SYNTHETIC)
        return photos if (photos_first and len(photos)) or not len(synthetic) else synthetic

    @cached_property
    def _pools(self) -> dict[tuple[int, ...], NDArray[np.int64]]:
        framing, distance = REASONS.index("bad_framing"), REASONS.index("too_far_away")
        pools: dict[tuple[int, ...], list[int]] = {}
        for i in range(len(self)):
            key: tuple[int, ...] = (int(self.quality[i]), int(self.origin[i]))
            if self.origin[i] == SYNTHETIC:
                key = (*key, bool(self.reasons[i, framing]), bool(self.reasons[i, distance]))
            pools.setdefault(key, []).append(i)
        return {key: np.array(indices, np.int64) for key, indices in pools.items()}


_NONE = np.empty(0, np.int64)


def join(banks: Sequence[Bank]) -> Bank:
    """Put banks one after the other."""
    starts = np.cumsum([0, *(len(bank.masks) for bank in banks)])
    shifted = [np.where(bank.mask >= 0, bank.mask + start, -1) for bank, start in zip(banks, starts, strict=False)]
    names = ("images", "masks", "shares", "reasons", "origin", "fitzpatrick", "severity", "votes")
    parts = {name: np.concatenate([getattr(bank, name) for bank in banks]) for name in names}
    return Bank(mask=np.concatenate(shifted), **parts)


def make_bank(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | NDArray[np.float32],
    origin: int,
    reasons: NDArray[np.float32] | None = None,
    fitzpatrick: NDArray[np.int64] | None = None,
    masks: Sequence[NDArray[np.uint8] | None] = (),
    *,
    severity: NDArray[np.float32] | None = None,
    votes: NDArray[np.int64] | None = None,
) -> Bank:
    """Make a bank of pictures of one origin.

    Args:
        images: uint8 [N,H,H,3].
        labels: Indices into ``LABELS``, int64 [N], or shares, float32 [N,4].
        origin: :data:`PHOTO`, :data:`SYNTHETIC` or :data:`RATED`.
        reasons: What is wrong as it is, [N,5]; None for nothing.
        fitzpatrick: Skin types; None for unknown.
        masks: Per picture its subject's mask, or None; empty for none at all.
        severity: How far each reason goes as it is, [N,5]; None for not known.
        votes: Of four raters; None where nobody was asked.

    Raises:
        DatasetError: A mask is empty.
    """
    count = len(images)
    shares = np.eye(len(LABELS), dtype=np.float32)[labels] if labels.ndim == 1 else labels
    known = [mask for mask in masks if mask is not None]
    empty = sum(not mask.any() for mask in known)
    if empty:
        raise DatasetError(
            "a subject's mask is empty", expected="a mask that shows where it is, or none", got=f"{empty} empty"
        )
    numbers = iter(range(len(known)))
    return Bank(
        images=images,
        masks=np.stack(known) if known else np.empty((0, *images.shape[1:3]), np.uint8),
        mask=np.array([-1 if mask is None else next(numbers) for mask in masks] or [-1] * count, np.int64),
        shares=np.asarray(shares, np.float32),
        reasons=np.zeros((count, len(REASONS)), np.float32) if reasons is None else reasons,
        origin=np.full(count, origin, np.int64),
        fitzpatrick=np.zeros(count, np.int64) if fitzpatrick is None else fitzpatrick,
        severity=np.zeros((count, len(REASONS)), np.float32) if severity is None else severity,
        votes=np.full(count, -1, np.int64) if votes is None else votes,
    )
