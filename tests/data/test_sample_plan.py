"""Recipes: what is drawn how often, what the labels follow from, and that a key gives the same."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imageqx_export.data import sample_plan
from imageqx_export.data.bank import PHOTO, RATED, SYNTHETIC, Bank
from imageqx_export.data.sample_plan import SamplePlan, plan_clean, plan_samples
from imageqx_export.data.synthetic import MILD, STRONG
from imageqx_export.training.parallel import World
from tests.data.fakes import (
    BLUR,
    DISTANCE,
    FRAMING,
    HEALTHY,
    LESION,
    LIGHT,
    NO_SKIN,
    POOR,
    RESOLUTION,
    plan_of,
    synthetic_bank,
    whole_bank,
)

Array = NDArray[Any]

COUNT = 5000


@pytest.fixture(scope="module")
def bank() -> Bank:
    return whole_bank()


@pytest.fixture(scope="module")
def unrated(bank: Bank) -> SamplePlan:
    """Plan without rated photos, so that every sample is degraded, or not, on purpose."""
    return plan_samples(bank, (11,), COUNT, photo_share=0.7, rated_share=0, varied=False)


@pytest.fixture(scope="module")
def severities() -> tuple[Array, Array]:
    """Draw each sample's class and its five severities."""
    rng = np.random.default_rng(12)
    labels = rng.choice([LESION, NO_SKIN, HEALTHY], COUNT)
    return labels, sample_plan._draw_severities(rng, labels, STRONG)


def holds(hits: Array, share: float) -> bool:
    """Say whether as many hits as this are within 4 standard deviations of a binomial's mean."""
    return bool(abs(hits.sum() - share * hits.size) <= 4 * np.sqrt(hits.size * share * (1 - share)))


def same(one: SamplePlan, other: SamplePlan) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(SamplePlan))


# Shares


def test_the_yardstick_tells_shares_apart() -> None:
    hits = np.random.default_rng(0).random(COUNT) < 0.36
    assert holds(hits, 0.36) and not holds(hits, 0.40) and not holds(hits, 0.32)


def test_classes_come_as_often_as_planned(bank: Bank, unrated: SamplePlan) -> None:
    shown = bank.quality[unrated.subject]
    assert all(holds(shown == label, share) for label, share in ((LESION, 0.36), (NO_SKIN, 0.26), (HEALTHY, 0.38)))
    assert holds(unrated.quality == POOR, 0.5)
    assert all(holds((unrated.quality == POOR)[shown == label], 0.5) for label in (LESION, NO_SKIN, HEALTHY))


def test_reasons_come_as_often_as_planned(bank: Bank, unrated: SamplePlan) -> None:
    shown, reasons = bank.quality[unrated.subject], unrated.reasons > 0
    one = unrated.quality == POOR
    number = reasons.sum(1)
    # A lesion that was to be both cut off and far away keeps one of the two, so it may have one reason fewer.
    others = one & (shown != LESION)
    for count, share in ((1, 0.7), (2, 0.25), (3, 0.05)):
        assert holds((number == count)[others], share)
    assert number.max() == 3
    # Among lone reasons the shares are the odds: a lesion's framing 3 to 1, healthy skin's distance 1.3 to 1.
    for label, odds in ((NO_SKIN, (0, 1, 1, 1, 0)), (HEALTHY, (0, 1, 1, 1, 1.3))):
        lone = reasons[others & (number == 1) & (shown == label)]
        assert all(holds(lone[:, i], odd / sum(odds)) for i, odd in enumerate(odds))


def test_a_lesion_is_cut_off_three_times_as_often_as_it_is_anything_else(severities: tuple[Array, Array]) -> None:
    labels, severity = severities
    lone = (severity >= STRONG)[(labels == LESION)]
    lone = lone[(lone.sum(1) == 1) & ~lone[:, DISTANCE]]
    # Two reasons of which one was distance are left with the framing alone: a few more than three in six.
    assert 0.5 - 0.06 < lone[:, FRAMING].mean() < 0.5 + 0.09
    assert all(0.12 < lone[:, i].mean() < 0.21 for i in (LIGHT, BLUR, RESOLUTION))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_photos_and_synthetic_scenes_come_as_often_as_asked(bank: Bank, share: float) -> None:
    plan = plan_samples(bank, (4,), 2000, photo_share=share, rated_share=0)
    photos = bank.origin[plan.subject] == PHOTO
    assert holds(photos, share) and set(bank.origin[plan.subject]) <= {PHOTO, SYNTHETIC}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_rated_photos_come_as_often_as_asked(bank: Bank, share: float) -> None:
    plan = plan_samples(bank, (5,), 2000, rated_share=share)
    assert holds(bank.origin[plan.subject] == RATED, share)
    assert len(set(plan.subject[bank.origin[plan.subject] == RATED])) == (5 if share else 0)


