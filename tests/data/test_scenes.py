"""Synthetic banks: a seed's scenes, their kinds and tones, and where subjects lie."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from imageqx_export.data import scenes as module
from imageqx_export.data.bank import SIDE, SYNTHETIC, Bank
from imageqx_export.data.scenes import SCENE_KINDS, choose_placement, render_scenes
from imageqx_export.data.synthetic import MILD, STRONG, draw_plain_object
from tests.data.fakes import DISTANCE, FRAMING, HEALTHY, LESION, NO_SKIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = NDArray[Any]

SEED, COUNT = 7, 40


@pytest.fixture(scope="module")
def bank() -> Bank:
    return render_scenes(SEED, COUNT)


def kinds(bank: Bank) -> list[tuple[int, bool, bool]]:
    """Say of each scene its class, and whether it is cut off and far away."""
    return [(int(q), bool(r[FRAMING]), bool(r[DISTANCE])) for q, r in zip(bank.quality, bank.reasons, strict=True)]


def test_shapes_and_origin(bank: Bank) -> None:
    assert bank.images.shape == (COUNT, SIDE, SIDE, 3) and bank.images.dtype == np.uint8
    assert set(bank.origin) == {SYNTHETIC}
    assert len({image.tobytes() for image in bank.images}) == COUNT and min(i.std() for i in bank.images) > 1


def test_the_first_scenes_of_a_longer_run_are_the_same(bank: Bank) -> None:
    short = render_scenes(SEED, SCENE_KINDS)
    for name in ("images", "shares", "reasons", "fitzpatrick"):
        assert np.array_equal(getattr(short, name), getattr(bank, name)[:SCENE_KINDS]), name


def test_masks_lie_on_lesions_alone(bank: Bank) -> None:
    """A lesion differs from the skin around it; one that is cut off far outside has no mask."""
    masked = bank.mask >= 0
    assert not masked[bank.quality != LESION].any()
    whole = (bank.quality == LESION) & (bank.reasons.sum(1) == 0)
    assert masked[whole].all()
    apart = []
    for row in np.flatnonzero(whole):
        inside = bank.masks[bank.mask[row]] > 127
        picture = bank.images[row].astype(float)
        ring = ndimage.binary_dilation(inside, iterations=12) & ~ndimage.binary_dilation(inside, iterations=3)
        skin, lesion = np.median(picture[ring], 0), np.median(picture[inside], 0)
        apart.append(np.abs(lesion - skin).max())
    assert (np.array(apart) > 8).mean() > 0.8 and np.median(apart) > 20  # a faint redness on dark skin hardly shows
    cut = (bank.quality == LESION) & (bank.reasons[:, FRAMING] > 0) & masked
    for row in np.flatnonzero(cut):
        inside = bank.masks[bank.mask[row]] > 127
        assert inside[[0, -1]].any() or inside[:, [0, -1]].any()


def test_a_third_of_the_good_scenes_vary_and_the_others_are_the_first_releases(bank: Bank) -> None:
    first = render_scenes(SEED, COUNT, varied=False)
    same = np.array([np.array_equal(one, other) for one, other in zip(bank.images, first.images, strict=True)])
    good = bank.reasons.sum(1) == 0
    assert same[~good].all() and 0.4 < same[good].mean() < 0.9
    assert np.array_equal(first.quality, bank.quality) and np.array_equal(first.reasons, bank.reasons)


def test_plain_objects_lie_on_a_bright_ground() -> None:
    for seed in range(12):
        picture = draw_plain_object(np.random.default_rng(seed), 96).astype(float)
        corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert np.median(corners) > 120
        apart = np.abs(picture - np.median(corners, 0)).max(2) > 25
        assert 0.03 < apart.mean() < 0.9


def test_another_seed_draws_other_scenes(bank: Bank) -> None:
    other = render_scenes(SEED + 1, SCENE_KINDS)
    assert not any(np.array_equal(one, two) for one, two in zip(other.images, bank.images, strict=False))
    assert kinds(other) == kinds(bank)[:SCENE_KINDS]  # but of the same kinds


def test_processes_draw_what_one_alone_does(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @contextmanager
    def counting(description: str, total: int) -> Iterator[Callable[[], None]]:
        seen.append(f"{description}: {total}")
        yield lambda: seen.append("one")

    monkeypatch.setattr(module, "_CHUNK", 5)
    assert np.array_equal(render_scenes(SEED, SCENE_KINDS, progress=counting).images, bank.images[:SCENE_KINDS])
    assert seen == ["drawing scenes: 4", *["one"] * 4]


def test_all_kinds_appear_as_often_as_plans_ask(bank: Bank) -> None:
    whole, framed, far = (False, False), (True, False), (False, True)
    expected = {
        (LESION, *whole): 4,
        (LESION, *framed): 2,
        (LESION, *far): 1,
        (HEALTHY, *whole): 4,
        (HEALTHY, *far): 2,
        (NO_SKIN, *whole): 4,
    }
    for start in (0, 5, COUNT - SCENE_KINDS):
        assert Counter(kinds(bank)[start : start + SCENE_KINDS]) == expected
    assert all(len({kind[0] for kind in kinds(bank)[start : start + 7]}) == 3 for start in range(COUNT - 7))
    assert not bank.reasons[:, [1, 2, 3]].any()  # a lens and a file are not drawn


def test_all_six_tones_appear_on_skin_alone(bank: Bank) -> None:
    skin = bank.quality != NO_SKIN
    assert set(bank.fitzpatrick[skin]) == {1, 2, 3, 4, 5, 6} and set(bank.fitzpatrick[~skin]) == {0}


def test_darker_types_are_synthetic_darker(bank: Bank) -> None:
    """Healthy skin near by fills the frame."""
    near = (bank.quality == HEALTHY) & (bank.reasons[:, DISTANCE] == 0)
    grey = np.median(bank.images[near].astype(float).mean(3), (1, 2))
    assert np.corrcoef(bank.fitzpatrick[near], grey)[0, 1] < -0.7
    assert {*np.sign(np.diff(bank.images[near].astype(float).mean((1, 2)), axis=1)).ravel()} == {
        -1
    }  # red > green > blue


@pytest.mark.parametrize("count", [0, 1, SCENE_KINDS - 1])
def test_too_few_scenes_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"at least {SCENE_KINDS} scenes, got {count}"):
        render_scenes(SEED, count)


# Where subjects lie


@given(seed=st.integers(0, 2**32), off=st.floats(STRONG, 1), distance=st.floats(0, 1))
def test_strong_bad_framing_puts_the_centre_off_the_frame(seed: int, off: float, distance: float) -> None:
    where = choose_placement(np.random.default_rng(seed), off, distance)
    assert max(abs(where.x - 0.5), abs(where.y - 0.5)) >= 0.5 - 1e-9


@given(seed=st.integers(0, 2**32), off=st.floats(0, MILD), distance=st.floats(0, 1))
def test_mild_framing_keeps_the_subject_whole(seed: int, off: float, distance: float) -> None:
    where = choose_placement(np.random.default_rng(seed), off, distance)
    assert max(abs(where.x - 0.5), abs(where.y - 0.5)) + where.scale / 2 <= 0.5


@given(seed=st.integers(0, 2**32), off=st.floats(0, 1), near=st.floats(0, 0.95))
def test_distance_shrinks_the_subject(seed: int, off: float, near: float) -> None:
    one = choose_placement(np.random.default_rng(seed), off, near)
    other = choose_placement(np.random.default_rng(seed), off, near + 0.05)
    assert 0.025 - 1e-9 <= other.scale < one.scale <= 0.45 + 1e-9
    assert choose_placement(np.random.default_rng(seed), 0, near)[:2] == (0.5, 0.5)


@pytest.mark.parametrize(("distance", "scale"), [(0, 0.45), (0.5, np.sqrt(0.45 * 0.025)), (1, 0.025)])
def test_the_documented_scales(distance: float, scale: float) -> None:
    assert choose_placement(np.random.default_rng(0), 0, distance).scale == pytest.approx(scale)
    off = [choose_placement(np.random.default_rng(seed), 1, distance) for seed in range(200)]
    assert np.allclose([max(abs(w.x - 0.5), abs(w.y - 0.5)) for w in off], 0.5 + 0.3 * scale)
    assert {(w.x > 0.5, w.y > 0.5) for w in off} == {(a, b) for a in (True, False) for b in (True, False)}
