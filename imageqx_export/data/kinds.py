"""The kinds of degradation, each on its own: what it does to a plan, on which pictures, and the reason that it gives.

Training mixes them (:mod:`imageqx_export.data.sample_plan`); the check of robustness asks about each alone. A kind's
mild version leaves a good photo, its strong one gives its reason; a kind without a reason is harmless at any strength.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.bank import Bank
from imageqx_export.data.crops import crop_lesions, shrink_objects
from imageqx_export.data.severities import (
    BRIGHT,
    CAST,
    DARK,
    DISC,
    GAUSSIAN,
    JPEG,
    MOTION,
    NO_KIND,
    NOISE,
    SOFT_SHADOW,
    THUMBNAIL,
    make_blurs,
    make_lights,
    make_resolutions,
    place_subjects,
    ramp,
)
from imageqx_export.data.vocabulary import LABELS, REASONS

LESION, NO_SKIN, HEALTHY, POOR = (LABELS.index(name) for name in ("lesion", "no_skin", "healthy_skin", "poor_quality"))
FRAMING, LIGHT, BLUR, RESOLUTION, DISTANCE = (
    REASONS.index(name) for name in ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
)
WHOLE, ON_LESION, AROUND_LESION = range(3)
"""What is blurred."""
GREY, BARS, PEN, RULER, HAIRS = range(5)
"""The columns of a plan's marks."""

Array = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Draft:
    """A plan that is being drawn: its arrays are written to.

    Args:
        values: The fields of a :class:`~imageqx_export.data.sample_plan.SamplePlan`, by name.
        bank: The pictures.
        rng: The only source of randomness.
    """

    values: dict[str, NDArray[Any]]
    bank: Bank
    rng: np.random.Generator

    @property
    def subject(self) -> Indices:
        """Each sample's picture, int64 [B]."""
        return self.values["subject"]


@dataclass(frozen=True)
class Kind:
    """A kind of degradation.

    Args:
        name: Of its row in tables.
        words: What it is, for people.
        reason: Index into ``REASONS`` of what its strong version gives; None where it is harmless.
        labels: Indices into ``LABELS`` of the pictures that it can befall.
        write: Writes it into some rows [R] of a draft, at their severities [R].
        masked: Whether the subject's mask is needed.
    """

    name: str
    words: str
    reason: int | None
    labels: tuple[int, ...]
    write: Callable[[Draft, Indices, Array], None]
    masked: bool = False

    def suits(self, bank: Bank, subject: Indices) -> NDArray[np.bool_]:
        """Return which pictures it can befall, [B]."""
        fits = np.isin(bank.quality[subject], self.labels)
        return fits & (bank.mask[subject] >= 0) if self.masked else fits


def _light(kind: int) -> Callable[[Draft, Indices, Array], None]:
    def write(draft: Draft, rows: Indices, severity: Array) -> None:
        draft.values["light"][rows] = make_lights(draft.rng, severity, np.full(len(rows), kind))

    return write


def _cast_edge(draft: Draft, rows: Indices, severity: Array) -> None:
    rng, count = draft.rng, len(rows)
    draft.values["light"][rows] = make_lights(rng, severity, np.full(count, NO_KIND))
    angle, place = rng.uniform(0, 2 * np.pi, count), rng.normal(0, 0.2, count).clip(-0.45, 0.45)
    soft = np.exp(rng.uniform(np.log(0.01), np.log(0.12), count))
    draft.values["shadow"][rows] = np.column_stack([angle, place, soft, ramp(severity, [0, 0.25, 0.85, 0.97])])


def _shine(draft: Draft, rows: Indices, severity: Array) -> None:
    rng, count = draft.rng, len(rows)
    draft.values["light"][rows] = make_lights(rng, severity, np.full(count, NO_KIND))
    centre = rng.uniform(-1, 1, (count, 2)) * ramp(severity, [0.8, 0.8, 0.3, 0.2])[:, None]
    radius = ramp(severity, [0.01, 0.06, 0.45, 0.8])
    draft.values["glare"][rows] = np.column_stack([centre, radius, ramp(severity, [0.3, 0.9, 1.5, 3])])


def _blur(kinds: Sequence[int], focus: int = WHOLE) -> Callable[[Draft, Indices, Array], None]:
    def write(draft: Draft, rows: Indices, severity: Array) -> None:
        drawn = draft.rng.choice(kinds, len(rows))
        draft.values["blur"][rows] = make_blurs(draft.rng, severity, drawn)
        draft.values["focus"][rows] = focus

    return write


def _coarsen(kind: int) -> Callable[[Draft, Indices, Array], None]:
    def write(draft: Draft, rows: Indices, severity: Array) -> None:
        draft.values["resolution"][rows] = make_resolutions(draft.rng, severity, np.full(len(rows), kind))

    return write


def _cut(draft: Draft, rows: Indices, severity: Array) -> None:
    spans = draft.bank.spans[draft.bank.mask[draft.subject[rows]]]
    _put(draft, rows, affine=crop_lesions(draft.rng, spans, severity), mirror=1, edge=(0, 0.1), shrink=1, cut=0)


def _leave(on_skin: bool) -> Callable[[Draft, Indices, Array], None]:
    def write(draft: Draft, rows: Indices, severity: Array) -> None:
        every, nothing = np.ones(len(rows), bool), np.zeros(len(rows), np.float32)
        affine, shrink, edge = place_subjects(draft.rng, nothing, severity, every, ~every)
        _put(draft, rows, affine=affine, shrink=shrink, edge=edge, skin_behind=float(on_skin))

    return write


