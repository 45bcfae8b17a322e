"""Capture, equalisation, simulation and the built graph, on a network with random weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.errors import ArtifactError, ConversionError, DatasetError
from imageqx_export.networks.base import Layout, Network
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.quantize import plan
from imageqx_export.quantize.calibration.observe import collect_histograms, collect_values
from imageqx_export.quantize.graph.build import build_graph, capture_for_recipe
from imageqx_export.quantize.graph.capture import capture, find_tensors
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.model import QuantizedModel
from imageqx_export.quantize.plan import make_w8_recipe, make_w8a8_recipe
from imageqx_export.quantize.recipe import ChannelScales, Recipe, Rewrites
from imageqx_export.quantize.rewrites.equalise import compute_channel_scales, iterate_swishes
from tests.quantize.uneven_network import make_uneven_network

SOURCE = "random pixels"
# torch's own code for running a captured graph says this of torch.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

OUTPUT_NAMES = ("quality", "explanations", "attention")


@pytest.fixture(scope="module")
def network() -> ImageQX:
    return make_uneven_network()


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    small = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    return small.repeat(14, 1).repeat(14, 2)


@pytest.fixture(scope="module")
def recipe(network: Network, pixels: Pixels) -> Recipe:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "CALIBRATION_IMAGES", len(pixels))
        return make_w8a8_recipe(network, "ab" * 32, pixels, SOURCE, observers="mse", rescaled=4, varying=0, narrowed=0)


def run(program: torch.fx.GraphModule, pixels: Pixels) -> Outputs:
    with torch.inference_mode():
        rows = [program(torch.from_numpy(pixels[i : i + 1])) for i in range(len(pixels))]
    return {name: np.concatenate([row[i].numpy() for row in rows]) for i, name in enumerate(OUTPUT_NAMES)}


def largest(a: Outputs, b: Outputs) -> float:
    return max(float(np.abs(a[name] - b[name]).max()) for name in OUTPUT_NAMES)


def test_names_are_the_same_for_every_batch_and_layout(network: Network) -> None:
    shapes: list[tuple[Layout, int | None]] = [("NHWC", 1), ("NHWC", None), ("NCHW", 1)]
    names = [list(find_tensors(capture(network, layout, batch))) for layout, batch in shapes]
    assert names[0] == names[1] == names[2]
    assert len(set(names[0])) == len(names[0]) == 244
    assert "early.stages.1.0.block.1.fc2:conv" in names[0]


def test_captured_it_is_the_phones_graph(network: Network, pixels: Pixels) -> None:
    got = capture(network)(torch.from_numpy(pixels[:1]))
    for mine, theirs in zip(got, network.fold("NHWC")(torch.from_numpy(pixels[:1])), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_rescaled_channels_change_nothing_and_have_one_range(network: Network, pixels: Pixels, recipe: Recipe) -> None:
    before, after = capture(network, batch=None), capture(network, batch=None, rewrites=recipe.rewrites)
    outputs = run(before, pixels)
    scale = max(float(np.abs(v).max()) for v in outputs.values())
    assert largest(outputs, run(after, pixels)) < 1e-4 * scale
    names = [f"{row.module}:mul" for row in recipe.channels]

    def spread(program: torch.fx.GraphModule, name: str) -> float:
        high = collect_values(program, pixels, {name: lambda v: v.amax((2, 3))})[name].amax(0)
        return float(high.max() / high.median())

    # The gated SiLU's product is named after the one in front of the sigmoid.
    ratios = [spread(after, f"{name}2") / spread(before, name) for name in names]
    assert max(ratios) < 1.001 and min(ratios) < 0.5


def test_every_place_is_rescaled_exactly(network: Network, pixels: Pixels) -> None:
    generator = torch.Generator().manual_seed(0)
    found = list(iterate_swishes(network.fold("NHWC")))
    assert len(found) == 32  # EfficientNet-B0: a stem, 15 blocks with two SiLUs, one block with one
    scales = [
        ChannelScales(
            module=p.path,
            scales=tuple(compute_channel_scales(torch.rand(p.before.out_channels, generator=generator) + 0.1)),
        )
        for p in found
    ]
    outputs = run(capture(network), pixels)
    scale = max(float(np.abs(v).max()) for v in outputs.values())
    assert largest(outputs, run(capture(network, rewrites=Rewrites(tuple(scales))), pixels)) < 1e-3 * scale


def test_the_built_graph_is_what_was_simulated(network: Network, pixels: Pixels, recipe: Recipe) -> None:
    program = capture_for_recipe(network, recipe, batch=None)
    built, simulated = run(build_graph(network, recipe, biases=False), pixels), simulate(program, recipe, pixels)
    lost = largest(run(program, pixels), simulated)
    assert lost > 1e-4, "nothing was rounded: the test proves nothing"
    assert largest(built, simulated) < 0.01 * lost


def _without(recipe: Recipe, field: str) -> tuple[Recipe, str]:
    rows = getattr(recipe, field)
    return recipe.model_copy(update={field: rows[:1] + rows[2:]}), f"{rows[1].tensor}, which neither"


def _misnamed(recipe: Recipe, field: str) -> tuple[Recipe, str]:
    first, *others = getattr(recipe, field)
    key = "module" if field == "channels" else "tensor"
    return recipe.model_copy(update={field: (first.model_copy(update={key: "nobody:conv"}), *others)}), "nobody:conv"


def _shortened(recipe: Recipe, field: str) -> tuple[Recipe, str]:
    first, *others = getattr(recipe, field)
    changed = first.model_copy(update={"scales": first.scales[:-1]})
    return recipe.model_copy(update={field: (changed, *others)}), f"with {len(first.scales) - 1} channels"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *((_without, field) for field in ("weights", "activations", "floats")),
        *((_misnamed, field) for field in ("weights", "activations", "floats", "channels")),
        *((_shortened, field) for field in ("weights", "channels")),
    ],
)
def test_a_recipe_is_of_every_tensor_and_of_no_other(
    network: Network, recipe: Recipe, change: Callable[[Recipe, str], tuple[Recipe, str]], field: str
) -> None:
    """One that is left out would stay float without anybody having decided it."""
    other, told = change(recipe, field)
    with pytest.raises(ArtifactError, match="a recipe for another network") as caught:
        capture_for_recipe(network, other, batch=None)
    assert told in str(caught.value)


def test_w8_has_int8_weights_and_float_activations(network: Network, pixels: Pixels) -> None:
    recipe = make_w8_recipe(network, "ab" * 32)
    built = build_graph(network, recipe)
    kinds = [str(node.target) for node in built.graph.nodes]
    assert sum("dequantize_per_channel" in kind for kind in kinds) == len(recipe.weights)
    early = [row.tensor for row in recipe.floats if row.tensor.startswith("early.")]
    assert len(early) == 25 and len(recipe.weights) + len(early) == 81
    assert not any("quantize_per_tensor" in kind for kind in kinds)
    assert largest(run(built, pixels), simulate(capture(network, batch=None), recipe, pixels)) < 1e-4


def test_a_recipe_comes_back_from_its_json(recipe: Recipe) -> None:
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert len(recipe.weights) == 81 and {row.tensor.split(":")[0] for row in recipe.floats} >= {"quality", "attention"}
    assert recipe.calibration is not None and len(recipe.calibration.sha256) == 64


def test_too_few_images_are_refused(network: Network, pixels: Pixels) -> None:
    with pytest.raises(DatasetError, match="at least 256"):
        make_w8a8_recipe(network, "ab" * 32, pixels, SOURCE)


def test_observed_ranges_are_the_tensors_own(network: Network, pixels: Pixels) -> None:
    program = capture(network, batch=None)
    seen = collect_histograms(program, pixels)
    name = "early.stages.0.0:conv"
    values = collect_values(program, pixels, {name: lambda v: v.flatten(1)})[name]
    row = seen[name]
    assert (row.low, row.high) == (float(values.min()), float(values.max()))
    assert row.counts.sum() == len(pixels) * 32 * 112 * 112


def test_the_weights_are_the_graphs_own_integers(network: Network) -> None:
    model = QuantizedModel(network, make_w8_recipe(network, "ab" * 32))
    stored = [value for _, value in model.graph().named_buffers() if value.dtype == torch.int8]
    held = {value.numpy().tobytes() for value in stored}
    weights = model.weights()
    assert len(weights) == len(stored) == len(model.recipe.weights) > 50
    assert all(weight.integers.tobytes() in held for weight in weights)
    for weight in weights:
        column = weight.scales.reshape(-1, *[1] * (weight.values.ndim - 1))
        assert np.abs(weight.integers * column - weight.values).max() <= column.max() * 0.5001


def test_a_recipe_that_changes_more_than_weights_has_no_weights_of_the_float_network(
    network: Network, recipe: Recipe
) -> None:
    assert recipe.channels
    recipe = recipe.model_copy(update={"precision": "w8", "activations": ()})
    with pytest.raises(ConversionError, match="rewrites the network"):
        QuantizedModel(network, recipe).weights()


@given(st.lists(st.floats(1e-3, 50), min_size=2, max_size=40))
def test_gates_lie_on_the_grid_that_int8_holds(largest: list[float]) -> None:
    scales = compute_channel_scales(torch.tensor(largest))
    steps = np.array(scales) * 256
    np.testing.assert_array_equal(steps, np.rint(steps))
    assert max(scales) == 255 / 256 and min(scales) >= 4 / 256
    assert all(s / max(scales) >= v / max(largest) * (1 - 1e-5) for s, v in zip(scales, largest, strict=True))


def test_gates_are_integers_in_the_graph(network: Network, recipe: Recipe) -> None:
    built = build_graph(network, recipe)
    gates = dict.fromkeys([row.scales for row in recipe.channels], False)
    for node in built.graph.nodes:
        if "dequantize_per_tensor" in str(node.target) and node.args[0].op == "get_attr":
            integers = getattr(built, node.args[0].target)
            values = (integers.float() - node.args[2]) * node.args[1]
            assert values.shape[3] in (56, 112) and (values == values[..., :1]).all(), "each column has its own"
            column = values[0, :, 0, 0].tolist()
            found = [s for s in gates if list(s) == column]
            assert integers.dtype == torch.int8 and len(found) == 1
            gates[found[0]] = True
    assert all(gates.values()) and len(gates) == 4
