"""Plan what is done to each sample of a batch: numbers only, drawn on the CPU, so that every device does the same."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.bank import NOWHERE, PHOTO, RATED, SYNTHETIC, Bank
from imageqx_export.data.kinds import (
    BLUR,
    DISTANCE,
    FRAMING,
    HEALTHY,
    LESION,
    LIGHT,
    NO_SKIN,
    POOR,
    RESOLUTION,
    Draft,
    Kind,
    find_kind,
    keep_still,
)
from imageqx_export.data.severities import (
    draw_blurs,
    draw_crops,
    draw_lights,
    draw_resolutions,
    draw_tones,
    place_subjects,
)
from imageqx_export.data.synthetic import MILD, STRONG
from imageqx_export.data.variety import VARIED, come_near_limits, vary
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.data.votes import simulate_votes

_CLASS_SHARES = ((LESION, 0.36), (NO_SKIN, 0.26), (HEALTHY, 0.38))
_DEGRADED_SHARE = 0.5
_MOVED_SHARE = 0.8  # of the subjects that can be cut out: put in front of something else
_PHOTO_BEHIND_SHARE = 0.65
_REASONS_SHARES = (0.7, 0.25, 0.05)  # of the degraded: one, two or three reasons
# How often each reason is drawn, per class. Bad framing means that a lesion is cut off, so it is possible on a third of
# the samples alone, and drawn more often there.
_ODDS = {
    LESION: {FRAMING: 3.0},
    HEALTHY: {FRAMING: 0.0, DISTANCE: 1.3},
    NO_SKIN: {FRAMING: 0.0, DISTANCE: 0.0},
}

_CLEAN = 12  # what random numbers are for: the last part of their key

Array = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SamplePlan:
    """A plan of B samples to make from a bank; every field's first axis is B.

    Args:
        subject: Index of the picture, int64 [B].
        behind: Index of the picture that shows beside it, int64 [B].
        cut: Whether the subject's mask is used, [B].
        affine: From the sample's coordinates in [-1, 1] to the subject's, [B,2,3].
        behind_affine: Likewise for what is behind.
        shrink: How many of the subject's pixels fall on one of the sample's, ≥ 1, [B].
        edge: Exponent and softness of the subject's border, [B,2]; an exponent of 0 stands for no border.
        skin_behind: Whether skin of the border's colour is behind instead, [B].
        tone: Gamma and three gains, [B,4].
        light: Gain, three colour factors, shade and gain after it, noise, [B,7].
        blur: Kind (0 none, 1 disc, 2 motion), radius or length in 256ths of a side, angle and bend, [B,4].
        resolution: Pixels a side, JPEG quality (100: none), and whether it is enlarged without smoothing, [B,3].
        focus: What is blurred: 0 the whole frame, 1 the lesion alone, 2 all but the lesion, [B].
        mirror: Whether the subject goes on as its mirror image past its own border, [B].
        ground: Whether the cut-out subject lies on a plain ground, and that one's red, green and blue in [0, 1], [B,4].
        shadow: A shadow's edge: angle, place from the middle and softness in half sides, and shade (0: none), [B,4].
        glare: A highlight: x and y in [-1, 1], radius in half sides, and strength (0: none), [B,4].
        marks: Grey scale, letterbox bars (their share; below 0 at the sides), pen, ruler, and number of hairs, [B,5].
        shares: Truth, [B,4]; one-hot unless raters' shares are wanted.
        reasons: Truth, [B,5].
        votes: Truth: how many of four raters call it good, simulated where nobody was asked; int64 [B].
        fitzpatrick: Skin type, or 0 where it is not known (any longer), int64 [B].
        seed: Of the noise.
    """

    subject: Indices
    behind: Indices
    cut: Array
    affine: Array
    behind_affine: Array
    shrink: Array
    edge: Array
    skin_behind: Array
    tone: Array
    light: Array
    blur: Array
    resolution: Array
    focus: Array
    mirror: Array
    ground: Array
    shadow: Array
    glare: Array
    marks: Array
    shares: Array
    reasons: Array
    votes: Indices
    fitzpatrick: Indices
    seed: int

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def quality(self) -> Indices:
        """The likeliest label's index, int64 [B]."""
        return np.asarray(self.shares.argmax(1), np.int64)

    def part(self, start: int, stop: int) -> SamplePlan:
        """Return samples ``start`` to ``stop``: one process's share of a batch, with noise of its own."""
        cut = {f.name: getattr(self, f.name)[start:stop] for f in fields(self) if f.name != "seed"}
        return SamplePlan(**cut, seed=self.seed + start)


