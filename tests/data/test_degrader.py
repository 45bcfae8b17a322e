"""What the degrader makes of a plan: the very pictures, in their places, in front of others, the same every time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from imageqx_export.data.bank import PHOTO, SIDE, Bank, make_bank
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.sample_plan import SamplePlan, plan_samples
from imageqx_export.data.scenes import render_scenes
from imageqx_export.data.severities import place_subjects
from imageqx_export.data.synthetic import MILD, STRONG
from tests.data.fakes import f32, flat, pictures, plan_of

Array = NDArray[Any]

BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST


@pytest.fixture(scope="module")
def scenes() -> Bank:
    return render_scenes(21, 17)


def degraded(bank: Bank, plan: SamplePlan, size: int = SIDE) -> Array:
    return np.asarray(Degrader(bank, torch.device("cpu")).degrade(plan, size).numpy())


# Nothing done


def test_a_plan_that_does_nothing_gives_the_very_pictures(scenes: Bank) -> None:
    made = degraded(scenes, plan_of(4))
    assert made.dtype == np.float32 and np.array_equal(made, scenes.images[:4])


def test_each_picture_is_the_one_that_is_named(scenes: Bank) -> None:
    made = degraded(scenes, replace(plan_of(3), subject=np.array([9, 2, 9])))
    assert np.array_equal(made, scenes.images[[9, 2, 9]])


def test_smaller_sizes_are_the_antialiased_downscale(scenes: Bank) -> None:
    made = degraded(scenes, plan_of(3), 160)
    for one, image in zip(made, scenes.images, strict=False):
        reference = np.asarray(Image.fromarray(image).resize((160, 160), BILINEAR), np.float64)
        off = np.abs(one - reference)
        assert off.max() <= 1 and off.mean() < 0.25  # Pillow rounds between rows and columns
        plain = np.asarray(Image.fromarray(image).resize((160, 160), NEAREST), np.float64)
        assert np.abs(one - plain).mean() > 4 * off.mean()  # the yardstick tells filters apart


# The same again


def test_a_plan_gives_the_same_bits(scenes: Bank) -> None:
    plan = plan_samples(scenes, (1,), 8)
    once = degraded(scenes, plan, 96)
    assert np.array_equal(once, degraded(scenes, plan, 96))
    assert np.array_equal(once, np.rint(once)) and once.min() >= 0 and once.max() <= 255
    assert not np.array_equal(once, degraded(scenes, plan_samples(scenes, (2,), 8), 96))


def hushed(plan: SamplePlan, rows: Array) -> SamplePlan:
    """Take the noise out of some samples: no shadow, no grain, no made-up skin."""
    bright, skin = plan.light.copy(), plan.skin_behind.copy()
    for column in (4, 6):
        bright[rows, column] = 0
    skin[rows] = 0
    return replace(plan, light=bright, skin_behind=skin)


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (5, 12), (11, 12)])
def test_a_sample_does_not_depend_on_its_neighbours_but_for_noise(scenes: Bank, start: int, stop: int) -> None:
    photos = replace(scenes, origin=np.full(len(scenes), PHOTO))
    quiet = np.array([0, 1, 2, 5, 6, 8, 9, 11])
    plan = hushed(plan_samples(photos, (3,), 12, photo_share=1), quiet)
    assert {*np.flatnonzero(plan.light[:, [4, 6]].any(1) | (plan.skin_behind > 0))} - {*quiet}
    whole, part = degraded(photos, plan, 64)[start:stop], degraded(photos, plan.part(start, stop), 64)
    off = np.abs(whole - part)[[row - start for row in quiet if start <= row < stop]]
    assert off.max() <= 1 and (off > 0).mean() < 1e-3  # sums in another order, rounded


def test_noise_is_the_parts_own() -> None:
    shaded = np.tile(f32([1, 1, 1, 1, 0.9, 1, 0.05]), (4, 1))
    bank, plan = pictures(*flat([(128, 128, 128)] * 4)), replace(plan_of(4), light=shaded)
    whole, part = degraded(bank, plan, 64), degraded(bank, plan.part(2, 4), 64)
    assert len({one.tobytes() for one in (*whole, *part)}) == 6


# Placement


def marked(x: float, y: float) -> Array:
    """Return a black picture with a white dot at ``x``, ``y`` in [-1, 1]."""
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    dot = np.exp(-((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / (2 * 0.03**2))
    return np.repeat(np.rint(255 * dot)[..., None], 3, 2).astype(np.uint8)


def middle(picture: Array) -> tuple[float, float]:
    """Return the dot's x and y in [-1, 1]."""
    row, column = ndimage.center_of_mass(np.asarray(picture, np.float64)[..., 0] ** 2)
    return float((column + 0.5) / len(picture) * 2 - 1), float((row + 0.5) / len(picture) * 2 - 1)


