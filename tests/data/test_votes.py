"""Votes of a table's raters and of simulated ones, and what photos a network wants."""

from __future__ import annotations

import numpy as np
import pytest

from imageqx_export.data.annotations import Rating
from imageqx_export.data.fusion import fuse
from imageqx_export.data.sample_plan import plan_samples
from imageqx_export.data.settings import USUAL, PhotoSettings, choose_settings
from imageqx_export.data.splits import assign_split
from imageqx_export.data.votes import LIMITS, RATERS, count_votes, simulate_votes
from imageqx_export.networks.imageqx.spec import spec
from tests.data.fakes import photo_bank, synthetic_bank, whole_bank

POOR, GOOD = "poor_quality", ("L57.0", "no_skin", "healthy_skin")


@pytest.mark.parametrize(
    ("evaluations", "votes"),
    [
        ((GOOD[0], GOOD[1], GOOD[2], POOR), 3),  # the paper's four raters: the sum of their votes
        ((POOR,) * 4, 0),
        ((GOOD[0],) * 4, 4),
        ((GOOD[0], POOR), 2),
        ((GOOD[0],) * 7 + (POOR,) * 5, 2),
        ((GOOD[0], GOOD[0], POOR), 2),  # 2 of 3 are 2.67 of 4
    ],
)
def test_everything_but_poor_quality_is_a_vote_for_good(evaluations: tuple[str, ...], votes: int) -> None:
    ratings = [Rating("a.png", f"rater {k}", evaluation, split="test") for k, evaluation in enumerate(evaluations)]
    assert count_votes(fuse(ratings)).tolist() == [votes]


def test_raters_agree_on_the_flawless_and_the_hopeless_and_differ_in_between() -> None:
    def votes(value: float) -> np.ndarray:
        severity = np.zeros((500, 5), np.float32)
        severity[:, 1] = value
        return simulate_votes(severity, (1,))

    assert (votes(0.1) == RATERS).mean() > 0.99 and (votes(1.0) == 0).mean() > 0.95
    means = [float(votes(value).mean()) for value in np.linspace(0, 1, 11)]
    assert means == sorted(means, reverse=True)
    middle = votes((LIMITS[1] + LIMITS[2]) / 2)
    assert 1.7 < middle.mean() < 2.3 and middle.std() > 0.3
    assert np.array_equal(middle, votes((LIMITS[1] + LIMITS[2]) / 2))


def test_planned_samples_have_votes_of_what_is_done_to_them() -> None:
    bank = whole_bank()
    usual = plan_samples(bank, (3,), 4000, rated_share=0)
    between = plan_samples(bank, (3,), 4000, rated_share=0, between=True)
    poor = usual.reasons.any(1)
    assert (usual.votes[~poor] == RATERS).mean() > 0.95
    assert (usual.votes[poor] < RATERS).mean() > 0.7
    shares = [np.bincount(plan.votes, minlength=5) / 4000 for plan in (usual, between)]
    assert shares[1][1:4].sum() > shares[0][1:4].sum()  # raters differ more often
    assert 0.6 < (between.votes >= 2).mean() < 0.8


def test_a_rated_photo_keeps_its_raters_votes() -> None:
    bank = photo_bank([0, 1, 2])
    bank.votes[:] = [1, -1, 3]
    plan = plan_samples(bank, (0,), 300, photo_share=1)
    assert set(plan.votes[plan.subject == 0]) == {1} and set(plan.votes[plan.subject == 2]) == {3}
    assert len(set(plan.votes[plan.subject == 1])) > 2


def test_a_scenes_own_framing_and_distance_count() -> None:
    """Of a scene whose lesion is cut off, what the plan drew for another one does not matter."""
    bank = synthetic_bank()
    bank.severity[:] = np.where(bank.reasons > 0, 0.95, 0)
    plan = plan_samples(bank, (5,), 600, photo_share=0)
    cut_off = bank.reasons[plan.subject].any(1)
    assert cut_off.any() and (plan.votes[cut_off] <= 1).mean() > 0.95


def test_settings_follow_from_the_spec() -> None:
    assert choose_settings(spec()) == USUAL == PhotoSettings(side=224, between=False, val_share=0.15)


def test_a_smaller_validation_side_leaves_the_test_side_alone() -> None:
    names = [f"patient {k}" for k in range(4000)]
    usual, other = [assign_split(n) for n in names], [assign_split(n, 0.10) for n in names]
    assert [side == "test" for side in usual] == [side == "test" for side in other]
    assert all(a == "val" for a, b in zip(usual, other, strict=True) if b == "val")
    assert other.count("val") / 4000 == pytest.approx(0.10, abs=0.015)
    assert other.count("train") / 4000 == pytest.approx(0.75, abs=0.02)