def test_every_picture_of_a_pool_has_its_turn(bank: Bank, unrated: SamplePlan) -> None:
    turns = np.bincount(unrated.subject, minlength=len(bank))
    assert (turns[bank.origin != RATED] > 0).all() and not turns[bank.rated].any()
    lesions = turns[bank.pool(LESION, origin=PHOTO)]
    assert lesions.min() > 0.7 * lesions.mean()


# Severities and labels


def test_severities_never_lie_between_mild_and_strong(severities: tuple[Array, Array]) -> None:
    _, severity = severities
    assert (((severity >= 0) & (severity <= MILD)) | ((severity >= STRONG) & (severity <= 1))).all()
    assert severity.min() < 0.001 and severity.max() > 0.99


def test_only_lesions_are_cut_off_and_nothing_is_far_as_well(severities: tuple[Array, Array]) -> None:
    labels, severity = severities
    strong = severity >= STRONG
    assert set(labels[strong[:, FRAMING]]) == {LESION}
    assert set(labels[strong[:, DISTANCE]]) == {LESION, HEALTHY}
    assert not (strong[:, FRAMING] & strong[:, DISTANCE]).any()
    assert all(set(labels[strong[:, i]]) == {LESION, NO_SKIN, HEALTHY} for i in (LIGHT, BLUR, RESOLUTION))


def test_labels_follow_from_what_is_done(bank: Bank, unrated: SamplePlan) -> None:
    """Read each reason back from the plan's numbers, by what they are at STRONG and at MILD."""
    light, blur, resolution = unrated.light.astype(float), unrated.blur.astype(float), unrated.resolution.astype(float)
    dark_or_bright = (light[:, 0] < 0.15) | (light[:, 0] > 3)
    coloured = light[:, 1:4].min(1) < 0.36**1.2 + 0.12
    unlit = dark_or_bright | coloured | (light[:, 4] > 0.8)
    far = np.where(blur[:, 0] == 1, blur[:, 1] >= 2.6 - 1e-5, (blur[:, 0] == 2) & (blur[:, 1] >= 9 - 1e-5))
    coarse = (resolution[:, 0] <= 64) | (resolution[:, 1] <= 7)
    for reason, seen in ((LIGHT, unlit), (BLUR, far), (RESOLUTION, coarse)):
        assert np.array_equal(unrated.reasons[:, reason] > 0, seen)
    assert np.array_equal(unrated.quality == POOR, unrated.reasons.any(1))
    good = unrated.quality != POOR
    assert np.array_equal(unrated.quality[good], bank.quality[unrated.subject][good])
    assert set(np.unique(unrated.shares)) == {0, 1} and (unrated.shares.sum(1) == 1).all()


def test_framing_and_distance_are_seen_in_the_place(bank: Bank, unrated: SamplePlan) -> None:
    moved = unrated.edge[:, 0] > 0
    affine = unrated.affine[moved].astype(float)
    middles = np.linalg.solve(affine[:, :, :2], -affine[:, :, 2:])[:, :, 0]
    sides = 1 / np.sqrt(np.abs(np.linalg.det(affine[:, :, :2])))
    framed, far = unrated.reasons[moved][:, FRAMING] > 0, unrated.reasons[moved][:, DISTANCE] > 0
    assert np.array_equal(np.abs(middles).max(1) / 2 > 0.4, framed)
    jitter = np.exp(4 * 0.08 / np.sqrt(2))  # a deviation of 8 % a side, on the mean of both
    assert sides[far].max() < 0.35 * jitter and sides[~far].min() > 0.62 / jitter
    assert framed.any() and far.any()


def test_a_synthetic_scene_is_framed_and_far_as_its_label_says(bank: Bank, unrated: SamplePlan) -> None:
    synthetic = bank.origin[unrated.subject] == SYNTHETIC
    for reason in (FRAMING, DISTANCE):
        seen = bank.reasons[unrated.subject][synthetic][:, reason]
        assert np.array_equal(seen, unrated.reasons[synthetic][:, reason]) and seen.any() and not seen.all()
    assert not unrated.edge[synthetic, 0].any() and not unrated.cut[synthetic].any()


def test_scenery_is_cropped_inside_its_frame(bank: Bank, unrated: SamplePlan) -> None:
    scenery = unrated.affine[bank.quality[unrated.subject] == NO_SKIN].astype(float)
    corners = np.array([[x, y, 1] for x in (-1, 1) for y in (-1, 1)])
    reached = np.abs(scenery @ corners.T)
    assert reached.max() <= 1 + 1e-6
    width = np.abs(scenery[:, [0, 1], [0, 1]])
    assert width.min() >= 0.75 - 1e-6 and width.max() <= 1


def test_only_photos_with_a_mask_are_cut_out(bank: Bank, unrated: SamplePlan) -> None:
    masked = bank.mask[unrated.subject] >= 0
    assert not unrated.cut[~masked].any() and holds(unrated.cut[masked], 0.8)
    assert (bank.quality[unrated.behind] == NO_SKIN).all()
    assert holds(bank.origin[unrated.behind] == PHOTO, 0.65)


