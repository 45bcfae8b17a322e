"""What stays float, and what is rounded where float and int8 meet."""

from __future__ import annotations

import pytest
import torch

from imageqx_export.quantize.graph.simulate import prepare_rounding, simulate
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.quantize.sensitivity.float_ops import find_read_by_int8, keep_in_float
from tests.quantize.tiny_network import TinySubject, subject

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
FIRST = ("one:conv", "act:sigmoid", "act:mul")


@pytest.fixture(scope="module")
def tiny() -> TinySubject:
    return subject()


def test_only_what_int8_reads_is_rounded(tiny: TinySubject) -> None:
    recipe = keep_in_float(tiny.capture_program(), tiny.recipe, dict.fromkeys(FIRST, "too dear"))
    names = [row.tensor for row in recipe.activations]
    assert names == ["early:input", "act:mul", "two:conv", "three.block.0:conv", "three.block.1:conv"]
    assert [row.tensor for row in recipe.weights] == ["two:conv", "three.block.0:conv", "three.block.1:conv"]
    assert [(row.tensor, row.reason) for row in recipe.floats] == [(name, "too dear") for name in FIRST]
    assert Recipe.model_validate(recipe.model_dump()) == recipe


def test_the_last_operations_are_rounded_for_nobody(tiny: TinySubject) -> None:
    assert find_read_by_int8(tiny.capture_program(), tiny.recipe, {"three.block.1:conv"}) == set()
    assert find_read_by_int8(tiny.capture_program(), tiny.recipe, {"early:input", *FIRST}) == {"act:mul"}


def test_floats_are_the_float_networks_values(tiny: TinySubject) -> None:
    program = tiny.capture_program()
    recipe = keep_in_float(program, tiny.recipe, dict.fromkeys(("early:input", *FIRST), "too dear"))
    watch, weights = prepare_rounding(program, recipe)
    assert set(weights) == {"two.weight", "three.block.0.weight", "three.block.1.weight"}
    value = torch.linspace(-1, 1, 1000)[None, None, None]
    assert watch("one:conv", value) is None and watch("early:input", value) is None
    rounded = watch("act:mul", value)
    assert rounded is not None and not torch.equal(rounded, value)
    float_outputs = simulate(program, None, tiny.photos.pixels)
    better, worse = (simulate(program, r, tiny.photos.pixels) for r in (recipe, tiny.recipe))
    lost = [abs(o["quality"] - float_outputs["quality"]).mean() for o in (better, worse)]
    assert 0 < lost[0] < 0.3 * lost[1]
