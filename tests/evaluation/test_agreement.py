"""Agreement: against scikit-learn pair by pair, a table made by hand, and the paper's own mean rows."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from imageqx_export.data.annotations import Rating
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.agreement import (
    Agreement,
    PairF1,
    average_rows,
    find_expert_level,
    measure_agreement,
    read_scores,
)

EVALUATIONS = ["L57.0", "D22.9", "no_skin", "healthy_skin", "poor_quality"]
SHARED = [Rating("first.jpg", rater, "L57.0") for rater in "ab"]
"""So that there are always two raters with a photo in common."""


def votes(rater: str, *evaluations: str | None) -> list[Rating]:
    return [Rating(f"{i}.jpg", rater, evaluation) for i, evaluation in enumerate(evaluations) if evaluation]


@st.composite
def tables(draw: st.DrawFn) -> list[Rating]:
    rows = []
    for image in range(draw(st.integers(0, 8))):
        for rater in "abcd":
            if draw(st.booleans()):
                evaluation = draw(st.sampled_from(EVALUATIONS))
                ticks = draw(st.sets(st.sampled_from(REASONS))) if evaluation == "poor_quality" else set()
                rows.append(Rating(f"{image}.jpg", rater, evaluation, tuple(ticks)))
    return rows + SHARED


def by_scikit(rows: list[Rating], name: str) -> list[float]:
    """Score every pair on the photos it shares, unless neither of the two used the class there."""
    by_rater = {(r.rater, r.image): r for r in rows}
    scores = []
    for one, other in combinations(sorted({r.rater for r in rows}), 2):
        photos = [r.image for r in rows if r.rater == one and (other, r.image) in by_rater]
        truth, guess = (
            [(by_rater[rater, p].label == name) or (name in by_rater[rater, p].reasons) for p in photos]
            for rater in (one, other)
        )
        if any(truth) or any(guess):
            scores.append(float(f1_score(truth, guess)))
            assert scores[-1] == f1_score(guess, truth), "which of the two is the reference does not matter"
    return scores


@settings(max_examples=25, deadline=None)
@given(rows=tables())
def test_every_class_agrees_with_scikit_learn(rows: list[Rating]) -> None:
    result = measure_agreement(rows)
    for name, row in {**result.labels, **result.reasons}.items():
        scores = by_scikit(rows, name)
        assert row.pairs == len(scores)
        assert row.mean == (pytest.approx(mean(scores)) if scores else None)
        assert row.sd == (pytest.approx(stdev(scores)) if len(scores) > 1 else None)


def test_a_table_made_by_hand() -> None:
    rows = [
        *votes("a", "L57.0", "L57.0", "healthy_skin", "poor_quality"),
        *votes("b", "D22.9", "healthy_skin", "healthy_skin", "poor_quality"),
        *votes("c", "L57.0", "L57.0", None, "healthy_skin"),
    ]
    result = measure_agreement(rows)
    lesion, poor = result.labels["lesion"], result.labels["poor_quality"]
    # Lesion: a–b 2·1/(2+1), a–c 1, b–c 2·1/(2+1). Other codes are lesions as well.
    assert lesion.mean == pytest.approx(7 / 9) and lesion.sd == pytest.approx(1 / 27**0.5) and lesion.pairs == 3
    # Poor quality: a–b 1, a–c 0, b–c 0. Nobody saw "no skin".
    assert poor.mean == pytest.approx(1 / 3) and poor.sd == pytest.approx(1 / 3**0.5) and poor.pairs == 3
    assert result.labels["no_skin"] == PairF1(None, None, 0)
    assert (result.raters, result.images, result.pairs) == (3, 4, 3)
    assert result.reasons_mean == PairF1(None, None, 0)


def test_raters_who_share_no_photo_are_no_pair() -> None:
    rows = [*SHARED, Rating("x.jpg", "c", "no_skin"), Rating("x.jpg", "d", "no_skin"), Rating("y.jpg", "e", "no_skin")]
    result = measure_agreement(rows)
    assert (result.raters, result.images, result.pairs) == (4, 2, 2)
    assert result.labels["no_skin"] == PairF1(1.0, None, 1)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0.86, 0.03), (0.93, 0.03), (0.62, 0.10), (0.63, 0.08)], (0.76, 0.06)),
        ([(0.84, 0.08), (0.92, 0.04), (0.65, 0.10), (0.67, 0.07)], (0.77, 0.07)),
    ],
)
def test_the_mean_row_is_made_as_the_papers(rows: list[tuple[float, float]], expected: tuple[float, float]) -> None:
    made = average_rows(PairF1(m, sd, 66) for m, sd in rows)
    assert made.mean is not None and made.sd is not None
    assert (round(made.mean, 2), round(made.sd, 2)) == expected and made.pairs == 66


def paper() -> Agreement:
    """Return the raters' F1 on the test set of the ImageQX paper."""
    labels = [(0.84, 0.08), (0.92, 0.04), (0.65, 0.10), (0.67, 0.07)]
    reasons = [(0.24, 0.15), (0.65, 0.08), (0.83, 0.06), (0.32, 0.14), (0.51, 0.30)]
    parts = [
        {name: PairF1(m, sd, 66) for name, (m, sd) in zip(names, rows, strict=True)}
        for names, rows in ((LABELS, labels), (REASONS, reasons))
    ]
    return Agreement(12, 9874, 66, parts[0], parts[1], average_rows(parts[0].values()), average_rows(parts[1].values()))


