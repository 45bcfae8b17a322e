"""Plan what is done to each sample of a batch: numbers only, drawn on the CPU, so that every device does the same."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.bank import NOWHERE, PHOTO, RATED, SYNTHETIC, Bank
from imageqx_export.data.synthetic import MILD, STRONG
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.data.votes import simulate_votes

NO_SKIN, HEALTHY, POOR = (LABELS.index(name) for name in ("no_skin", "healthy_skin", "poor_quality"))
LESION = LABELS.index("lesion")
FRAMING, LIGHT, BLUR, RESOLUTION, DISTANCE = (
    REASONS.index(name) for name in ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
)
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
) -> SamplePlan:
    """Draw a plan.

    Args:
        bank: The pictures to choose from.
        key: Of the random numbers: seed, epoch, step.
        count: Samples.
        photo_share: Of the samples, the share that is made from photos, where the bank has photos of the class.
        rated_share: Of the samples, the share that are rated photos as they are, where the bank has any.
        between: Whether degraded samples may have the severities on which raters disagree.
    """
    rng = np.random.default_rng(key)
    labels = rng.choice([c for c, _ in _CLASS_SHARES], count, p=[p for _, p in _CLASS_SHARES])
    severity = _draw_severities(rng, labels, MILD if between else STRONG)
    subject = _choose_subjects(rng, bank, labels, severity, photo_share, rated_share)
    origin, rated = bank.origin[subject], bank.origin[subject] == RATED
    severity[rated] = 0
    moved = (origin == PHOTO) & (bank.quality[subject] != NO_SKIN)
    affine, shrink, edge = _place_subjects(rng, severity, moved, ~rated & (bank.quality[subject] == NO_SKIN))
    behind = np.where(
        rng.random(count) < _PHOTO_BEHIND_SHARE,
        rng.choice(bank.pool(NO_SKIN, photos_first=True), count),
        rng.choice(bank.pool(NO_SKIN), count),
    )
    given = severity >= STRONG
    poor = (given.any(1) & ~rated).astype(np.float32)[:, None]
    tone = _draw_tones(rng, origin == PHOTO)
    votes = simulate_votes(_settle_geometry(severity, bank, subject), key)
    return SamplePlan(
        subject=subject,
        behind=behind,
        cut=((rng.random(count) < _MOVED_SHARE) & moved & (bank.mask[subject] >= 0)).astype(np.float32),
        affine=affine,
        behind_affine=_draw_crops(rng, count),
        shrink=shrink,
        edge=edge,
        skin_behind=(rng.random(count) < 0.25).astype(np.float32),
        tone=tone,
        light=_draw_lights(rng, severity[:, LIGHT], rated),
        blur=_draw_blurs(rng, severity[:, BLUR], rated),
        resolution=_draw_resolutions(rng, severity[:, RESOLUTION], rated),
        shares=bank.shares[subject] * (1 - poor) + poor * np.eye(len(LABELS), dtype=np.float32)[POOR],
        reasons=np.where(rated[:, None], bank.reasons[subject], given).astype(np.float32),
        votes=np.where(bank.votes[subject] >= 0, bank.votes[subject], votes),
        fitzpatrick=np.where(np.abs(tone[:, 0] - 1) < 1e-6, bank.fitzpatrick[subject], 0),
        seed=int(rng.integers(2**62)),
    )


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


def _place_subjects(
    rng: np.random.Generator, severity: Array, moved: NDArray[np.bool_], scenery: NDArray[np.bool_]
) -> tuple[Array, Array, Array]:
    """Place subjects: a photo's is moved off the frame or away; of scenery a part is cut out; others stay.

    A photo covers 125 % of a side at distance 0, 62 % at MILD and 35 % at STRONG; its middle, where the subject is
    taken to be, is 16 % of a side off the middle at MILD and 48 % at STRONG.
    """
    count = len(severity)
    scale = np.interp(severity[:, DISTANCE], [0, MILD, STRONG, 1], [1.25, 0.62, 0.35, 0.12])
    share = np.interp(severity[:, FRAMING], [0, MILD, STRONG, 1], [0, 0.16, 0.48, 0.62])
    angle, turn = rng.uniform(0, 2 * np.pi, count), np.deg2rad(rng.normal(0, 8, count))
    direction = np.stack([np.cos(angle), np.sin(angle)], 1)
    direction /= np.abs(direction).max(1, keepdims=True)
    shift = 2 * share[:, None] * direction
    cos, sin = np.cos(turn), np.sin(turn)
    inverse = np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1)
    inverse = inverse / (scale[:, None] * np.exp(rng.normal(0, 0.08, (count, 2))))[:, :, None]
    shifted = np.concatenate([inverse, -(inverse @ shift[:, :, None])], 2)
    stays = np.tile(np.eye(2, 3), (count, 1, 1))
    choice = np.where(moved, 0, np.where(scenery, 1, 2))
    affine = np.stack([shifted, _draw_crops(rng, count), stays])[choice, np.arange(count)]
    affine[:, 0] *= np.where(rng.random(count) < 0.5, -1, 1)[:, None]
    edge = np.stack([np.where(moved, rng.choice([2.5, 4, 12], count), 0), rng.uniform(0.02, 0.25, count)], 1)
    return affine.astype(np.float32), np.where(moved, 1 / scale, 1).clip(1).astype(np.float32), edge.astype(np.float32)


def _draw_crops(rng: np.random.Generator, count: int) -> Array:
    crop = rng.uniform(0.75, 1, (count, 2))
    affine = np.zeros((count, 2, 3), np.float32)
    affine[:, 0, 0], affine[:, 1, 1] = crop[:, 0] * np.where(rng.random(count) < 0.5, -1, 1), crop[:, 1]
    affine[:, :, 2] = rng.uniform(-1, 1, (count, 2)) * (1 - crop)
    return affine


def _draw_tones(rng: np.random.Generator, photo: NDArray[np.bool_]) -> Array:
    """Shift half of the photos' tones: the photos at hand are mostly of light skin."""
    count = len(photo)
    darker = np.where((rng.random(count) < 0.5) & photo, rng.uniform(0.35, 1.1, count), 1.0)
    gains = 1 + rng.normal(0, 0.04, (count, 3)) * photo[:, None]
    return np.concatenate([1 / np.maximum(darker, 0.55)[:, None], gains], 1).astype(np.float32)