# Rated photos and skin types


def test_rated_photos_keep_their_labels_and_are_not_degraded(bank: Bank) -> None:
    plan = plan_samples(bank, (6,), 1000, rated_share=1)
    assert np.array_equal(plan.shares, bank.shares[plan.subject])
    assert np.array_equal(plan.reasons, bank.reasons[plan.subject])
    assert np.array_equal(plan.fitzpatrick, bank.fitzpatrick[plan.subject])
    still = plan_of(len(plan))
    for name in ("light", "tone", "cut", "shrink"):
        assert np.array_equal(getattr(plan, name), getattr(still, name)), name
    assert not plan.blur[:, 0].any() and not plan.edge[:, 0].any()
    assert np.array_equal(plan.resolution[:, :2], still.resolution[:, :2])
    mirrored = still.affine * np.array([[-1.0], [1.0]])
    flips = (plan.affine == mirrored).all((1, 2))
    assert ((plan.affine == still.affine).all((1, 2)) | flips).all() and holds(flips, 0.5)


def test_a_skin_type_is_forgotten_where_the_tone_is_changed(bank: Bank, unrated: SamplePlan) -> None:
    toned = unrated.tone[:, 0] != 1
    assert not unrated.fitzpatrick[toned].any()
    assert np.array_equal(unrated.fitzpatrick[~toned], bank.fitzpatrick[unrated.subject][~toned])
    photos = bank.origin[unrated.subject] == PHOTO
    assert holds(toned[photos], 0.5) and not toned[~photos].any()
    assert (unrated.tone[~photos] == 1).all()
    assert unrated.tone[:, 0].min() >= 1 / 1.1 - 1e-6 and unrated.tone[:, 0].max() <= 1 / 0.55 + 1e-6


# Keys and parts


@settings(max_examples=20, deadline=None)
@given(st.tuples(st.integers(0, 2**31), st.integers(0, 50), st.integers(0, 500)), st.integers(1, 40))
def test_a_key_gives_the_plan(key: tuple[int, ...], count: int) -> None:
    bank = synthetic_bank()
    once = plan_samples(bank, key, count)
    assert len(once) == count and same(once, plan_samples(bank, key, count))
    for place in range(3):
        other = tuple(value + (i == place) for i, value in enumerate(key))
        changed = plan_samples(bank, other, count)
        assert changed.seed != once.seed and not np.array_equal(changed.edge, once.edge)


def test_planning_leaves_the_bank_alone(bank: Bank) -> None:
    before = {f.name: getattr(bank, f.name).copy() for f in fields(Bank) if f.name != "images"}
    plan_samples(bank, (9,), 200)
    assert all(np.array_equal(before[name], getattr(bank, name)) for name in before)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 8), each=st.integers(1, 6))
def test_the_parts_of_any_world_are_the_whole(size: int, each: int) -> None:
    plan = plan_samples(synthetic_bank(), (size, each), size * each)
    parts = [World(rank, size, torch.device("cpu")).share(plan) for rank in range(size)]
    assert [len(part) for part in parts] == [each] * size
    for f in fields(SamplePlan):
        if f.name != "seed":
            joined = np.concatenate([getattr(part, f.name) for part in parts])
            assert np.array_equal(joined, getattr(plan, f.name)), f.name
            assert joined.dtype == getattr(plan, f.name).dtype
    assert len({part.seed for part in parts}) == size and parts[0].seed == plan.seed


def test_shapes_and_types(unrated: SamplePlan) -> None:
    still = plan_of(COUNT)
    for f in fields(SamplePlan):
        if f.name != "seed":
            made, expected = getattr(unrated, f.name), getattr(still, f.name)
            assert (made.shape, made.dtype) == (expected.shape, expected.dtype), f.name
            assert np.isfinite(made).all()
    assert 0 <= unrated.seed < 2**62 and (unrated.shrink >= 1).all()


def test_clean_pictures_are_good_photos_in_full_and_half_of_them_are_brighter(bank: Bank) -> None:
    plan, still = plan_clean(bank, (7,), 400), plan_of(400)
    assert (bank.origin[plan.subject] == PHOTO).all() and not plan.reasons.any()
    assert set(plan.quality) == {LESION, NO_SKIN, HEALTHY}
    for name in ("affine", "tone", "blur", "resolution", "shadow", "glare", "marks", "edge", "cut", "shrink"):
        np.testing.assert_array_equal(getattr(plan, name), getattr(still, name), name)
    gain = plan.light[:, 0]
    assert (gain[::2] == 1).all() and (gain[1::2] > 1).mean() > 0.99 and gain.max() <= 1.35
    assert (plan.light[:, 1:] == still.light[:, 1:]).all()
    again, other = plan_clean(bank, (7,), 400), plan_clean(bank, (8,), 400)
    assert (again.subject == plan.subject).all() and (other.subject != plan.subject).any()
