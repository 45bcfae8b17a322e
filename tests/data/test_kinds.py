"""Each kind of degradation alone: where it acts, how far, on what, and what it says of the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from imageqx_export.data.bank import PHOTO, SIDE, Bank, make_bank
from imageqx_export.data.crops import crop_lesions, measure_spans, shrink_objects
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.kinds import KINDS, find_kind
from imageqx_export.data.sample_plan import plan_kind
from imageqx_export.data.scenes import render_scenes
from imageqx_export.data.synthetic import MILD, STRONG
from imageqx_export.data.vocabulary import REASONS
from imageqx_export.errors import DatasetError
from tests.data.fakes import HEALTHY, LESION, NO_SKIN, POOR, f32

Array = NDArray[Any]

HARMLESS = [kind.name for kind in KINDS if kind.reason is None]
GIVING = [kind.name for kind in KINDS if kind.reason is not None]


def disc(x: float, y: float, radius: float) -> Array:
    """Return a mask of a disc; all in shares of a side."""
    axis = (np.arange(SIDE) + 0.5) / SIDE
    return np.where(np.hypot(axis[None] - x, axis[:, None] - y) < radius, 255, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Return a lesion, a hand and an object of fine noise, each with a disc as its mask."""
    rng = np.random.default_rng(0)
    images = rng.integers(60, 200, (3, SIDE, SIDE, 3), np.uint8)
    masks = [disc(0.4, 0.55, 0.15), disc(0.5, 0.5, 0.3), disc(0.5, 0.5, 0.25)]
    return make_bank(images, np.array([LESION, HEALTHY, NO_SKIN]), PHOTO, masks=masks)


def done(bank: Bank, name: str, severity: list[float], subject: int = 0, seed: int = 3) -> Array:
    """Return what a kind makes of one picture at several severities."""
    rows = np.full(len(severity), subject)
    plan = plan_kind(bank, rows, find_kind(name), f32(severity), seed)
    return np.asarray(Degrader(bank, torch.device("cpu")).degrade(plan, SIDE).numpy())


def sharpness(picture: Array, where: Array) -> float:
    """Return the variance of the Laplacian in a part of a picture."""
    return float(ndimage.laplace(picture.mean(2))[where].var())


def test_no_kind_leaves_the_very_pictures(bank: Bank) -> None:
    plan = plan_kind(bank, np.arange(3), None, np.zeros(3, np.float32), 1)
    assert np.array_equal(Degrader(bank, torch.device("cpu")).degrade(plan, SIDE).numpy(), bank.images)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_seeded_and_stays_in_range(bank: Bank, kind: Any) -> None:
    subject = int(np.flatnonzero(kind.suits(bank, np.arange(3)))[0])
    once = done(bank, kind.name, [0.3, 0.9], subject)
    assert np.array_equal(once, done(bank, kind.name, [0.3, 0.9], subject))
    assert once.min() >= 0 and once.max() <= 255 and np.array_equal(once, np.rint(once))
    assert not np.array_equal(once[1], bank.images[subject])


@pytest.mark.parametrize("name", GIVING)
def test_the_strong_version_gives_its_reason_alone(bank: Bank, name: str) -> None:
    kind = find_kind(name)
    subject = np.flatnonzero(kind.suits(bank, np.arange(3)))
    for severity, poor in ((MILD, False), (STRONG, True), (1.0, True)):
        plan = plan_kind(bank, subject, kind, np.full(len(subject), severity, np.float32), 1)
        assert (plan.quality == POOR).all() == poor and plan.reasons.sum() == poor * len(subject)
        assert not poor or plan.reasons[:, kind.reason].all()


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_gives_none(bank: Bank, name: str) -> None:
    kind = find_kind(name)
    subject = np.flatnonzero(kind.suits(bank, np.arange(3)))
    plan = plan_kind(bank, subject, kind, np.ones(len(subject), np.float32), 1)
    assert not plan.reasons.any() and np.array_equal(plan.quality, bank.quality[subject])


def test_every_reason_has_a_kind_and_names_are_their_own() -> None:
    assert {kind.reason for kind in KINDS} == {None, *range(len(REASONS))}
    assert len({kind.name for kind in KINDS}) == len(KINDS)


# Blur of a part