AFFINES = (
    [[1, 0, 0.2], [0, 1, -0.3]],
    [[-1, 0, 0], [0, 1, 0]],
    [[1.5, 0.4, 0.1], [-0.4, 1.5, 0.2]],
    [[2.5, 0, 0.3], [0, 2.5, 0]],
    [[3.5, 0.2, 0.1], [-0.2, 4.2, 0]],
    [[-3.2, 0, -0.4], [0, 3.2, 0.5]],
)


@pytest.mark.parametrize("size", [SIDE, 128])
def test_marks_land_where_the_affine_maps_say(size: int) -> None:
    """In one batch: pictures that shrink by less than 1.5, by less than 3, and by more take different ways."""
    marks = [(0.25, -0.35), (0.1, 0.3), (-0.2, 0.15), (0.25, -0.35), (-0.3, -0.1), (0.2, 0.4)]
    shrink = f32([max(1, abs(affine[0][0])) for affine in AFFINES])
    plan = replace(plan_of(len(marks)), affine=f32(AFFINES), shrink=shrink)
    made = degraded(pictures(*(marked(x, y) for x, y in marks)), plan, size)
    for picture, mark, affine in zip(made, marks, AFFINES, strict=True):
        expected = np.linalg.solve(np.array(affine)[:, :2], np.array(mark) - np.array(affine)[:, 2])
        np.testing.assert_allclose(middle(picture), expected, atol=0.02)


def placed(framing: float, distance: float, count: int = 400) -> SamplePlan:
    """Plan photos of lesions that are off the middle and away by these severities."""
    severity = np.zeros((count, 5), np.float32)
    severity[:, 0], severity[:, 4] = framing, distance
    every = np.ones(count, bool)
    affine, shrink, edge = place_subjects(np.random.default_rng(8), severity[:, 0], severity[:, 4], every, ~every)
    kept = replace(plan_of(count), affine=affine, shrink=shrink, edge=edge, subject=np.zeros(count, np.int64))
    return kept


@pytest.mark.parametrize(("distance", "share"), [(0, 1.25), (MILD, 0.62), (STRONG, 0.35)])
def test_a_photo_covers_the_share_of_a_side_that_is_documented(distance: float, share: float) -> None:
    linear = placed(0, distance).affine[:, :, :2].astype(np.float64)
    area = 1 / np.abs(np.linalg.det(linear))  # of the whole frame's
    assert np.exp(np.log(area).mean() / 2) == pytest.approx(share, rel=0.03)
    assert np.all(np.abs(np.log(np.sqrt(area) / share)) < 0.35)


@pytest.mark.parametrize(("framing", "off"), [(0, 0), (MILD, 0.16), (STRONG, 0.48), (1, 0.62)])
@pytest.mark.parametrize("distance", [0, MILD])
def test_a_photos_middle_is_as_far_off_as_documented(framing: float, off: float, distance: float) -> None:
    affine = placed(framing, distance).affine.astype(np.float64)
    middles = np.linalg.solve(affine[:, :, :2], -affine[:, :, 2:])[:, :, 0] / 2  # in sides
    np.testing.assert_allclose(np.abs(middles).max(1), off, atol=1e-5)
    if off:
        assert {*np.sign(middles).T.ravel()} == {-1, 1}  # to every side


