"""ReLUs in the place of SiLUs: torch's own are the judge, and the integers that every format is compared with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.errors import ArtifactError
from imageqx_export.networks.base import Network
from imageqx_export.quantize import plan
from imageqx_export.quantize.calibration.rectify_recipe import choose_swishes, rectify_recipe
from imageqx_export.quantize.graph.build import build_graph, capture_for_recipe
from imageqx_export.quantize.graph.capture import capture, find_tensors, kind_of
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.plan import make_w8a8_recipe
from imageqx_export.quantize.recipe import Recipe, RectifiedSwish, Rewrites
from tests.networks.small_vgg import small_vgg
from tests.quantize.uneven_network import draw_blocks, make_uneven_network

STEM, FIRST = "early.stages.0.1", "early.stages.1.0.block.0.1"
LATER = ("early.stages.2.0.block.0.1", "late.0.1.block.1.1")
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


@pytest.fixture(scope="module")
def network() -> Network:
    return make_uneven_network()


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return draw_blocks((256, 256))


@pytest.fixture(scope="module")
def swishes(network: Network, pixels: Pixels) -> Recipe:
    """Return a recipe without ReLUs, with the channels of two SiLUs rescaled and some blocks constant."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "CALIBRATION_IMAGES", len(pixels))
        return make_w8a8_recipe(network, "ab" * 32, pixels, "random pixels", varying=3, narrowed=0)


@pytest.fixture(scope="module")
def recipe(network: Network, swishes: Recipe) -> Recipe:
    return rectify_recipe(network, swishes, (STEM, FIRST, *LATER))


def run(program: nn.Module, pixels: Pixels) -> Outputs:
    with torch.inference_mode():
        rows = [program(torch.from_numpy(pixels[i : i + 1])) for i in range(len(pixels))]
    return {str(i): np.concatenate([row[i].numpy() for row in rows]) for i in range(len(rows[0]))}


def measure_largest(a: Outputs, b: Outputs) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a.values(), b.values(), strict=True))


def count_relus(program: torch.fx.GraphModule) -> int:
    return sum(node.target is torch.ops.aten.relu.default for node in program.graph.nodes)


def test_a_network_with_torchs_own_relus_answers_alike(network: Network, pixels: Pixels, swishes: Recipe) -> None:
    by_hand = network.fold("NHWC")
    before = run(by_hand, pixels)
    for path in (STEM, FIRST, *LATER):
        parent, _, name = path.rpartition(".")
        assert isinstance(by_hand.get_submodule(path), nn.SiLU)
        setattr(by_hand.get_submodule(parent), name, nn.ReLU())
    wanted = run(by_hand, pixels)
    rows = tuple(RectifiedSwish(module=path) for path in (STEM, FIRST, *LATER))
    plain = run(capture(network, rewrites=Rewrites(relus=rows)), pixels)
    rescaled = run(capture(network, rewrites=Rewrites(channels=swishes.channels, relus=rows)), pixels)
    assert [row.module for row in swishes.channels] == [STEM, FIRST]
    apart = measure_largest(wanted, before)
    assert apart > 1e-5, "another function"
    assert measure_largest(plain, wanted) < 0.03 * apart
    assert measure_largest(rescaled, wanted) < 0.03 * apart


def test_a_relu_holds_what_its_silu_held_from_zero_on(swishes: Recipe, recipe: Recipe) -> None:
    before, after = ({row.tensor: row for row in one.activations} for one in (swishes, recipe))
    for path, last in ((STEM, "mul2"), (FIRST, "mul2"), *((path, "mul") for path in LATER)):
        conv, relu = after[f"{path.removesuffix('.1')}.0:conv"], after[f"{path}:relu"]
        assert (conv.scale, conv.zero_point) == (relu.scale, relu.zero_point) and relu.zero_point == -128
        assert relu.ends[0] == 0
        high = before[f"{path}:{last}"].ends[1]
        assert 0 <= relu.ends[1] - high <= 0.05 * high, "a step only grows, so that what follows rounds alike"
        assert not {f"{path}:{kind}" for kind in ("sigmoid", "mul", "mul2")} & set(after)
    untouched = {name for name in before if name in after and not name.startswith((STEM, "early.stages.0.0"))}
    assert len(untouched) > 100
    assert recipe.weights == swishes.weights and recipe.channels == swishes.channels


def test_asked_twice_it_changes_nothing_more(network: Network, recipe: Recipe) -> None:
    assert rectify_recipe(network, recipe, (STEM, *LATER)) == recipe


def test_the_built_graph_holds_no_relu_and_is_what_was_simulated_with_them(
    network: Network, pixels: Pixels, recipe: Recipe
) -> None:
    program = capture_for_recipe(network, recipe, batch=None)
    built = build_graph(network, recipe, biases=False)
    assert (count_relus(program), count_relus(built)) == (5, 1), "one is the heads'"
    simulated = simulate(program, recipe, pixels)
    lost = measure_largest(simulated, simulate(program, None, pixels))
    assert lost > 1e-4, "nothing was rounded: the test proves nothing"
    assert measure_largest(run(built, pixels), simulated) < 0.01 * lost


def test_a_relu_that_has_something_to_do_stays(network: Network, recipe: Recipe) -> None:
    name = f"{LATER[0].removesuffix('.1')}.0:conv"
    rows = tuple(
        row.model_copy(update={"zero_point": -100}) if row.tensor in (name, f"{LATER[0]}:relu") else row
        for row in recipe.activations
    )
    other = recipe.model_copy(update={"activations": rows})
    assert count_relus(build_graph(network, other)) == 2


def test_a_backbone_of_relus_has_none_left(pixels: Pixels) -> None:
    network = small_vgg()
    photos = np.zeros((2, network.spec.preprocessing.height, network.spec.preprocessing.width, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "count_photos", lambda pictures, spec: 2)
        recipe = plan.make_recipe(network, "1" * 64, "w8a8", photos, "two photos")
    kinds = [kind_of(node) for node in find_tensors(capture_for_recipe(network, recipe)).values()]
    assert kinds.count("relu") == 4 and count_relus(build_graph(network, recipe)) == 0


def test_silus_are_named_by_count_or_by_path(network: Network) -> None:
    assert choose_swishes(network, "2") == (STEM, FIRST)
    assert len(choose_swishes(network, "32")) == 32
    assert choose_swishes(network, f"{LATER[1]}, {STEM},{STEM}") == (LATER[1], STEM)


@pytest.mark.parametrize("wanted", ["0", "33", "-1", "", ",", "9" * 400, "²", "early.stages.0.0", f"{STEM},x"])
def test_a_silu_that_is_not_there_is_refused(network: Network, wanted: str) -> None:
    with pytest.raises(ArtifactError, match="no such SiLU") as caught:
        choose_swishes(network, wanted)
    assert caught.value.expected == "1 to 32, or paths as early.stages.0.1, late.3.0.block.1.1"


def test_a_network_without_silus_has_none_to_name() -> None:
    with pytest.raises(ArtifactError) as caught:
        choose_swishes(small_vgg(), "1")
    assert caught.value.expected == "a network with SiLUs"


def test_a_recipe_that_names_another_module_is_for_another_network(network: Network, recipe: Recipe) -> None:
    others = recipe.model_copy(update={"relus": (*recipe.relus, RectifiedSwish(module="late.9"))})
    with pytest.raises(ArtifactError, match="a recipe for another network") as caught:
        capture_for_recipe(network, others)
    assert caught.value.where == "late.9"