def plan_samples(
    bank: Bank,
    key: tuple[int, ...],
    count: int,
    photo_share: float = 0.7,
    rated_share: float = 0.5,
    *,
    between: bool = False,
    varied: bool = True,
) -> SamplePlan:
    """Draw a plan.

    Args:
        bank: The pictures to choose from.
        key: Of the random numbers: seed, epoch, step.
        count: Samples.
        photo_share: Of the samples, the share that is made from photos, where the bank has photos of the class.
        rated_share: Of the samples, the share that are rated photos as they are, where the bank has any.
        between: Whether degraded samples may have the severities on which raters disagree.
        varied: Whether every kind of degradation is drawn. Without, only those of the first release are, and the same
            samples as then: parity's pictures stay what they were.
    """
    rng, more = np.random.default_rng(key), np.random.default_rng((*key, VARIED))
    labels = rng.choice([c for c, _ in _CLASS_SHARES], count, p=[p for _, p in _CLASS_SHARES])
    severity = _draw_severities(rng, labels, MILD if between else STRONG)
    subject = _choose_subjects(rng, bank, labels, severity, photo_share, rated_share)
    rated = bank.origin[subject] == RATED
    if varied:
        severity = come_near_limits(more, severity)
    severity[rated] = 0
    values = {**keep_still(bank, subject), **_draw(rng, bank, subject, severity)}
    if varied:
        vary(more, values, severity, bank)
    given = severity >= STRONG
    poor = (given.any(1) & ~rated).astype(np.float32)[:, None]
    votes = simulate_votes(_settle_geometry(severity, bank, subject), key)
    tone = values["tone"]
    values |= {
        "shares": bank.shares[subject] * (1 - poor) + poor * np.eye(len(LABELS), dtype=np.float32)[POOR],
        "reasons": np.where(rated[:, None], bank.reasons[subject], given).astype(np.float32),
        "votes": np.where(bank.votes[subject] >= 0, bank.votes[subject], votes),
        "fitzpatrick": np.where(np.abs(tone[:, 0] - 1) < 1e-6, bank.fitzpatrick[subject], 0),
    }
    return SamplePlan(**values, seed=int(rng.integers(2**62)))


def _draw(rng: np.random.Generator, bank: Bank, subject: Indices, severity: Array) -> dict[str, NDArray[Any]]:
    """Draw what the first release's kinds do to each sample, in the order of its random numbers."""
    count, origin = len(subject), bank.origin[subject]
    rated, no_skin = origin == RATED, bank.quality[subject] == NO_SKIN
    moved = (origin == PHOTO) & ~no_skin
    affine, shrink, edge = place_subjects(rng, severity[:, FRAMING], severity[:, DISTANCE], moved, ~rated & no_skin)
    behind = np.where(
        rng.random(count) < _PHOTO_BEHIND_SHARE,
        rng.choice(bank.pool(NO_SKIN, photos_first=True), count),
        rng.choice(bank.pool(NO_SKIN), count),
    )
    tone = draw_tones(rng, origin == PHOTO)
    cut = rng.random(count) < _MOVED_SHARE
    return {
        "behind": behind,
        "cut": (cut & moved & (bank.mask[subject] >= 0) & (bank.quality[subject] != LESION)).astype(np.float32),
        "affine": affine,
        "behind_affine": draw_crops(rng, count),
        "shrink": shrink,
        "edge": edge,
        "skin_behind": (rng.random(count) < 0.25).astype(np.float32),
        "tone": tone,
        "light": draw_lights(rng, severity[:, LIGHT], rated),
        "blur": draw_blurs(rng, severity[:, BLUR], rated),
        "resolution": draw_resolutions(rng, severity[:, RESOLUTION], rated),
    }


