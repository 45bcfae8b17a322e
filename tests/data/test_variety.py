"""Other kinds, near limits and harmless marks are drawn into a plan, and leave its subjects and labels alone."""

from __future__ import annotations

import numpy as np
import pytest

from imageqx_export.data.bank import Bank, join
from imageqx_export.data.sample_plan import SamplePlan, plan_samples
from tests.data.fakes import (
    BLUR,
    FRAMING,
    HEALTHY,
    LESION,
    LIGHT,
    NO_SKIN,
    POOR,
    photo_bank,
    rated_bank,
    synthetic_bank,
)
from tests.data.test_sample_plan import COUNT


@pytest.fixture(scope="module")
def masked_bank() -> Bank:
    photos = photo_bank([LESION] * 6 + [HEALTHY] * 4 + [NO_SKIN] * 4, masks=[0, 1, 2, 6, 10, 11])
    return join([synthetic_bank(3), photos, rated_bank()])


@pytest.fixture(scope="module")
def varied(masked_bank: Bank) -> SamplePlan:
    return plan_samples(masked_bank, (11,), COUNT, photo_share=0.7, rated_share=0)


def test_variety_changes_neither_subjects_nor_truth(masked_bank: Bank, varied: SamplePlan) -> None:
    plain = plan_samples(masked_bank, (11,), COUNT, photo_share=0.7, rated_share=0, varied=False)
    for name in ("subject", "behind", "tone", "shares", "reasons", "fitzpatrick"):
        assert np.array_equal(getattr(varied, name), getattr(plain, name)), name
    assert not plain.marks.any() and not plain.focus.any() and not plain.shadow.any() and not plain.glare.any()


def test_every_kind_of_a_reason_is_drawn(varied: SamplePlan) -> None:
    poor = varied.quality == POOR
    assert ((varied.shadow[:, 3] > 0.8) & poor).any() and ((varied.light[:, 6] >= 0.06 - 1e-6) & poor).any()
    assert ((varied.glare[:, 2] >= 0.45 - 1e-6) & (varied.reasons[:, LIGHT] > 0)).any()
    assert ((varied.blur[:, 0] == 3) & (varied.reasons[:, BLUR] > 0)).any()
    assert ((varied.focus == 1) & (varied.reasons[:, BLUR] > 0)).any()
    assert ((varied.mirror > 0) & (varied.reasons[:, FRAMING] > 0)).any()
    assert ((varied.resolution[:, 0] == 256) & (varied.resolution[:, 1] <= 10) & poor).any()


def test_good_samples_come_near_the_limits(varied: SamplePlan) -> None:
    """Half of them have one severity in the upper half of what is still good: of the light, say, a tenth or more."""
    good = varied.quality != POOR
    gain = varied.light[good, 0]
    assert (gain > 1.17).mean() > 0.02 and (gain < 0.8).mean() > 0.02
    assert gain.max() <= 1.35 + 1e-6 and gain.min() >= 0.6 - 1e-6
    assert varied.shadow[good, 3].max() <= 0.25 + 1e-6 and varied.glare[good, 2].max() <= 0.06 + 1e-6


def test_what_is_harmless_leaves_the_label(masked_bank: Bank, varied: SamplePlan) -> None:
    shown = masked_bank.quality[varied.subject]
    marked = (varied.marks != 0).any(1) | (varied.ground[:, 0] > 0) | (varied.focus == 2)
    good = varied.quality != POOR
    assert 0.1 < marked.mean() < 0.4 and 0.3 < good[marked].mean() < 0.7
    assert np.array_equal(varied.quality[marked & good], shown[marked & good])
    assert not (varied.marks[shown == NO_SKIN][:, 2:]).any()  # pen, ruler and hairs are on skin
    assert set(shown[varied.ground[:, 0] > 0]) == {NO_SKIN} and set(shown[varied.focus > 0]) == {LESION}


def test_masks_are_needed_for_what_is_done_to_a_part(masked_bank: Bank, varied: SamplePlan) -> None:
    needing = (varied.focus > 0) | (varied.mirror > 0) | (varied.ground[:, 0] > 0)
    assert needing.any() and (masked_bank.mask[varied.subject[needing]] >= 0).all()


def test_rated_photos_are_not_varied(masked_bank: Bank) -> None:
    plan = plan_samples(masked_bank, (6,), 1000, rated_share=1)
    for name in ("marks", "focus", "shadow", "glare", "ground", "mirror"):
        assert not getattr(plan, name).any(), name
