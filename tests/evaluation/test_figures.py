"""What the figures say, read from the drawings themselves."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from imageqx_export.evaluation import figures
from imageqx_export.evaluation.attention import choose_examples, draw_attention_figure
from imageqx_export.evaluation.curves import trace_curve
from imageqx_export.evaluation.scores import measure
from imageqx_export.networks.imageqx.spec import LABELS, REASONS, spec
from tests.evaluation.fakes import answers, labelled

PHOTOS = labelled(0, 60)
OUTPUTS = answers(PHOTOS, 1)
SCORES = measure(PHOTOS, OUTPUTS, spec())


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


def assert_inside(figure: Figure) -> None:
    """Nothing that is written is cut off at the figure's edge, and no legend lies on an axis."""
    figure.savefig(BytesIO(), format="png")
    titles = [text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    boxes = {text.get_text(): text.get_window_extent() for text in titles if text.get_visible() and text.get_text()}
    for legend in figure.legends:
        boxes |= {"legend": legend.get_window_extent()}
        assert not any(legend.get_window_extent().overlaps(title.get_window_extent()) for title in titles)
    for name, box in boxes.items():
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height, name


def test_the_confusion_matrix_has_counts_and_shares() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [5, 0, 0, 5]])
    figure = figures.draw_confusion(counts, LABELS, "title")
    written = texts(figure)
    assert "3\n75%" in written and "5\n50%" in written and "healthy skin\n(0)" in written
    assert written.count("0") >= 4  # a row without photos has no shares
    assert_inside(figure)


def test_legends_have_areas_with_intervals_or_say_that_there_is_none() -> None:
    empty = trace_curve(np.zeros(60, bool), OUTPUTS["explanations"][:, 0], "bad_framing")
    curves = (empty, *SCORES.curves[1:])
    area = SCORES.curves[1].auc
    assert area.value is not None and area.interval is not None
    roc, pr = figures.draw_roc(curves, "x"), figures.draw_precision_recall(curves, "x")
    assert any(f"AUC {area.value:.2f} ({area.interval[0]:.2f}–" in text for text in texts(roc))
    for figure in (roc, pr):
        assert any(text.startswith("bad framing, 0 of 60") and "not measurable" in text for text in texts(figure))
        assert_inside(figure)


def test_reliability_diagrams_name_every_probability() -> None:
    figure = figures.draw_reliability(SCORES.reliabilities, "x")
    for name in ("most probable label", *(figures.to_words(reason) for reason in REASONS)):
        assert any(text.startswith(f"{name}: ECE") for text in texts(figure))
    assert_inside(figure)


def test_attention_shows_a_photo_with_each_reason_and_a_good_one() -> None:
    rows = choose_examples(PHOTOS, OUTPUTS, spec())
    assert len(rows) == 6
    assert all(rows[k].truth[k] for k in range(5))
    assert not any(rows[5].truth) and not rows[5].caption.split("\n")[1].startswith("poor")
    figure = draw_attention_figure(rows, REASONS, "title")
    assert len(figure.axes) == 36
    bold = [axes.title.get_text() for axes in figure.axes if axes.title.get_fontweight() == "bold"]
    assert len(bold) == sum(sum(row.given) for row in rows)
    ticked = [axes for axes in figure.axes if "✓" in axes.title.get_text()]
    assert len(ticked) == sum(sum(row.truth) for row in rows)
    assert_inside(figure)


def test_attention_lies_where_the_map_is_high() -> None:
    maps = np.zeros((60, 5, 7, 7), np.float32)
    maps[:, :, 1, 5] = 1
    grey = replace(PHOTOS, pixels=np.full_like(PHOTOS.pixels, 90))
    row = choose_examples(grey, {**OUTPUTS, "attention": maps}, spec())[0]
    picture = np.asarray(draw_attention_figure([row], REASONS, "x").axes[1].get_images()[0].get_array()).astype(int)
    top, left = np.unravel_index(np.abs(picture - 90).sum(2).argmax(), (224, 224))
    assert (top // 32, left // 32) == (1, 5)


def test_an_axis_under_the_legend_would_be_noticed() -> None:
    figure = figures.draw_roc(SCORES.curves, "x")
    figure.set_layout_engine("none")
    with pytest.raises(AssertionError):
        assert_inside(figure)


@pytest.mark.parametrize("count", [1, 3])
def test_few_photos_are_shown_once_each(count: int) -> None:
    photos = labelled(4, count)
    rows = choose_examples(photos, answers(photos, 0), spec())
    assert 1 <= len(rows) <= count
    assert len({row.caption for row in rows}) == len(rows)
    assert_inside(draw_attention_figure(rows, REASONS, "a title"))