def _lay_on_ground(draft: Draft, rows: Indices, severity: Array) -> None:
    rng, count = draft.rng, len(rows)
    area = draft.bank.areas[draft.bank.mask[draft.subject[rows]]]
    share = rng.uniform(0.1, 0.6, count)
    affine, shrink = shrink_objects(rng, area, share)
    colour = rng.uniform(0.72, 1, (count, 1)) * rng.uniform(0.94, 1, (count, 3))
    ground = np.column_stack([np.ones(count), colour])
    _put(draft, rows, affine=affine, shrink=shrink, ground=ground, edge=(0, 0.1), cut=1)


def _mark(column: int, values: Sequence[float]) -> Callable[[Draft, Indices, Array], None]:
    def write(draft: Draft, rows: Indices, severity: Array) -> None:
        amount = ramp(severity, values)
        if column == BARS:
            amount = amount * draft.rng.choice([-1, 1], len(rows))
        draft.values["marks"][rows, column] = np.rint(amount) if column == HAIRS else amount

    return write


def _put(draft: Draft, rows: Indices, **values: object) -> None:
    for name, value in values.items():
        draft.values[name][rows] = value


ANY, SKIN = (LESION, NO_SKIN, HEALTHY), (LESION, HEALTHY)
KINDS = (
    Kind("out of focus", "the lens is focused elsewhere", BLUR, ANY, _blur([DISC])),
    Kind("shaken", "the hand moved", BLUR, ANY, _blur([MOTION])),
    Kind("soft", "a Gaussian blur", BLUR, ANY, _blur([GAUSSIAN])),
    Kind(
        "lesion out of focus",
        "what is around it is sharp",
        BLUR,
        (LESION,),
        _blur([DISC, MOTION, GAUSSIAN], ON_LESION),
        masked=True,
    ),
    Kind("dark", "too little light", LIGHT, ANY, _light(DARK)),
    Kind("bright", "too much light", LIGHT, ANY, _light(BRIGHT)),
    Kind("colour cast", "yellow, blue or green light", LIGHT, ANY, _light(CAST)),
    Kind("soft shadow", "a large and blurred one", LIGHT, ANY, _light(SOFT_SHADOW)),
    Kind("hard shadow", "its edge crosses the frame", LIGHT, ANY, _cast_edge),
    Kind("highlight", "the lamp is mirrored", LIGHT, ANY, _shine),
    Kind("sensor noise", "too little light, amplified", LIGHT, ANY, _light(NOISE)),
    Kind("few pixels", "a thumbnail, enlarged", RESOLUTION, ANY, _coarsen(THUMBNAIL)),
    Kind("JPEG", "compressed, in full size", RESOLUTION, ANY, _coarsen(JPEG)),
    Kind("cut lesion", "by the frame's border", FRAMING, (LESION,), _cut, masked=True),
    Kind("far, on skin", "small, with skin around it", DISTANCE, (LESION,), _leave(on_skin=True)),
    Kind("far, in a room", "small, in front of something else", DISTANCE, SKIN, _leave(on_skin=False)),
    Kind(
        "rim out of focus",
        "the lesion is sharp",
        None,
        (LESION,),
        _blur([DISC, GAUSSIAN], AROUND_LESION),
        masked=True,
    ),
    Kind("grey scale", "no colours", None, ANY, _mark(GREY, [1, 1, 1, 1])),
    Kind("letterbox", "black bars", None, ANY, _mark(BARS, [0.03, 0.08, 0.12, 0.2])),
    Kind("pen", "a ring drawn on the skin", None, SKIN, _mark(PEN, [1, 1, 1, 1])),
    Kind("ruler", "at a border", None, SKIN, _mark(RULER, [1, 1, 1, 1])),
    Kind("hairs", "a few", None, SKIN, _mark(HAIRS, [1, 3, 5, 8])),
    Kind("plain ground", "an object at 10 to 60 % of the frame", None, (NO_SKIN,), _lay_on_ground, masked=True),
)
"""Every kind, those of a reason together; the harmless ones last."""


def find_kind(name: str) -> Kind:
    """Return the kind of that name."""
    return next(kind for kind in KINDS if kind.name == name)


def keep_still(bank: Bank, subject: Indices) -> dict[str, NDArray[Any]]:
    """Return the fields of a plan that shows pictures ``subject`` [B] as they are; its arrays may be written to."""
    count = len(subject)
    stays = np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1))

    def rows(values: Sequence[float]) -> Array:
        return np.tile(np.array(values, np.float32), (count, 1))

    return {
        "subject": subject,
        "behind": np.zeros(count, np.int64),
        "affine": stays,
        "behind_affine": stays.copy(),
        "shrink": np.ones(count, np.float32),
        "edge": rows([0, 0.1]),
        "tone": rows([1, 1, 1, 1]),
        "light": rows([1, 1, 1, 1, 0, 1, 0]),
        "blur": rows([0, 0, 0, 0]),
        "resolution": rows([256, 100, 0]),
        **{name: np.zeros(count, np.float32) for name in ("cut", "skin_behind", "focus", "mirror")},
        **{name: rows([0, 0, 0, 0]) for name in ("ground", "shadow", "glare")},
        "marks": rows([0, 0, 0, 0, 0]),
        "shares": bank.shares[subject],
        "reasons": bank.reasons[subject],
        "votes": bank.votes[subject],
        "fitzpatrick": bank.fitzpatrick[subject],
    }
