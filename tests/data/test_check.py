"""A table and its photos, checked: exactly the broken lines, bad photos at each of their rows, and every count."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imageqx_export.data.check import check
from tests.data.test_annotations import COLUMNS, SPLITS, table


def test_check_reads_every_photo_and_names_each_row_of_a_bad_one(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    path = table(
        tmp_path,
        "good.png,ada,L57.0,,,,",
        "broken.jpg,ada,L57.0,,,,",
        "gone.jpg,ada,nonsense,,,,",
        "gone.jpg,bob,no_skin,,,,",
        "broken.jpg,bob,L57.0,,,,",
    )
    result = check(path, tmp_path)
    assert [(p.line, p.column) for p in result.problems] == [
        (3, "image"),
        (4, "evaluation"),
        (5, "image"),
        (6, "image"),
    ]
    assert [p.what[:12] for p in result.problems if p.column == "image"] == [
        "not a readab",
        "no such file",
        "not a readab",
    ]
    assert result.summary.unreadable == 2 and result.summary.images == 3
    assert [p.line for p in check(path).problems] == [4], "without the photos only the table is looked at"


def test_the_summary_counts_what_was_said(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "a.jpg,ada,L57.0,,p1,train,2",
        "a.jpg,bob,D22.9,,p1,,2",
        "b.jpg,ada,poor_quality,blurry;lesion_covered,p2,val,",
        "b.jpg,bob,healthy_skin,,p2,,",
    )
    summary = check(path).summary
    assert (summary.ratings, summary.images, summary.raters, summary.patients) == (4, 2, 2, 2)
    assert summary.labels == {"lesion": 2, "no_skin": 0, "healthy_skin": 1, "poor_quality": 1}
    assert {name for name, count in summary.reasons.items() if count} == {"blurry", "lesion_covered"}
    assert summary.splits == {"train": 1, "val": 1, "test": 0}
    assert summary.fitzpatrick["2"] == 1 and summary.fitzpatrick["unknown"] == 1
    assert summary.never_given == ("no_skin",) and summary.unreadable is None


Row = list[str]
Break = Callable[[Row], Sequence[str]]


def _with(column: str, value: str) -> Break:
    def broken(row: Row) -> Sequence[str]:
        return [value if name == column else cell for name, cell in zip(COLUMNS, row, strict=True)]

    return broken


BREAKS: list[Break] = [
    _with("image", ""),
    _with("rater", ""),
    _with("evaluation", "sunburn"),
    _with("reasons", "too_pretty"),
    _with("patient", "nobody"),
    _with("split", "training"),
    _with("fitzpatrick", "9"),
    lambda row: row[:-1],
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Sequence[str]], list[int]]:
    """Draw a clean table of photos with five raters each, and break up to two rows of every photo."""
    rows: list[Sequence[str]] = []
    broken = []
    for number in range(draw(st.integers(1, 5))):
        patient, split = f"p{number // 2}", SPLITS[number // 2]
        spoilt = draw(st.dictionaries(st.integers(0, 4), st.sampled_from(BREAKS), max_size=2))
        for rater in range(5):
            evaluation = draw(st.sampled_from(["L57.0", "no_skin", "healthy_skin", "poor_quality"]))
            poor = evaluation == "poor_quality"
            reasons = ";".join(draw(st.sets(st.sampled_from(["blurry", "bad_light"])))) if poor else ""
            row = [f"{number}.jpg", f"r{rater}", evaluation, reasons, patient, split, "4"]
            rows.append(spoilt[rater](row) if rater in spoilt else row)
            if rater in spoilt:
                broken.append(len(rows) + 1)
    return rows, broken


@settings(max_examples=60, deadline=None)
@given(drawn=tables())
def test_check_lists_exactly_the_broken_lines(
    drawn: tuple[list[Sequence[str]], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows, broken = drawn
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *rows])
    path = tmp_path_factory.mktemp("t") / "a.csv"
    path.write_text(text.getvalue(), newline="")
    assert sorted({problem.line for problem in check(path).problems}) == broken