def test_the_lesions_blur_leaves_the_rim_and_the_rims_the_lesion(bank: Bank) -> None:
    inside = ndimage.binary_erosion(bank.masks[0] > 127, iterations=6)
    outside = ~ndimage.binary_dilation(bank.masks[0] > 127, iterations=6)
    still = bank.images[0].astype(float)
    lesion, rim = done(bank, "lesion out of focus", [1.0])[0], done(bank, "rim out of focus", [1.0])[0]
    assert np.array_equal(lesion[outside], still[outside]) and np.array_equal(rim[inside], still[inside])
    assert sharpness(lesion, inside) < 0.1 * sharpness(still, inside)
    assert sharpness(rim, outside) < 0.1 * sharpness(still, outside)


def test_the_blur_follows_its_lesion(bank: Bank) -> None:
    """Moved by a quarter of a side, mask and blur go along."""
    plan = plan_kind(bank, np.zeros(1, np.int64), find_kind("lesion out of focus"), f32([1]), 3)
    plan.affine[0, 0, 2] = -0.5
    made = Degrader(bank, torch.device("cpu")).degrade(plan, SIDE).numpy()[0]
    moved = ndimage.binary_erosion(disc(0.65, 0.55, 0.15) > 127, iterations=6)
    left = ndimage.binary_erosion(disc(0.25, 0.55, 0.08) > 127, iterations=2)
    assert sharpness(made, moved) < 0.1 * sharpness(made, left)


# Crops


@pytest.mark.parametrize(("severity", "low", "high"), [(STRONG, 0.27, 0.33), (0.75, 0.47, 0.53), (1.0, 0.67, 0.73)])
def test_a_crop_cuts_the_share_that_is_asked_for(severity: float, low: float, high: float) -> None:
    """Count what is left of a white disc's area in the frame, wherever it lies."""
    places = [(0.5, 0.5, 0.1), (0.3, 0.6, 0.12), (0.7, 0.35, 0.08), (0.45, 0.5, 0.2)]
    masks = np.stack([disc(*place) for place in places])
    images = np.repeat(masks[..., None], 3, 3)
    bank = make_bank(images, np.full(4, LESION), PHOTO, masks=list(masks))
    plan = plan_kind(bank, np.arange(4), find_kind("cut lesion"), np.full(4, severity, np.float32), 5)
    made = Degrader(bank, torch.device("cpu")).degrade(plan, SIDE).numpy()[..., 0] / 255
    zoom = np.abs(plan.affine[:, 0, 0])
    seen = made.sum((1, 2)) * zoom**2 / (images[..., 0] / 255.0).sum((1, 2))
    assert ((1 - seen >= low) & (1 - seen <= high)).all()
    assert all(one[[0, -1]].any() or one[:, [0, -1]].any() for one in made)


def test_a_mild_crop_leaves_the_lesion_whole() -> None:
    masks = np.stack([disc(0.5, 0.5, 0.1), disc(0.3, 0.6, 0.12)])
    affine = crop_lesions(np.random.default_rng(1), measure_spans(masks), f32([MILD, 0]))
    bank = make_bank(np.repeat(masks[..., None], 3, 3), np.full(2, LESION), PHOTO, masks=list(masks))
    plan = plan_kind(bank, np.arange(2), None, f32([0, 0]), 1)
    plan.affine[:] = affine
    made = Degrader(bank, torch.device("cpu")).degrade(plan, SIDE).numpy()[..., 0] > 127
    assert not made[:, [0, -1]].any() and not made[:, :, [0, -1]].any()
    np.testing.assert_allclose(made.sum((1, 2)), (masks > 127).sum((1, 2)), rtol=0.03)


def test_spans_are_the_quantiles_of_the_pixels() -> None:
    mask = disc(0.3, 0.6, 0.2)
    rows, columns = np.nonzero(mask)
    (spans,) = measure_spans(mask[None])
    for axis, places in enumerate((columns, rows)):
        expected = (np.quantile(places, np.linspace(0, 1, 11)) + 0.5) / SIDE
        np.testing.assert_allclose(spans[axis], expected, atol=1.5 / SIDE)


