"""Constant squeeze-and-excitation: torchvision's blocks are the judge."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.ops.misc import SqueezeExcitation

from imageqx_export.artifact import Pixels
from imageqx_export.networks.base import Network
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.quantize import plan
from imageqx_export.quantize.calibration.choose_rewrites import choose_rewrites
from imageqx_export.quantize.graph.build import build_graph, capture_for_recipe
from imageqx_export.quantize.graph.capture import find_tensors
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.plan import make_w8a8_recipe
from imageqx_export.quantize.recipe import ConstantExcitation, Recipe
from imageqx_export.quantize.rewrites.excitation import (
    average_excitation,
    fold_excitations,
    iterate_squeezes,
    scale_by_excitations,
)
from tests.quantize.uneven_network import draw_blocks, make_uneven_network

CONSTANT = ("early.stages.1.0.block.1", "late.2.1.block.2")
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


def blocks(graph: nn.Module) -> dict[str, SqueezeExcitation]:
    return {path: module for path, module in graph.named_modules() if isinstance(module, SqueezeExcitation)}


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return draw_blocks((20, 100, 255))


@pytest.fixture(scope="module")
def network() -> ImageQX:
    """Return a network in which two blocks do not look at the photo, and all others do."""
    made = make_uneven_network()
    # The phone's graph shares its modules' order with the network's own.
    paths = dict(zip(blocks(made.fold("NHWC")), blocks(made.features), strict=True))
    with torch.no_grad():
        for path, own in paths.items():
            block = made.features.get_submodule(own)
            assert isinstance(block, SqueezeExcitation)
            block.fc2.weight.mul_(0 if path in CONSTANT else 20)
            assert block.fc2.bias is not None
            block.fc2.bias.normal_()
    return made


@pytest.fixture(scope="module")
def rows(network: Network, pixels: Pixels) -> tuple[ConstantExcitation, ...]:
    return choose_rewrites(network, pixels, rescaled=0, varying=1e-6).excitations


def run(graph: nn.Module, pixels: Pixels) -> list[Tensor]:
    with torch.inference_mode():
        return list(graph(torch.from_numpy(pixels[:1])))


def test_every_block_is_found_with_what_follows_it(network: Network) -> None:
    graph = network.fold("NHWC")
    found = dict(iterate_squeezes(graph))
    assert list(found) == list(blocks(graph)) and len(found) == 16
    assert all(found[path].in_channels == block.fc2.out_channels for path, block in blocks(graph).items())


def test_blocks_that_do_not_look_at_the_photo_are_constant(
    network: Network, rows: tuple[ConstantExcitation, ...]
) -> None:
    assert tuple(row.module for row in rows) == CONSTANT
    for row in rows:
        bias = blocks(network.fold("NHWC"))[row.module].fc2.bias
        assert bias is not None
        torch.testing.assert_close(torch.tensor(row.values), bias.detach().sigmoid(), rtol=1e-6, atol=1e-7)


def test_without_them_the_graph_computes_the_same(
    network: Network, rows: tuple[ConstantExcitation, ...], pixels: Pixels
) -> None:
    want = run(network.fold("NHWC"), pixels)

    def error(rows: tuple[ConstantExcitation, ...]) -> float:
        graph = network.fold("NHWC")
        assert fold_excitations(graph, rows) == len(rows)
        assert set(blocks(graph)) == {path for path, _ in iterate_squeezes(graph)} - {row.module for row in rows}
        return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(run(graph, pixels), want, strict=True))

    half = tuple(row.model_copy(update={"values": tuple(v / 2 for v in row.values)}) for row in rows)
    assert error(rows) < 1e-4 < 1e-2 < error(half)


def test_dividing_undoes_multiplying(network: Network, rows: tuple[ConstantExcitation, ...]) -> None:
    graph = network.fold("NHWC")
    before = {name: value.clone() for name, value in graph.state_dict().items()}
    assert scale_by_excitations(graph, rows) == len(rows)
    changed = [name for name, value in graph.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["early.stages.1.0.block.2.0.weight", "late.2.1.block.3.0.weight"]
    inverse = [row.model_copy(update={"values": tuple(1 / value for value in row.values)}) for row in rows]
    scale_by_excitations(graph, inverse)
    torch.testing.assert_close(graph.state_dict(), before, rtol=1e-6, atol=0)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(0.1, 10))
def test_what_varies_is_the_spread_between_photos_in_steps(seed: int, spread: float, steps: float) -> None:
    seen = 0.5 + np.random.default_rng(seed).normal(size=(6, 5)) * spread / 256
    found = float(np.sqrt(np.var(seen, axis=0, ddof=1).mean())) * 256
    row = average_excitation("x", torch.tensor(seen), steps)
    if abs(found - steps) > 1e-6:
        assert (row is not None) == (found < steps)
    if row is not None:
        np.testing.assert_allclose(row.values, seen.mean(0), rtol=1e-9)


def test_a_channel_that_is_shut_can_be_opened_again() -> None:
    row = average_excitation("x", torch.tensor([[0.0, 1.0]] * 3), 1)
    assert row is not None and row.values == (1 / 512, 1.0)


@pytest.fixture(scope="module")
def recipe(network: Network, pixels: Pixels) -> Recipe:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "CALIBRATION_IMAGES", len(pixels))
        return make_w8a8_recipe(network, "ab" * 32, pixels, "noise", observers="mse", varying=1e-6, narrowed=0)


def test_a_recipe_names_nothing_of_a_constant_block(network: Network, recipe: Recipe, pixels: Pixels) -> None:
    assert tuple(row.module for row in recipe.excitations) == CONSTANT
    names = [row.tensor for row in recipe.weights] + [row.tensor for row in recipe.activations]
    assert not [name for name in names if name.startswith(tuple(f"{path}." for path in CONSTANT))]
    assert not {f"{path}:mul" for path in CONSTANT} & set(names)
    assert len(recipe.weights) == 81 - 2 * len(CONSTANT)
    program = capture_for_recipe(network, recipe, batch=None)
    assert set(names) <= set(find_tensors(program))
    simulated = [torch.from_numpy(v) for v in simulate(program, recipe, pixels[:1]).values()]
    built, exact = run(build_graph(network, recipe, biases=False), pixels), run(program, pixels)
    for mine, theirs, before in zip(built, simulated, exact, strict=True):
        lost = float((theirs - before).abs().max())
        assert float((mine - theirs).abs().max()) < 0.02 * lost


def test_a_recipe_comes_back_and_refuses_a_constant_that_no_sigmoid_gives(recipe: Recipe) -> None:
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    for wrong in (1.25, -0.1):
        with pytest.raises(pydantic.ValidationError, match=r"values\.1"):
            ConstantExcitation(module=CONSTANT[0], values=(0.5, wrong))
