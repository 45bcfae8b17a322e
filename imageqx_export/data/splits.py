"""Put groups of photos into train, val and test, so that no patient is in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from imageqx_export.data.labels import SPLITS, Split
from imageqx_export.errors import DatasetError

TEST_SHARE = 0.15
VAL_SHARE = 0.15


def assign_split(group: str, val_share: float = VAL_SHARE) -> Split:
    """Return a group's split by its name alone, so that it stays where it is when photos are added.

    The SHA-256 of the name, as a fraction of 2²⁵⁶, says where: under 0.15 test, ``val_share`` above it val, else train.

    >>> [assign_split(name) for name in ("patient 1", "patient 7", "patient 9")]
    ['train', 'val', 'val']
    """
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()) / 2**256
    if share < TEST_SHARE:
        return "test"
    return "val" if share < TEST_SHARE + val_share else "train"


def split_groups(
    groups: Mapping[str, int], given: Mapping[str, Split] | None = None, val_share: float = VAL_SHARE
) -> dict[str, Split]:
    """Give every group one split by its name: about 15 % of them test, ``val_share`` val, and the others train.

    Args:
        groups: Photos per group: patient, person or series.
        given: Groups whose split is settled; they keep it.
        val_share: The share of groups that validate.

    Raises:
        DatasetError: A split would have no photo. Not where all groups are settled: a table may be a test set.
    """
    settled = {group: split for group, split in (given or {}).items() if group in groups}
    splits = {group: settled.get(group) or assign_split(group, val_share) for group in groups}
    photos = {split: sum(groups[group] for group in groups if splits[group] == split) for split in SPLITS}
    empty = [split for split in SPLITS if not photos[split]]
    if empty and len(settled) < len(groups):
        raise DatasetError(
            f"too few groups (patients) to split by name: {' and '.join(empty)} would have no photo",
            expected="at least one photo each in train, val and test",
            got=f"{len(groups)} groups, {sum(groups.values())} photos",
            remedy="give the table a split column with train, val or test in every row",
        )
    return splits
