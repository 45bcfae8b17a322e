"""What networks learn: CORAL's loss by hand, thresholds on training samples, tables that cannot be learnt from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from imageqx_export import networks
from imageqx_export.artifact import ModelSpec
from imageqx_export.data.annotations import Rating
from imageqx_export.data.fusion import fuse
from imageqx_export.data.labels import Label, LabelledPhotos
from imageqx_export.data.sample_plan import plan_samples
from imageqx_export.errors import ArtifactError, DatasetError, TrainingError, UnknownNameError
from imageqx_export.evaluation.diagnostic.rates import choose_youden_threshold
from imageqx_export.training import targets
from imageqx_export.training.batches import flip
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.stopping import is_best, is_over
from imageqx_export.training.targets import make_config
from imageqx_export.training.targets.votes import TARGETS, encode_ranks
from tests.evaluation.binary.test_binary import OUTPUTS, PHOTOS, spec
from tests.training.fakes import bank

GOOD, POOR = "L57.0", "poor_quality"


def test_the_loss_is_corals() -> None:
    """Cao et al. 2020, equation 4: minus the log-likelihood of every rank, summed over ranks, mean over samples."""
    rng = np.random.default_rng(0)
    logits, votes = rng.normal(0, 2, (6, 4)), np.array([0, 1, 2, 3, 4, 2])
    expected = 0.0
    for row, count in zip(logits, votes, strict=True):
        for rank in range(4):
            sure = 1 / (1 + np.exp(-row[rank]))
            expected -= np.log(sure if count > rank else 1 - sure) / 6
    loss = TARGETS.make_loss(make_config("duke-iqa"), bank())
    got = loss(SimpleNamespace(ranks=torch.tensor(logits)), (encode_ranks(torch.tensor(votes)),))
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_the_truth_of_samples_is_their_votes() -> None:
    plan = plan_samples(bank(), (1,), 40, between=True)
    (ranks,) = TARGETS.read_truth(plan)
    assert ranks.shape == (40, 4) and torch.equal(ranks.sum(1).long(), torch.from_numpy(plan.votes))
    assert bool((ranks[:, 1:] <= ranks[:, :-1]).all())  # rank-consistent


def test_scores_are_scikit_learns() -> None:
    assert PHOTOS.votes is not None
    got = TARGETS.score(OUTPUTS, PHOTOS, spec())
    assert got["auc"] == pytest.approx(roc_auc_score(PHOTOS.votes >= 2, OUTPUTS["good"][:, 0]))
    assert got["votes_error"] == pytest.approx(np.abs(OUTPUTS["ranks"].sum(1) - PHOTOS.votes).mean())
    assert set(TARGETS.list_scalars(got)) == {
        f"validation/{name}" for name in ("auc", "ppv", "tpr", "npv", "tnr", "votes_error")
    }
    assert "AUC 0." in TARGETS.describe(got) and next(iter(TARGETS.group(got)["binary"]["good"])) == "auc"
    alike: LabelledPhotos = replace(PHOTOS, votes=np.full(len(PHOTOS), 4))
    assert TARGETS.score(OUTPUTS, alike, spec())["auc"] is None


def test_the_threshold_is_youdens_on_training_samples() -> None:
    assert PHOTOS.votes is not None
    chosen: ModelSpec = TARGETS.choose_spec(OUTPUTS, (encode_ranks(torch.from_numpy(PHOTOS.votes)),), spec())
    assert chosen.binary is not None and TARGETS.chooses
    good = OUTPUTS["good"][:, 0].astype(np.float64)
    assert chosen.binary.threshold == choose_youden_threshold(PHOTOS.votes >= 2, good) != 0.6


def rated(*photos: tuple[str, tuple[str, ...]]) -> tuple[Label, ...]:
    """Return labels of photos: the side, and what each rater said."""
    ratings = [
        Rating(f"{k}.png", f"rater {n}", evaluation, split=side)  # type: ignore[arg-type]
        for k, (side, labels) in enumerate(photos)
        for n, evaluation in enumerate(labels)
    ]
    return fuse(ratings)


WHOLE = tuple(
    (side, labels) for side in ("train", "val", "test") for labels in ((GOOD, GOOD, POOR), (POOR, POOR, POOR))
)


@pytest.mark.parametrize(
    ("photos", "words"),
    [
        (tuple((side, (labels,)) for side, labels in (("train", GOOD), ("val", POOR))), "one rater alone"),
        (
            tuple((side, (labels, labels)) for side in ("train", "val", "test") for labels in (GOOD, POOR)),
            "agree on every",
        ),
        (tuple(row for row in WHOLE if row != ("val", (POOR,) * 3)), "no photo of val is of poor quality"),
        (tuple(row for row in WHOLE if row != ("test", (GOOD, GOOD, POOR))), "no photo of test is good"),
        (tuple(row for row in WHOLE if row[0] != "train"), "no photo of train is good"),
    ],
)
def test_tables_that_ranks_cannot_be_learnt_from(photos: tuple[tuple[str, tuple[str, ...]], ...], words: str) -> None:
    TARGETS.refuse(rated(*WHOLE), make_config("duke-iqa"))
    with pytest.raises(DatasetError, match=words):
        TARGETS.refuse(rated(*photos), make_config("duke-iqa"))


def test_how_many_must_say_good_is_a_setting() -> None:
    labels = rated(*WHOLE)  # 2 of 3 raters are 2 of 4
    with pytest.raises(DatasetError, match="no photo of train is good"):
        TARGETS.refuse(labels, make_config("duke-iqa", good_when_at_least=3))


def test_each_network_has_its_own_defaults() -> None:
    usual, other = make_config("imageqx"), make_config("duke-iqa")
    assert usual == TrainingConfig()
    assert (other.epochs, other.optimizer, other.patience, other.flips) == (50, "sgd", 10, True)
    assert make_config("duke-iqa", epochs=3, flips=False).flips is False
    with pytest.raises(UnknownNameError, match="duke-iq"):
        make_config("duke-iq")
    with pytest.raises(UnknownNameError, match="adam"):
        make_config("imageqx", optimizer="adam")
    with pytest.raises(TrainingError, match="1 to 4 raters"):
        make_config("duke-iqa", good_when_at_least=5)
    with pytest.raises(TrainingError, match="no small epochs"):
        make_config("duke-iqa", frozen_backbone=True, small_epochs=1)
    assert set(targets.MODELS) >= {"imageqx", "duke-iqa"}


def test_flips_are_drawn_once_a_sample_and_move_nothing_else() -> None:
    plan = plan_samples(bank(), (2,), 64)
    pixels = torch.rand(64, 3, 8, 8)
    got = flip(pixels, plan)
    assert torch.equal(got, flip(pixels, plan))
    kinds = [pixels, pixels.flip(3), pixels.flip(2), pixels.flip(2, 3)]
    found = [next(k for k, one in enumerate(kinds) if torch.equal(one[i], got[i])) for i in range(64)]
    assert set(found) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("scores", "patience", "over", "best"),
    [
        ([0.5], 2, False, True),
        ([0.5, 0.6, 0.6], 2, False, False),
        ([0.6, 0.5, 0.6], 2, True, False),
        ([0.6, 0.5, 0.7], 2, False, True),
        ([None, None, None], 2, True, False),
        ([0.6, 0.5, 0.4], 0, False, False),
    ],
)
def test_when_training_stops(scores: list[float | None], patience: int, over: bool, best: bool) -> None:
    history = [{"auc": score} for score in scores]
    assert is_over(history, "auc", patience) is over and is_best(history, "auc") is best


def test_what_a_network_learns_is_what_it_gives() -> None:
    labels, votes = targets.choose_targets("imageqx"), targets.choose_targets("duke-iqa")
    labels.require_outputs(networks.spec("imageqx"))
    votes.require_outputs(networks.spec("duke-iqa"))
    with pytest.raises(ArtifactError, match="another model's labels"):
        labels.require_outputs(networks.spec("duke-iqa"))
    with pytest.raises(ArtifactError, match=r"(?s)does not count votes.*quality, explanations, attention"):
        votes.require_outputs(networks.spec("imageqx"))