def test_objects_cover_the_share_that_is_asked_for() -> None:
    mask = disc(0.5, 0.5, 0.25)
    images = np.where(mask[None, ..., None] > 0, 40, 220).repeat(3, 3).astype(np.uint8)
    bank = make_bank(images, np.array([NO_SKIN]), PHOTO, masks=[mask])
    for seed in range(6):
        made = done(bank, "plain ground", [0.5], seed=seed)[0]
        share = (np.abs(made - made[0, 0]).max(2) > 60).mean()
        assert 0.09 < share < 0.62 and made[0, 0].min() > 160  # the ground is bright, and its own colour
    affine, shrink = shrink_objects(np.random.default_rng(2), f32([0.2, 0.2]), np.array([0.05, 0.4]))
    np.testing.assert_allclose(1 / affine[:, 0, 0] ** 2 * 0.2, [0.05, 0.4], rtol=1e-5)
    np.testing.assert_allclose(shrink, [2, 1])


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(DatasetError, match="mask is empty"):
        make_bank(np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, np.int64), PHOTO, masks=[np.zeros((8, 8), np.uint8)])


# Light, marks and files


def test_a_hard_shadow_has_an_edge_and_leaves_the_light_side_alone() -> None:
    grey = make_bank(np.full((1, SIDE, SIDE, 3), 200, np.uint8), np.array([NO_SKIN]), PHOTO)
    for seed in range(5):
        strong = done(grey, "hard shadow", [0.8], seed=seed)[0, ..., 0]
        assert strong.max() >= 199 and 0.05 < (strong < 140).mean() < 0.95
        mild = done(grey, "hard shadow", [MILD], seed=seed)[0, ..., 0]
        expected = 200 * (1 - 0.25) ** (1 / 2.2)
        assert mild.min() >= expected - 1


def test_noise_grows_and_faint_noise_is_faint() -> None:
    grey = make_bank(np.full((1, SIDE, SIDE, 3), 120, np.uint8), np.array([NO_SKIN]), PHOTO)
    made = done(grey, "sensor noise", [0.05, MILD, STRONG, 1.0])
    spread = made.std((1, 2, 3))
    assert (np.diff(spread) > 0).all() and spread[1] < 4 and spread[2] > 12


def test_a_highlight_is_small_or_washes_the_frame_out(bank: Bank) -> None:
    mild, strong = done(bank, "highlight", [MILD, 0.9])
    changed = [(np.abs(made - bank.images[0]) > 20).any(2).mean() for made in (mild, strong)]
    assert changed[0] < 0.06 and changed[1] > 0.5


def test_grey_scale_has_no_colour_and_keeps_the_luma(bank: Bank) -> None:
    (made,) = done(bank, "grey scale", [0.5])
    assert np.array_equal(made[..., 0], made[..., 1]) and np.array_equal(made[..., 1], made[..., 2])
    luma = bank.images[0].astype(float) @ (0.299, 0.587, 0.114)
    assert np.abs(made[..., 0] - luma).max() <= 0.51


def test_bars_are_black_and_leave_the_rest(bank: Bank) -> None:
    for seed in range(4):
        (made,) = done(bank, "letterbox", [MILD], seed=seed)
        black = (made == 0).all(2)
        assert black.mean() == pytest.approx(2 * 0.08, abs=0.01)
        assert np.array_equal(made[~black], bank.images[0][~black].astype(float))
        assert black.all(0).any() != black.all(1).any()  # at two borders that face each other


@pytest.mark.parametrize(
    ("name", "least", "most"), [("pen", 0.002, 0.08), ("ruler", 0.05, 0.2), ("hairs", 0.002, 0.12)]
)
def test_marks_cover_little(bank: Bank, name: str, least: float, most: float) -> None:
    for seed in range(4):
        (made,) = done(bank, name, [0.5], seed=seed)
        assert least < (np.abs(made - bank.images[0]) > 2).any(2).mean() < most


def test_kinds_work_on_scenes_whose_masks_are_the_generators() -> None:
    scenes = render_scenes(21, 17)
    for kind in KINDS:
        rows = np.flatnonzero(kind.suits(scenes, np.arange(17)))
        if len(rows) == 0:  # no scene's object has a mask
            assert kind.name == "plain ground"
            continue
        plan = plan_kind(scenes, rows, kind, np.full(len(rows), 0.7, np.float32), 1)
        made = Degrader(scenes, torch.device("cpu")).degrade(plan, 64)
        assert len(made) == len(rows) and torch.isfinite(made).all()
