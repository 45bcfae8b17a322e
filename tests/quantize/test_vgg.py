"""A backbone of ReLUs and pools, as VGG16 is: one scale from a convolution to the next, and integers that say so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imageqx_export.artifact import Pixels
from imageqx_export.data.images import generate_images
from imageqx_export.networks.base import Network
from imageqx_export.quantize import plan
from imageqx_export.quantize.floats import HEADS_REASON
from imageqx_export.quantize.graph.build import build_graph, capture_for_recipe
from imageqx_export.quantize.graph.capture import capture
from imageqx_export.quantize.graph.integers import run_integers
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.plan import make_recipe, make_w8_recipe
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.quantize.rewrites.entry import ENTRY
from tests.networks.small_vgg import small_vgg


@pytest.fixture(scope="module")
def network() -> Network:
    return small_vgg()


@pytest.fixture(scope="module")
def photos(network: Network) -> Pixels:
    return generate_images(2, spec=network.spec)


@pytest.fixture(scope="module")
def recipe(network: Network, photos: Pixels) -> Recipe:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "count_photos", lambda pictures, spec: 2)
        return make_recipe(network, "1" * 64, "w8a8", photos, "two photos")


def test_why_early_stages_stay_float_is_true_of_this_network(network: Network) -> None:
    kept = {row.tensor: row.reason for row in make_w8_recipe(network, "1" * 64).floats}
    sizes = {name: value.numel() for name, value in network.fold("NHWC").state_dict().items() if "weight" in name}
    share = sum(size for name, size in sizes.items() if name.startswith("early.")) / sum(sizes.values())
    early = {reason for name, reason in kept.items() if name.startswith("early.")}
    assert len(early) == 1 and f"{100 * share:.1f}% of the weights" in early.pop()
    assert kept["score:linear"] == HEADS_REASON and "0.0" not in HEADS_REASON


def test_a_relu_and_a_pool_have_the_scale_of_their_convolution(recipe: Recipe) -> None:
    rows = {row.tensor: (row.scale, row.zero_point) for row in recipe.activations}
    assert list(rows) == [
        ENTRY,
        *(f"early.stages.{k}.{part}" for k in (0, 1) for part in ("0:conv", "1:relu")),
        "late.0:pool",
        *(f"late.1.{part}" for part in ("0:conv", "1:relu")),
        "late.2:pool",
        *(f"late.3.{part}" for part in ("0:conv", "1:relu")),
        "late.4:pool",
        "heads:mean",
    ]
    for group in (
        ("early.stages.1.0:conv", "early.stages.1.1:relu", "late.0:pool"),
        ("late.3.0:conv", "late.3.1:relu", "late.4:pool"),
    ):
        assert len({rows[name] for name in group}) == 1
    assert all(zero == -128 for name, (_, zero) in rows.items() if name != "heads:mean")
    assert not recipe.channels and not recipe.excitations
    assert "answers" not in {row.observer for row in recipe.activations}, "no range is narrowed"


def test_integers_give_what_the_built_graph_gives(network: Network, photos: Pixels, recipe: Recipe) -> None:
    program = capture_for_recipe(network, recipe, batch=None)
    exact, rounded = run_integers(program, recipe, photos), simulate(program, recipe, photos)
    built = build_graph(network, recipe)
    for name, values in exact.items():
        index = list(exact).index(name)
        graph = np.concatenate([built(torch.from_numpy(photo[None]))[index].numpy() for photo in photos])
        np.testing.assert_allclose(values, graph, atol=2e-3)
        np.testing.assert_allclose(values, rounded[name], atol=2e-3)
    floats = simulate(program, None, photos)
    assert 1e-5 < np.abs(exact["good"] - floats["good"]).max() < 0.05, "int8 costs something, and little"


def test_pixels_are_read_with_a_frame_all_around(network: Network, photos: Pixels) -> None:
    program = capture(network, batch=None)
    with torch.inference_mode():
        expected = network.fold("NHWC")(torch.from_numpy(photos))
        got = program(torch.from_numpy(photos))
    for want, have in zip(expected, got, strict=True):
        torch.testing.assert_close(have, want, atol=1e-5, rtol=1e-5)
