"""Plans of banks that lack something: photos, photos of a class, or anything but synthetic scenes."""

from __future__ import annotations

from imageqx_export.data.bank import PHOTO, SYNTHETIC, join
from imageqx_export.data.sample_plan import plan_clean, plan_samples
from tests.data.fakes import (
    HEALTHY,
    LESION,
    NO_SKIN,
    POOR,
    photo_bank,
    synthetic_bank,
)


def test_a_bank_of_synthetic_scenes_alone() -> None:
    bank = synthetic_bank()
    plan = plan_samples(bank, (1,), 500, photo_share=1, rated_share=1)
    assert set(bank.origin[plan.subject]) == {SYNTHETIC} and set(plan.subject) == set(range(6))
    assert not plan.edge[:, 0].any() and (plan.tone == 1).all()
    assert set(plan.quality) == {LESION, NO_SKIN, HEALTHY, POOR}


def test_a_class_without_photos_is_synthetic() -> None:
    bank = join([synthetic_bank(), photo_bank([LESION, NO_SKIN])])
    plan = plan_samples(bank, (2,), 600, photo_share=1)
    shown, origin = bank.quality[plan.subject], bank.origin[plan.subject]
    assert set(origin[shown == HEALTHY]) == {SYNTHETIC}
    assert set(origin[shown != HEALTHY]) == {PHOTO}
    assert set(plan.behind) == {5, 7}  # scenery from both


def test_without_photos_clean_pictures_are_good_scenes() -> None:
    scenes = synthetic_bank()
    plan = plan_clean(scenes, (7,), 50)
    assert not scenes.reasons[plan.subject].any() and not plan.reasons.any()
