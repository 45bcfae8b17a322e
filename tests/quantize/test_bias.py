"""Shifted biases: every channel has the float network's mean again, in the simulation as in a graph with the shifts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from imageqx_export.quantize.bias import corrected
from imageqx_export.quantize.calibrate import Watched
from imageqx_export.quantize.capture import shifted_biases
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.quantize.simulate import rounding
from tests.quantize.tiny_network import TinySubject, subject

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


@pytest.fixture(scope="module")
def tiny() -> TinySubject:
    """Return the network with its weights in few bits, so that rounding moves means."""
    made = subject()
    weights = tuple(
        row.model_copy(update={"scales": tuple(30 * scale for scale in row.scales)}) for row in made.recipe.weights
    )
    recipe = made.recipe.model_copy(update={"weights": weights})
    return TinySubject(made.network, recipe, made.photos, made.spec)


def means(tiny: TinySubject, recipe: Recipe | None) -> dict[str, Tensor]:
    """Return each convolution's mean output per channel."""
    program = tiny.program()
    watch, parameters = rounding(program, recipe)
    found: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> Tensor | None:
        if name.endswith(":conv"):
            found[name] = value.mean((0, 2, 3))
        return watch(name, value)

    with torch.inference_mode():
        Watched(program, keep, parameters).run(torch.from_numpy(tiny.photos.pixels))
    return found


def test_every_channels_mean_is_the_float_networks(tiny: TinySubject) -> None:
    weights_alone = tiny.recipe.model_copy(update={"activations": ()})
    recipe = corrected(tiny.program(), weights_alone, tiny.photos.pixels)
    assert [row.tensor for row in recipe.biases] == [row.tensor for row in recipe.weights]
    want, before, after = (means(tiny, r) for r in (None, weights_alone, recipe))
    for name in want:
        torch.testing.assert_close(after[name], want[name], atol=1e-5, rtol=0)
    assert max(float((before[name] - want[name]).abs().max()) for name in want) > 1e-2, "there was nothing to correct"


def test_int8_activations_change_no_shift(tiny: TinySubject) -> None:
    weights_alone = tiny.recipe.model_copy(update={"activations": ()})
    shifts = [corrected(tiny.program(), r, tiny.photos.pixels).biases for r in (tiny.recipe, weights_alone)]
    assert shifts[0] == shifts[1] != ()


def test_shifts_are_added_to_biases_alone(tiny: TinySubject) -> None:
    program = tiny.program()
    [(name, bias)] = shifted_biases(program, {"two:conv": (1.0, 0, 0, 0, 0, -2.0)}).items()
    assert name == "two.bias"
    difference = bias - program.get_parameter("two.bias").detach()
    torch.testing.assert_close(difference, torch.tensor([1.0, 0, 0, 0, 0, -2.0]), atol=1e-6, rtol=0)


def test_one_layer_alone_has_no_shift(tiny: TinySubject) -> None:
    program = tiny.program()
    recipe = corrected(program, tiny.recipe, tiny.photos.pixels)
    assert set(rounding(program, recipe)[1]) > set(rounding(program, recipe, ["two:conv"])[1]) == {"two.weight"}
