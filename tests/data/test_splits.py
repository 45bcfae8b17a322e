"""Splits: a group is on one side, where it stays; shares are those that were asked for."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageqx_export.data.labels import SPLITS, Split
from imageqx_export.data.splits import assign_split, split_groups
from imageqx_export.errors import DatasetError


def test_shares_are_about_70_15_15() -> None:
    sides = split_groups({f"patient {i}": 1 for i in range(4000)})
    shares = {split: sum(side == split for side in sides.values()) / 4000 for split in SPLITS}
    # Three standard deviations of a binomial share of 0.15 (0.70) in 4,000 are 0.017 (0.022).
    assert abs(shares["train"] - 0.70) < 0.022
    assert abs(shares["val"] - 0.15) < 0.017 and abs(shares["test"] - 0.15) < 0.017


@given(name=st.text())
def test_the_name_alone_decides(name: str) -> None:
    digits = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    assert assign_split(name) == (
        "test" if 20 * digits < 3 * 2**256 else "val" if 10 * digits < 3 * 2**256 else "train"
    )


@given(
    groups=st.dictionaries(st.text(max_size=5), st.integers(1, 9), min_size=1, max_size=30),
    asked=st.dictionaries(st.text(max_size=5), st.sampled_from(SPLITS)),
)
def test_what_is_given_is_kept_and_groups_do_not_move_when_others_join(
    groups: dict[str, int], asked: dict[str, Split]
) -> None:
    base: dict[str, Split] = {"a train group": "train", "a val group": "val", "a test group": "test"}
    all_groups = groups | dict.fromkeys(base, 1)
    sides = split_groups(all_groups, asked | base)
    assert set(sides) == set(all_groups)
    assert all(sides[name] == split for name, split in (asked | base).items() if name in all_groups)
    more = split_groups(all_groups | {"one more": 1}, asked | base)
    assert all(more[name] == side for name, side in sides.items())


def test_an_empty_split_is_one_clear_error() -> None:
    with pytest.raises(DatasetError, match=r"val and test would have no photo(.|\n)*split column"):
        split_groups({"patient 1": 5, "patient 2": 4})
    with pytest.raises(DatasetError, match="test would have no photo"):
        split_groups({"patient 1": 5, "patient 7": 4})


def test_a_table_that_settles_every_group_may_be_a_test_set() -> None:
    assert split_groups({"a": 3}, {"a": "test"}) == {"a": "test"}
