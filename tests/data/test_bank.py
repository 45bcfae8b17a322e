"""Banks: what belongs to a picture stays with it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imageqx_export.data.bank import PHOTO, RATED, SIDE, SYNTHETIC, Bank, join, make_bank
from imageqx_export.data.vocabulary import LABELS, REASONS
from tests.data.fakes import (
    DISTANCE,
    FRAMING,
    HEALTHY,
    LESION,
    NO_SKIN,
    POOR,
    empty_images,
    photo_bank,
    rated_bank,
    synthetic_bank,
    whole_bank,
)


def numbered(names: list[tuple[int, bool]]) -> Bank:
    """Return a bank whose pictures say their number everywhere; those with True have a mask that says it too."""
    numbers = np.array([number for number, _ in names], np.int64)
    every = [np.full((SIDE, SIDE), number, np.uint8) for number in numbers]
    images = np.stack([np.stack([one] * 3, 2) for one in every])
    masks = [one if has else None for one, (_, has) in zip(every, names, strict=True)]
    reasons = np.stack([numbers % 2] * len(REASONS), 1).astype(np.float32)
    return make_bank(images, numbers % 4, int(numbers[0]) % 3, reasons, numbers % 7, masks)


def told(bank: Bank) -> list[tuple[int, int | None, int, int, int]]:
    """Say of each picture what its pixels, its mask, its label, its reasons and its skin type say."""
    rows = []
    for i in range(len(bank)):
        image, mask = bank.images[i], bank.mask[i]
        assert image.min() == image.max() and bank.reasons[i].min() == bank.reasons[i].max()
        fault = None if mask < 0 else int(bank.masks[mask].max())
        rows.append(
            (int(image[0, 0, 0]), fault, int(bank.quality[i]), int(bank.reasons[i, 0]), int(bank.fitzpatrick[i]))
        )
    return rows


def expected(names: list[tuple[int, bool]]) -> list[tuple[int, int | None, int, int, int]]:
    return [(n, n if has else None, n % 4, n % 2, n % 7) for n, has in names]


names = st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.lists(names, min_size=1, max_size=3), st.data())
def test_joining_and_taking_keep_everything_together(parts: list[list[tuple[int, bool]]], data: st.DataObject) -> None:
    joined = join([numbered(part) for part in parts])
    every = [name for part in parts for name in part]
    assert told(joined) == expected(every)
    assert joined.origin.tolist() == [part[0][0] % 3 for part in parts for _ in part]
    chosen = data.draw(st.lists(st.integers(0, len(every) - 1), max_size=6))
    taken = joined.take(np.array(chosen, np.int64))
    assert told(taken) == expected([every[i] for i in chosen])
    assert told(join([taken, joined])) == expected([*(every[i] for i in chosen), *every])


def test_an_empty_side_can_be_joined() -> None:
    nothing = photo_bank([LESION, HEALTHY], masks=[1]).take(np.array([], np.int64))
    joined = join([nothing, numbered([(7, True), (9, False)])])
    assert told(joined) == expected([(7, True), (9, False)])


def test_shapes_and_types() -> None:
    bank = make_bank(empty_images(3), np.array([0, 2, 1]), PHOTO)
    shapes = {f.name: (getattr(bank, f.name).shape, getattr(bank, f.name).dtype.name) for f in fields(Bank)}
    assert shapes == {
        "images": ((3, SIDE, SIDE, 3), "uint8"),
        "masks": ((0, SIDE, SIDE), "uint8"),
        "mask": ((3,), "int64"),
        "shares": ((3, 4), "float32"),
        "reasons": ((3, 5), "float32"),
        "origin": ((3,), "int64"),
        "fitzpatrick": ((3,), "int64"),
        "severity": ((3, 5), "float32"),
        "votes": ((3,), "int64"),
    }
    assert len(bank) == 3 and bank.mask.tolist() == [-1] * 3 and not bank.reasons.any()
    assert np.array_equal(bank.shares, np.eye(4)[[0, 2, 1]]) and bank.quality.tolist() == [0, 2, 1]
    assert bank.origin.tolist() == [PHOTO] * 3 and bank.fitzpatrick.tolist() == [0] * 3 and not len(bank.rated)


def test_raters_shares_are_kept_and_the_likeliest_label_counts() -> None:
    bank = rated_bank()
    assert bank.shares[1].tolist() == [0, 0.75, 0.25, 0]
    assert bank.quality.tolist() == [LESION, NO_SKIN, LESION, POOR, HEALTHY]  # of tied labels the first
    assert whole_bank().rated.tolist() == [30, 31, 32, 33, 34]


def pools(bank: Bank, label: int, **wanted: int | tuple[bool, bool]) -> set[int]:
    return {int(i) for i in bank.pool(label, **wanted)}  # type: ignore[arg-type]


def scan(bank: Bank, label: int, origin: int, geometry: tuple[bool, bool] = (False, False)) -> set[int]:
    """Find a pool by looking at every picture."""
    rows = (bank.quality == label) & (bank.origin == origin)
    if origin == SYNTHETIC:
        shown: NDArray[np.bool_] = bank.reasons[:, [FRAMING, DISTANCE]] > 0
        rows &= (shown == geometry).all(1)
    return {*map(int, np.flatnonzero(rows))}


def test_pools_hold_what_a_search_finds() -> None:
    bank = whole_bank()
    every: list[int] = []
    for label in range(len(LABELS)):
        for origin in (PHOTO, RATED):
            every += (found := pools(bank, label, origin=origin))
            assert found == scan(bank, label, origin)
        for geometry in ((False, False), (True, False), (False, True), (True, True)):
            every += (found := pools(bank, label, origin=SYNTHETIC, geometry=geometry))
            assert found == scan(bank, label, SYNTHETIC, geometry)
    assert sorted(every) == list(range(len(bank)))


def test_a_photos_pool_asks_for_no_geometry() -> None:
    bank = whole_bank()
    assert pools(bank, LESION, origin=PHOTO, geometry=(True, False)) == scan(bank, LESION, PHOTO)
    assert pools(bank, NO_SKIN, origin=PHOTO, geometry=(True, True)) == scan(bank, NO_SKIN, PHOTO)


def test_photos_may_come_before_synthetic_scenes() -> None:
    bank = whole_bank()
    assert pools(bank, NO_SKIN) == scan(bank, NO_SKIN, SYNTHETIC)
    assert pools(bank, NO_SKIN, photos_first=True) == scan(bank, NO_SKIN, PHOTO)


def test_a_bank_without_photos_and_one_without_scenes() -> None:
    synthetic, photos = synthetic_bank(), photo_bank([LESION, NO_SKIN])
    assert pools(synthetic, NO_SKIN, photos_first=True) == pools(synthetic, NO_SKIN) == {5}
    assert not pools(synthetic, NO_SKIN, origin=PHOTO)
    assert pools(photos, NO_SKIN) == pools(photos, NO_SKIN, photos_first=True) == {1}


def test_a_bank_without_a_class() -> None:
    bank = photo_bank([LESION, NO_SKIN])
    for origin in (None, PHOTO, SYNTHETIC, RATED):
        found = bank.pool(HEALTHY, origin)
        assert len(found) == 0 and found.dtype == np.int64


def test_rated_photos_are_in_no_other_pool() -> None:
    bank = rated_bank()
    assert not any(pools(bank, label) | pools(bank, label, photos_first=True) for label in range(len(LABELS)))
