"""Vary a plan: other kinds of each reason than the usual ones, versions near the limit of good, harmless marks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.bank import PHOTO, RATED, Bank
from imageqx_export.data.kinds import (
    BLUR,
    DISTANCE,
    FRAMING,
    LIGHT,
    RESOLUTION,
    Draft,
    find_kind,
)
from imageqx_export.data.synthetic import MILD

VARIED = 11
"""What the random numbers are for: the last part of their key."""

Array = NDArray[np.float32]

_NEAR_SHARE = 0.5  # of the good samples: one reason comes near its limit
# Per reason, how often another kind takes the place of what was drawn, where the sample allows it.
_INSTEAD = {
    LIGHT: {"hard shadow": 0.25, "sensor noise": 0.15, "highlight": 0.1, "colour cast": 0.15},
    BLUR: {"lesion out of focus": 0.5, "soft": 0.2},
    RESOLUTION: {"JPEG": 0.35},
    FRAMING: {"cut lesion": 0.6},
}
_FAR_ON_SKIN = 0.5  # of the lesions that are put in front of something
_HARMLESS = {
    "grey scale": 0.05,
    "letterbox": 0.04,
    "pen": 0.03,
    "ruler": 0.03,
    "hairs": 0.06,
    "plain ground": 0.4,
}
_RIM = 0.08  # of the sharp lesions


def come_near_limits(rng: np.random.Generator, severity: Array) -> Array:
    """Let one reason of half of the good samples come near its limit, as few do by themselves.

    Args:
        rng: The only source of randomness.
        severity: Of each reason, [B,5].

    Returns:
        Likewise; those of degraded samples are as they were.
    """
    count = len(severity)
    chosen = (rng.random(count) < _NEAR_SHARE) & (severity <= MILD).all(1)
    reason = rng.choice([LIGHT, BLUR, RESOLUTION], count)
    amount = rng.uniform(0.5 * MILD, MILD, count)
    near = severity.copy()
    near[chosen, reason[chosen]] = amount[chosen]
    return near


def vary(rng: np.random.Generator, values: dict[str, NDArray[Any]], severity: Array, bank: Bank) -> None:
    """Write other kinds of the same reasons and severities into a plan, and harmless marks.

    Args:
        rng: The only source of randomness.
        values: The plan's fields; written to.
        severity: Of each reason, [B,5]; what is written goes as far.
        bank: The pictures.
    """
    draft = Draft(values, bank, rng)
    subject = draft.subject
    ours = bank.origin[subject] != RATED
    photo = bank.origin[subject] == PHOTO
    for reason, odds in _INSTEAD.items():
        names = [*odds, ""]
        drawn = rng.choice(len(names), len(subject), p=[*odds.values(), 1 - sum(odds.values())])
        for number, name in enumerate(odds):
            kind = find_kind(name)
            fits = (drawn == number) & ours & kind.suits(bank, subject)
            if reason == FRAMING:  # a synthetic scene is framed as it is drawn, and half a speck tells nothing
                fits &= photo & (severity[:, DISTANCE] <= MILD)
            rows = np.flatnonzero(fits)
            kind.write(draft, rows, severity[rows, reason])
    on_skin = (rng.random(len(subject)) < _FAR_ON_SKIN) & ours & find_kind("far, on skin").suits(bank, subject)
    values["skin_behind"] = np.maximum(values["skin_behind"], on_skin.astype(np.float32))
    _mark(draft, ours, severity)


def _mark(draft: Draft, ours: NDArray[np.bool_], severity: Array) -> None:
    """Add what leaves a photo as good as it is."""
    rng, bank, subject = draft.rng, draft.bank, draft.subject
    for name, share in _HARMLESS.items():
        kind = find_kind(name)
        rows = np.flatnonzero((rng.random(len(subject)) < share) & ours & kind.suits(bank, subject))
        kind.write(draft, rows, rng.random(len(rows)).astype(np.float32))
    kind = find_kind("rim out of focus")
    sharp = ours & kind.suits(bank, subject) & (severity[:, BLUR] <= MILD)
    rows = np.flatnonzero(sharp & (rng.random(len(subject)) < _RIM))
    kind.write(draft, rows, rng.uniform(MILD, 1, len(rows)).astype(np.float32))
