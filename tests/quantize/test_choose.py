"""Which recipe an export takes: the named one, the one beside the checkpoint, or a new one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from imageqx_export.artifact import Checkpoint, Precision
from imageqx_export.errors import ArtifactError, ConversionError, DatasetError
from imageqx_export.networks.base import Network
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.quantize.calibration.ranges import make_pixel_scale
from imageqx_export.quantize.choose import choose_recipes
from imageqx_export.quantize.plan import make_w8_recipe
from imageqx_export.quantize.recipe import ActivationScale, Recipe, write_recipe
from imageqx_export.quantize.rewrites.entry import ENTRY, PIXEL_STEP

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
SHA256 = "ab" * 32


@pytest.fixture(scope="module")
def network() -> ImageQX:
    torch.manual_seed(0)
    return ImageQX().eval()


@pytest.fixture(scope="module")
def own(network: Network) -> Recipe:
    return make_w8_recipe(network, SHA256)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(path=tmp_path / "some.safetensors", sha256=SHA256, spec=spec())


def marked(recipe: Recipe) -> Recipe:
    """Return a recipe that is told from one that is made here."""
    first = recipe.weights[0]
    return recipe.model_copy(update={"weights": (first.model_copy(update={"observer": "mark"}), *recipe.weights[1:])})


def test_float_precisions_need_none(network: Network, checkpoint: Checkpoint) -> None:
    assert choose_recipes(checkpoint, network, [Precision.FP32, Precision.FP16]).recipes == {}


def test_without_a_file_one_is_made(network: Network, checkpoint: Checkpoint, own: Recipe) -> None:
    chosen = choose_recipes(checkpoint, network, list(Precision)[:3])
    assert chosen.recipes == {Precision.W8: own} and chosen.notes == ()


def test_the_one_beside_the_checkpoint_is_taken(network: Network, checkpoint: Checkpoint, own: Recipe) -> None:
    write_recipe(checkpoint.path.with_suffix(".w8.json"), marked(own))
    chosen = choose_recipes(checkpoint, network, [Precision.W8])
    assert chosen.recipes[Precision.W8].weights[0].observer == "mark" and chosen.notes == ()


def test_a_stale_one_beside_the_checkpoint_is_passed_over_and_said(
    network: Network, checkpoint: Checkpoint, own: Recipe
) -> None:
    stale = marked(own).model_copy(update={"checkpoint_sha256": "cd" * 32})
    write_recipe(checkpoint.path.with_suffix(".w8.json"), stale)
    chosen = choose_recipes(checkpoint, network, [Precision.W8])
    assert chosen.recipes == {Precision.W8: own}
    assert "some.w8.json" in chosen.notes[0] and "another checkpoint" in chosen.notes[0]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda r: r.model_copy(update={"checkpoint_sha256": "cd" * 32}), "another checkpoint"),
        (
            lambda r: r.model_copy(update={"weights": (r.weights[0].model_copy(update={"tensor": "no:conv"}),)}),
            "no:conv",
        ),
        (
            lambda r: r.model_copy(update={"weights": (r.weights[0].model_copy(update={"scales": (1.0,)}),)}),
            "with 1 channels",
        ),
    ],
)
def test_a_named_recipe_for_something_else_is_refused(
    network: Network, checkpoint: Checkpoint, own: Recipe, tmp_path: Path, damage: object, words: str
) -> None:
    path = tmp_path / "named.json"
    write_recipe(path, damage(own))  # type: ignore[operator]
    with pytest.raises(ArtifactError, match=words) as caught:
        choose_recipes(checkpoint, network, [Precision.W8], named=[path])
    assert "named.json" in str(caught.value) and "imageqx quantize" in str(caught.value)


@pytest.mark.parametrize(("step", "zero_point"), [(PIXEL_STEP / 2, -128), (PIXEL_STEP, -127)])
def test_a_recipe_that_rounds_pixels_is_refused(
    network: Network, checkpoint: Checkpoint, own: Recipe, tmp_path: Path, step: float, zero_point: int
) -> None:
    path = tmp_path / "named.json"
    row = ActivationScale(tensor=ENTRY, scale=step, zero_point=zero_point, observer="fixed")
    write_recipe(path, own.model_copy(update={"precision": "w8a8", "activations": (row,)}))
    with pytest.raises(ArtifactError, match="rounds pixels"):
        choose_recipes(checkpoint, network, [Precision.W8A8], named=[path])
    write_recipe(path, own.model_copy(update={"precision": "w8a8", "activations": (make_pixel_scale(ENTRY),)}))
    assert choose_recipes(checkpoint, network, [Precision.W8A8], named=[path]).recipes[Precision.W8A8]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"precision": "w8"}'])
def test_a_named_recipe_that_is_broken_is_refused(
    network: Network, checkpoint: Checkpoint, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "named.json"
    path.write_text(text)
    with pytest.raises(ArtifactError, match=r"named\.json"):
        choose_recipes(checkpoint, network, [Precision.W8], named=[path])
    with pytest.raises(ArtifactError, match="no such recipe"):
        choose_recipes(checkpoint, network, [Precision.W8], named=[tmp_path / "nothing.json"])


def test_a_named_recipe_that_nothing_needs_is_refused(
    network: Network, checkpoint: Checkpoint, own: Recipe, tmp_path: Path
) -> None:
    path = tmp_path / "named.json"
    write_recipe(path, own)
    with pytest.raises(ConversionError, match="not exported"):
        choose_recipes(checkpoint, network, [Precision.FP32], named=[path])
    with pytest.raises(ConversionError, match="second recipe"):
        choose_recipes(checkpoint, network, [Precision.W8], named=[path, path])


def test_a_folder_that_cannot_be_calibrated_on_is_refused(
    network: Network, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        choose_recipes(checkpoint, network, [Precision.W8A8], calibration=tmp_path / "none")
