"""Ranges by what the network answers, on a network of four layers."""

from __future__ import annotations

import pytest

from imageqx_export.quantize.calibration import refine
from imageqx_export.quantize.calibration.ranges import make_pixel_scale
from imageqx_export.quantize.calibration.refine import OBSERVER, refine_ranges
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, ActivationScale, Recipe
from tests.quantize.tiny_network import RUINED, TinySubject, subject

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


@pytest.fixture(scope="module")
def tiny() -> TinySubject:
    return subject()


def ends(row: ActivationScale) -> tuple[float, float]:
    low, high = ((level - row.zero_point) * row.scale for level in ACTIVATION_LEVELS)
    return low, high


def with_ruined(tiny: TinySubject, factor: float) -> Recipe:
    """Return the recipe with another step for the layer that it ruins."""
    rows = tiny.recipe.activations
    scaled = tuple(r.model_copy(update={"scale": r.scale * factor}) if r.tensor == RUINED else r for r in rows)
    return tiny.recipe.model_copy(update={"activations": scaled})


def far(tiny: TinySubject, recipe: Recipe) -> float:
    """Return the mean |Δ| of the labels' probabilities on other photos than the ranges were chosen on."""
    program, pixels = tiny.capture_program(), tiny.photos.pixels[1::2]
    truth, got = (simulate(program, r, pixels)["quality"] for r in (None, recipe))
    return float(abs(truth - got).mean())


def test_the_range_that_costs_most_is_narrowed_and_the_answers_come_nearer(tiny: TinySubject) -> None:
    wide = with_ruined(tiny, 1 / 10)  # twenty times as wide as it must be
    found = refine_ranges(tiny.capture_program(), wide, tiny.photos.pixels[::2], 1)
    changed = {a.tensor: (a, b) for a, b in zip(wide.activations, found.activations, strict=True) if a != b}
    assert set(changed) == {RUINED}
    before, after = (ends(row) for row in changed[RUINED])
    assert after[1] < 0.75 * before[1] and changed[RUINED][1].observer == OBSERVER
    assert far(tiny, found) < 0.9 * far(tiny, wide)
    assert found.weights == tiny.recipe.weights


def test_where_no_narrower_range_helps_nothing_changes(tiny: TinySubject, monkeypatch: pytest.MonkeyPatch) -> None:
    good = with_ruined(tiny, 1 / 200)
    monkeypatch.setattr(refine, "NARROWER", ((0.01,), (0.01,)))  # clips nearly everything
    assert refine_ranges(tiny.capture_program(), good, tiny.photos.pixels[::2], 99) == good


def test_a_scale_that_is_given_is_not_looked_at(tiny: TinySubject) -> None:
    rows = tuple(
        make_pixel_scale(row.tensor) if row.tensor == RUINED else row.model_copy(update={"observer": "fixed"})
        for row in tiny.recipe.activations
    )
    fixed = tiny.recipe.model_copy(update={"activations": rows})
    assert refine_ranges(tiny.capture_program(), fixed, tiny.photos.pixels[:8], 99) == fixed