def plan_kind(bank: Bank, subject: Indices, kind: Kind | None, severity: Array, seed: int) -> SamplePlan:
    """Plan one kind of degradation alone.

    Args:
        bank: The pictures.
        subject: Those to degrade, each of a class that the kind can befall; int64 [B].
        kind: Which; None for the pictures as they are.
        severity: How far it goes, in [0, 1], [B].
        seed: Of the random numbers.

    Returns:
        The plan; its truth is that of the kind's reason from STRONG on, and of nothing below.
    """
    rng = np.random.default_rng(seed)
    draft = Draft(keep_still(bank, subject), bank, rng)
    pool = bank.pool(NO_SKIN, photos_first=True)
    if len(pool):
        draft.values["behind"][:] = rng.choice(pool, len(subject))
    draft.values["behind_affine"][:] = draw_crops(rng, len(subject))
    if kind is not None:
        kind.write(draft, np.arange(len(subject)), severity)
        if kind.reason is not None:
            strong = severity >= STRONG
            draft.values["reasons"][strong, kind.reason] = 1
            draft.values["shares"][strong] = np.eye(len(LABELS), dtype=np.float32)[POOR]
    return SamplePlan(**draft.values, seed=seed)


def plan_clean(bank: Bank, key: tuple[int, ...], count: int) -> SamplePlan:
    """Plan good pictures as they are, in full, every other one a little brighter, which leaves it good.

    Training never draws them so: its photos are moved, cropped or re-toned.

    Args:
        bank: The pictures; of synthetic scenes, those without a reason are taken where it has no good photo.
        key: Of the random numbers.
        count: Samples.
    """
    rng = np.random.default_rng((*key, _CLEAN))
    good = (bank.reasons.sum(1) == 0) & (bank.quality != POOR)
    photos = np.flatnonzero(good & (bank.origin == PHOTO))
    subject = rng.choice(photos if len(photos) else np.flatnonzero(good), count)
    severity = np.where(np.arange(count) % 2, rng.uniform(0, MILD, count), 0).astype(np.float32)
    return plan_kind(bank, subject, find_kind("bright"), severity, int(rng.integers(2**62)))


def _settle_geometry(severity: Array, bank: Bank, subject: Indices) -> Array:
    """Return severities with a synthetic scene's own framing and distance, which are drawn in."""
    settled = severity.copy()
    drawn = bank.origin[subject] == SYNTHETIC
    for reason in (FRAMING, DISTANCE):
        settled[drawn, reason] = bank.severity[subject[drawn], reason]
    return settled


def _draw_severities(rng: np.random.Generator, labels: Indices, least: float) -> Array:
    count, reasons = len(labels), len(REASONS)
    # Squared: most good photos are far from the limit.
    severity = (rng.random((count, reasons)) ** 2 * MILD).astype(np.float32)
    odds = np.ones((count, reasons))
    for label, changed in _ODDS.items():
        for reason, value in changed.items():
            odds[labels == label, reason] = value
    # Gumbel's trick: the first k of these orders are k reasons without replacement, by their odds.
    with np.errstate(divide="ignore"):
        order = (-(np.log(odds) + rng.gumbel(size=odds.shape))).argsort(1).argsort(1)
    number = np.where(rng.random(count) < _DEGRADED_SHARE, 1 + rng.choice(3, count, p=_REASONS_SHARES), 0)
    degraded = (order < number[:, None]) & (odds > 0)
    severity = np.where(degraded, rng.uniform(least, 1, severity.shape), severity).astype(np.float32)
    both = (severity[:, FRAMING] >= STRONG) & (severity[:, DISTANCE] >= STRONG)
    severity[both, DISTANCE] = rng.uniform(0, MILD, int(both.sum()))  # half a speck tells nothing
    return severity


def _choose_subjects(
    rng: np.random.Generator, bank: Bank, labels: Indices, severity: Array, photo_share: float, rated_share: float
) -> Indices:
    """Choose a picture for each sample; a synthetic one has the framing and the distance that are wanted."""
    want_photo = rng.random(len(labels)) < photo_share
    want_rated = (rng.random(len(labels)) < rated_share) & bool(len(bank.rated))
    pick = rng.random(len(labels))
    subject = np.empty(len(labels), np.int64)
    for i, label in enumerate(labels):
        if want_rated[i]:
            pool = bank.rated
        else:
            photos = bank.pool(int(label), origin=PHOTO if want_photo[i] else NOWHERE)
            geometry = severity[i, FRAMING] >= STRONG, severity[i, DISTANCE] >= STRONG
            pool = photos if len(photos) else bank.pool(int(label), origin=SYNTHETIC, geometry=geometry)
        subject[i] = pool[int(pick[i] * len(pool))]
    return subject