def _draw_lights(rng: np.random.Generator, severity: Array, rated: NDArray[np.bool_]) -> Array:
    """Degrade the light in one of four ways: too little, too much, a colour cast, or a hard shadow."""
    count = len(severity)
    kind = np.where(rated, -1, rng.integers(4, size=count))

    def ramp(values: list[float], neutral: float, of: int) -> NDArray[np.float64]:
        return np.where(kind == of, np.interp(severity, [0, MILD, STRONG, 1], values), neutral)

    dark, bright = ramp([1, 0.6, 0.14, 0.02], 1, 0), ramp([1, 1.35, 3.2, 8], 1, 1)
    casts = np.array([(1, 0.75, 0.35), (0.4, 0.8, 1), (0.5, 1, 0.45)])
    cast = casts[rng.choice(3, count, p=[0.4, 0.4, 0.2])] ** ramp([0, 0.3, 1.2, 2.5], 0, 2)[:, None]
    shade, after = ramp([0, 0.3, 0.88, 0.98], 0, 3), ramp([1, 1.05, 1.5, 2.5], 1, 3)
    noise = np.where(kind == 0, 0.004 * (1 - dark), 0)
    return np.column_stack([dark * bright, cast, shade, after, noise]).astype(np.float32)


def _draw_blurs(rng: np.random.Generator, severity: Array, rated: NDArray[np.bool_]) -> Array:
    """Blur as a lens out of focus (a disc) or a moving hand (a bent line) does."""
    count = len(severity)
    disc = rng.random(count) < 0.6
    radius = np.interp(severity, [0, MILD, STRONG, 1], [0, 0.7, 2.6, 7])
    length = np.interp(severity, [0, MILD, STRONG, 1], [1, 2.2, 9, 26])
    kind = np.where(rated | (disc & (radius < 0.25)), 0, np.where(disc, 1, 2))
    angle, bend = rng.uniform(0, 2 * np.pi, count), rng.normal(0, 0.15, count)
    return np.column_stack([kind, np.where(disc, radius, length), angle, bend]).astype(np.float32)


def _draw_resolutions(rng: np.random.Generator, severity: Array, rated: NDArray[np.bool_]) -> Array:
    """Throw pixels away and compress: a thumbnail, or a photo of a messenger's preview."""
    count = len(severity)
    pixels = np.interp(severity, [0, MILD, STRONG, 1], [256, 170, 64, 32])
    quality = np.interp(severity, [0, MILD, STRONG, 1], [95, 75, 22, 8])
    blocks = rng.random(count) < 0.25
    pixels = np.where(blocks | rated, 256, pixels)
    quality = np.where(blocks, np.interp(severity, [0, MILD, STRONG, 1], [95, 60, 7, 2]), quality)
    quality = np.where(rated | (quality > 90), 100, quality)  # hardly to be seen, and compression takes time
    return np.column_stack([np.rint(pixels), np.rint(quality), rng.random(count) < 0.3]).astype(np.float32)
