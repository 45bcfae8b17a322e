"""Make one label per photo of what its raters said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from imageqx_export.data.annotations import Rating, find_groups, settle
from imageqx_export.data.labels import Label, Split
from imageqx_export.data.splits import VAL_SHARE, split_groups
from imageqx_export.data.vocabulary import LABELS, REASONS

TIE_BREAK = ("lesion", "healthy_skin", "no_skin", "poor_quality")
"""Which label wins a tie, the first of them first. The paper states none. Poor quality loses every tie, so a photo is
only sent back when more raters say so than say anything else."""


def fuse(
    ratings: Iterable[Rating], *, tie_break: Sequence[str] = TIE_BREAK, val_share: float = VAL_SHARE
) -> tuple[Label, ...]:
    """Fuse ratings into one label per photo, as the ImageQX paper does.

    The quality label is the plurality of the raters, all ICD-10 codes counting as ``lesion``. A reason holds if at
    least one rater ticked it, also where the plurality is not ``poor_quality``; ``lesion_covered`` is left out. The
    shares of raters are the soft labels. A photo's group is its patient or, without one, the photo itself; the split
    is the table's or, without one, follows from the group's name (see :func:`~imageqx_export.data.splits.split_of`).

    Args:
        ratings: Well-formed ratings, one per rater and photo.
        tie_break: All of ``LABELS``; of labels with as many raters the first of these wins.
        val_share: The share of groups that validate, of those whose split the table does not give.

    Returns:
        Labels, sorted by the photo's name: the order of the ratings does not matter.

    Raises:
        DatasetError: A split would have no photo.
        ValueError: ``tie_break`` does not name every label once.
    """
    if sorted(tie_break) != sorted(LABELS):
        raise ValueError(f"tie_break must name each of {LABELS} once, got {tuple(tie_break)}")
    by_image: dict[str, list[Rating]] = defaultdict(list)
    for rating in ratings:
        by_image[rating.image].append(rating)
    groups = find_groups(rating for rows in by_image.values() for rating in rows)
    asked: dict[str, list[Split | None]] = defaultdict(list)
    for image, rows in by_image.items():
        asked[groups[image]] += [row.split for row in rows]
    given: dict[str, Split] = {}
    for group, sides in asked.items():
        side: Split | None = settle(sides)
        if side is not None:
            given[group] = side
    splits = split_groups(Counter(groups.values()), given, val_share)
    return tuple(
        _label(image, by_image[image], groups[image], splits[groups[image]], tie_break) for image in sorted(by_image)
    )


def _label(image: str, rows: Sequence[Rating], group: str, split: Split, tie_break: Sequence[str]) -> Label:
    votes = Counter(row.label for row in rows)
    winner = max(tie_break, key=lambda label: votes[label])  # max keeps the first of equals
    ticks = [sum(reason in row.reasons for row in rows) for reason in REASONS]
    return Label(
        image=image,
        group=group,
        split=split,
        quality=LABELS.index(winner),
        shares=tuple(votes[label] / len(rows) for label in LABELS),
        reasons=tuple(count > 0 for count in ticks),
        reason_shares=tuple(count / len(rows) for count in ticks),
        raters=len(rows),
        fitzpatrick=settle(row.fitzpatrick or None for row in rows) or 0,
    )