def test_white_photos_on_black_show_their_place() -> None:
    bank = pictures(*flat([(255, 255, 255), (0, 0, 0)]))
    for framing, distance, low, high in ((0, MILD, 0.3, 0.42), (0, STRONG, 0.08, 0.14), (STRONG, STRONG, 0, 0.09)):
        plan = replace(placed(framing, distance, 6), behind=np.ones(6, np.int64))
        made = degraded(bank, plan, 112) / 255
        seen = float(np.median(made.mean((1, 2, 3))))
        assert low < seen < high
        if not framing:
            x, y = middle(made[0])
            assert abs(x) < 0.02 and abs(y) < 0.02


def test_skin_that_is_made_up_has_the_borders_colour() -> None:
    bank = pictures(*flat([(190, 140, 110), (0, 0, 255)]))
    plan = replace(placed(0, STRONG, 2), behind=np.ones(2, np.int64), skin_behind=f32([1, 0]))
    made = degraded(bank, plan, 112)
    corners = made[:, :10, :10].mean((1, 2))
    assert np.abs(corners[0] - (190, 140, 110)).max() < 12
    assert np.abs(corners[1] - (0, 0, 255)).max() == 0


# Masks and tones


def masked(tone: list[float] | None = None, cut: float = 1) -> Array:
    """Develop a bright disc's cut-out in front of a blue picture."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = np.hypot(rows - 112, columns - 112) < 60
    subject, behind = flat([(200, 150, 120), (30, 60, 140)])
    masks = [inside.astype(np.uint8) * 255, None]
    bank = make_bank(np.stack([subject, behind]), np.zeros(2, np.int64), PHOTO, masks=masks)
    plan = replace(plan_of(1), behind=np.array([1]), cut=f32([cut]), tone=f32([tone or [1, 1, 1, 1]]))
    return np.asarray(degraded(bank, plan)[0])


def test_a_cut_out_is_put_in_front_of_what_is_behind() -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = np.hypot(rows - 112, columns - 112) < 60
    assert np.array_equal(masked(), np.where(inside[..., None], (200, 150, 120), (30, 60, 140)))
    assert (masked(cut=0) == (200, 150, 120)).all()


def test_a_tone_is_the_subjects_alone() -> None:
    made = masked([1.5, 1.1, 1.0, 0.9])
    expected = np.rint(255 * np.clip((np.array([200, 150, 120]) / 255) ** 1.5 * (1.1, 1, 0.9), 0, 1))
    assert np.array_equal(made[112, 112], expected) and np.array_equal(made[2, 2], (30, 60, 140))


def test_a_soft_mask_mixes() -> None:
    bank = pictures(*flat([(200, 100, 0), (0, 100, 200)]))
    bank = replace(bank, masks=np.full((1, SIDE, SIDE), 51, np.uint8), mask=np.array([0, -1]))
    made = degraded(bank, replace(plan_of(1), cut=f32([1]), behind=np.array([1])))
    assert (made == (40, 100, 160)).all()  # a fifth of the first, four fifths of the second


def test_masks_are_fetched_for_the_samples_that_use_them() -> None:
    """Only the last of three samples is cut out, and its mask is not the bank's first."""
    left, right = np.zeros((2, SIDE, SIDE), np.uint8)
    left[:, :112], right[:, 112:] = 255, 255
    images = flat([(10, 0, 0), (20, 0, 0), (30, 0, 0), (0, 0, 99)])
    bank = make_bank(images, np.zeros(4, np.int64), PHOTO, masks=[left, None, right, None])
    plan = replace(plan_of(3), cut=f32([0, 0, 1]), behind=np.array([3, 3, 3]))
    made = degraded(bank, plan)
    assert (made[0] == (10, 0, 0)).all() and (made[1] == (20, 0, 0)).all()
    assert (made[2, :, :112] == (0, 0, 99)).all() and (made[2, :, 112:] == (30, 0, 0)).all()
