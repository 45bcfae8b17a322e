"""Fusing: the paper's protocol, against a hand-made table and a vote counted another way."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.data.annotations import Rating
from imageqx_export.data.fusion import TIE_BREAK, fuse
from imageqx_export.data.labels import SPLITS, Label
from imageqx_export.data.vocabulary import LABELS, REASONS

SPREAD = [Rating(f"{split}.jpg", "x", "L57.0", split=split) for split in SPLITS]
"""One photo in every split, so that no split is empty."""


def one(*evaluations: str, reasons: tuple[tuple[str, ...], ...] = ()) -> Label:
    votes = itertools.zip_longest(evaluations, reasons, fillvalue=())
    ratings = [Rating("a.jpg", f"r{i}", str(e), tuple(r), split="train") for i, (e, r) in enumerate(votes)]
    return fuse(ratings)[0]


@pytest.mark.parametrize(
    ("evaluations", "label"),
    [
        (["L57.0"], "lesion"),
        (["L57.0", "D22.9", "healthy_skin", "healthy_skin", "L82"], "lesion"),  # the codes differ, the label does not
        (["L57.0", "D22.9", "poor_quality", "poor_quality", "poor_quality"], "poor_quality"),
        (["L57.0", "poor_quality"], "lesion"),
        (["healthy_skin", "poor_quality"], "healthy_skin"),
        (["no_skin", "poor_quality"], "no_skin"),
        (["no_skin", "healthy_skin"], "healthy_skin"),
        (["healthy_skin", "L57.0"], "lesion"),
        (["poor_quality", "no_skin", "healthy_skin", "L57.0"], "lesion"),
        (["poor_quality"] * 2 + ["no_skin", "healthy_skin", "L57.0"], "poor_quality"),  # a plurality, no majority
    ],
)
def test_plurality_and_ties(evaluations: list[str], label: str) -> None:
    for order in itertools.islice(itertools.permutations(evaluations), 24):
        assert LABELS[one(*order).quality] == label


def test_one_rater_is_enough_for_a_reason() -> None:
    label = one(
        "L57.0",
        "L57.0",
        "poor_quality",
        "poor_quality",
        reasons=((), (), ("blurry", "lesion_covered"), ("blurry", "bad_light")),
    )
    assert LABELS[label.quality] == "lesion"
    assert [name for name, given in zip(REASONS, label.reasons, strict=True) if given] == ["bad_light", "blurry"]
    assert dict(zip(REASONS, label.reason_shares, strict=True)) == {
        "bad_framing": 0,
        "bad_light": 0.25,
        "blurry": 0.5,
        "low_resolution": 0,
        "too_far_away": 0,
    }
    assert list(label.shares) == [0.5, 0, 0, 0.5]
    assert label.raters == 4


def test_another_tie_break_can_be_asked_for() -> None:
    tie = [Rating("a.jpg", "x", "L57.0", split="test"), Rating("a.jpg", "y", "poor_quality")]
    assert LABELS[fuse(tie)[0].quality] == "lesion"
    assert LABELS[fuse(tie, tie_break=TIE_BREAK[::-1])[0].quality] == "poor_quality"
    with pytest.raises(ValueError, match="once"):
        fuse(tie, tie_break=("lesion", "lesion", "no_skin", "poor_quality"))


def test_the_patient_is_the_group_and_its_split_is_all_its_photos() -> None:
    ratings = [
        Rating("a.jpg", "x", "L57.0", patient="p", split="val", fitzpatrick=3),
        Rating("b.jpg", "x", "L57.0", patient="p"),
        Rating("b.jpg", "y", "L57.0", fitzpatrick=5),
    ]
    a, b, *_ = fuse([*ratings, *SPREAD])
    assert (a.group, a.split, a.fitzpatrick) == ("p", "val", 3)
    assert (b.group, b.split, b.fitzpatrick) == ("p", "val", 5)
    assert fuse(SPREAD)[0].group == "test.jpg"


ratings = st.builds(
    Rating,
    image=st.sampled_from([f"{i}.jpg" for i in range(8)]),
    rater=st.sampled_from("abcde"),
    evaluation=st.sampled_from(["L57.0", "D22.9", "no_skin", "healthy_skin", "poor_quality"]),
    reasons=st.lists(st.sampled_from([*REASONS, "lesion_covered"]), unique=True).map(tuple),
    patient=st.sampled_from([None, "p", "q", "0.jpg"]),
    split=st.sampled_from([None, *SPLITS]),
    fitzpatrick=st.integers(0, 6),
)


@settings(max_examples=150)
@given(rows=st.lists(ratings, max_size=40))
def test_whatever_the_input_groups_stay_whole_and_shares_add_up(rows: list[Rating]) -> None:
    labels = fuse([*rows, *SPREAD])
    sides: dict[str, set[str]] = {}
    for label in labels:
        sides.setdefault(label.group, set()).add(label.split)
        assert abs(sum(label.shares) - 1) < 1e-9 and all(0 <= share <= 1 for share in label.reason_shares)
        assert label.reasons == tuple(share > 0 for share in label.reason_shares)
        assert label.shares[label.quality] == max(label.shares)
        # The vote, counted by sorting: most votes first, ties as stated.
        votes = Counter(row.label for row in [*rows, *SPREAD] if row.image == label.image)
        order = ["lesion", "healthy_skin", "no_skin", "poor_quality"]
        assert LABELS[label.quality] == sorted(order, key=lambda name: (-votes[name], order.index(name)))[0]
    assert all(len(where) == 1 for where in sides.values())
    assert [label.image for label in labels] == sorted({row.image for row in [*rows, *SPREAD]})


@given(rows=st.lists(ratings, max_size=12, unique_by=lambda r: (r.image, r.rater)), seed=st.randoms())
def test_order_does_not_matter_where_rows_agree(rows: list[Rating], seed: random.Random) -> None:
    same = [Rating(r.image, r.rater, r.evaluation, r.reasons) for r in rows] + SPREAD
    shuffled = list(same)
    seed.shuffle(shuffled)
    assert fuse(same) == fuse(shuffled)