def test_expert_level_on_the_papers_own_numbers() -> None:
    model = dict(zip((*LABELS, *REASONS), (0.82, 0.74, 0.63, 0.74, 0.37, 0.61, 0.70, 0.52, 0.42), strict=True))
    below = {name for name, expert in find_expert_level(paper(), model).items() if not expert}
    assert below == {"no_skin", "blurry"}


def test_expert_level_at_its_borders() -> None:
    rows = {
        **dict.fromkeys(LABELS, PairF1(0.5, None, 1)),
        "lesion": PairF1(0.5, 0.125, 3),
        "no_skin": PairF1(None, None, 0),
    }
    raters = Agreement(2, 1, 1, rows, {}, average_rows([]), average_rows([]))
    assert find_expert_level(raters, {"lesion": 0.375}) == {"lesion": True}
    assert find_expert_level(raters, {"lesion": 0.374, "no_skin": 1.0}) == {"lesion": False, "no_skin": None}
    assert find_expert_level(raters, {"healthy_skin": 0.4, "poor_quality": 0.5}) == {
        "healthy_skin": None,
        "poor_quality": True,
    }
    with pytest.raises(DatasetError, match="quality_macro_f1"):
        find_expert_level(raters, {"quality_macro_f1": 0.8})


def test_one_rater_or_no_photo_in_common_is_one_clear_error() -> None:
    for rows, got in (([], "0 raters"), (votes("a", "L57.0", "no_skin"), "1 rater")):
        with pytest.raises(DatasetError, match="at least two raters") as caught:
            measure_agreement(rows)
        assert caught.value.got == got
    with pytest.raises(DatasetError, match="no two raters have rated the same photo"):
        measure_agreement([Rating("a.jpg", "a", "L57.0"), Rating("b.jpg", "b", "L57.0")])


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: {"metrics": body}])
def test_scores_are_read_from_an_evaluation_or_a_checkpoints_metrics(tmp_path: Path, wrap: object) -> None:
    assert callable(wrap)
    body = {"quality": {"lesion": {"f1": 0.5, "recall": 1}}, "explanations": {"blurry": {"f1": 1}}, "samples": 3}
    (tmp_path / "a.json").write_text(json.dumps(wrap(body)))
    assert read_scores(tmp_path / "a.json") == {"lesion": 0.5, "blurry": 1.0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"metrics": 3}',
        '{"quality": {}}',
        '{"quality": {"lesion": {}}, "explanations": {}}',
        '{"quality": {"lesion": {"f1": 82}}, "explanations": {}}',
        '"quality"',
        "3",
    ],
)
def test_a_file_without_scores_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match="F1 scores"):
        read_scores(tmp_path / "a.json")
