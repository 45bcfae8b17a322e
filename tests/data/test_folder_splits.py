"""Folders of photos are split by their groups: one side each, where it was asked for, and whatever the order."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.data.folder import hold_out_groups
from imageqx_export.data.labels import SPLITS, Split
from tests.data.test_folder import CLASSES, folder, read, sides_of

if TYPE_CHECKING:
    pass


names = st.sampled_from([f"patient {number}" for number in range(40)])


@given(st.lists(names, max_size=60), st.dictionaries(names, st.sampled_from(SPLITS)))
def test_every_group_gets_one_side_and_settled_ones_keep_theirs(groups: list[str], settled: dict[str, Split]) -> None:
    before = dict(settled)
    sides = hold_out_groups(groups, settled)
    assert settled == before and sides == hold_out_groups(groups, settled)
    assert set(sides) == set(groups) | set(settled) and sides | settled == sides
    new = Counter(sides[name] for name in set(groups) - set(settled))
    count = new.total()
    for split in ("val", "test"):
        if count <= 6:
            assert new[split] == (count >= (3 if split == "val" else 2))
        else:
            assert new[split] >= 1 and abs(new[split] - 0.15 * count) <= 0.5
    assert new["train"] >= 1 or not count


@given(st.lists(names, min_size=1, max_size=60), st.randoms())
def test_the_photos_order_does_not_matter(groups: list[str], random: Any) -> None:
    shuffled = random.sample(groups, len(groups))
    assert hold_out_groups(shuffled, {}) == hold_out_groups(groups, {})


@given(st.dictionaries(names, st.integers(1, 9), min_size=2, max_size=6))
def test_of_few_groups_the_smallest_are_held_out(photos: dict[str, int]) -> None:
    sides = hold_out_groups([name for name, count in photos.items() for _ in range(count)], {})
    by_side = {split: [photos[name] for name in photos if sides[name] == split] for split in SPLITS}
    assert max(by_side["test"]) <= min(by_side["val"] or by_side["train"])
    assert max(by_side["val"] or [0]) <= min(by_side["train"])


@given(st.sets(names, min_size=7), st.integers(2, 9))
def test_many_groups_are_split_by_their_names_alone(groups: set[str], times: int) -> None:
    sides = hold_out_groups([*groups], {})
    assert hold_out_groups([*groups] + [min(groups)] * times, {}) == sides
    by_hash = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).digest())
    each = sum(side == "test" for side in sides.values())
    assert {name for name in groups if sides[name] == "test"} == set(by_hash[:each])
    assert {name for name in groups if sides[name] == "val"} == set(by_hash[each : 2 * each])


@settings(max_examples=20, deadline=None)
@given(st.fixed_dictionaries({label: st.lists(st.integers(0, 9), min_size=1, max_size=12) for label in CLASSES}))
def test_groups_are_never_on_two_sides(tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, list[int]]) -> None:
    groups = {
        f"{label}/{number}.png": f"{label} patient {group}"
        for label, members in drawn.items()
        for number, group in enumerate(members)
    }
    found = read(folder(tmp_path_factory.mktemp("groups"), groups))
    assert sorted(found.names) == sorted(groups)
    assert all(len(sides) == 1 for sides in sides_of(found, groups).values())
    for label, members in drawn.items():
        counts = [found.counts(split)[label] for split in SPLITS]
        assert sum(counts) == len(members) and counts[0] >= 1
        assert (counts[2] > 0) == (len(set(members)) >= 2) and (counts[1] > 0) == (len(set(members)) >= 3)
    gaps = {tuple(gap.split()[3:4] + gap.split()[6:7]) for gap in found.list_gaps()}
    empty = {(label, split) for label in CLASSES for split in SPLITS if not found.counts(split)[label]}
    assert gaps == empty and all("group" in gap for gap in found.list_gaps())


def test_a_patient_with_two_classes_is_on_one_side(tmp_path: Path) -> None:
    members = {"lesion": range(12), "healthy_skin": range(4, 30), "no_skin": range(40, 60)}
    groups = {f"{label}/{n}.png": f"patient {n}" for label, numbers in members.items() for n in numbers}
    found = read(folder(tmp_path, groups))
    assert all(len(sides) == 1 for sides in sides_of(found, groups).values())
    assert all(found.counts(split)[label] for split in SPLITS for label in CLASSES)
    assert {split: sum(found.counts(split).values()) for split in SPLITS} == Counter(found.splits)
