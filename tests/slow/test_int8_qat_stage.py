"""The whole stage on a narrow network of the real one's shape: photos in, weights, recipe and figures out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models.efficientnet import EfficientNet, MBConvConfig

from imageqx_export.artifact import Checkpoint
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.data.sources import Sources
from imageqx_export.errors import ArtifactError, StoppedError, TrainingError
from imageqx_export.networks.base import Network
from imageqx_export.networks.imageqx import network as imageqx
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.quantize import plan
from imageqx_export.quantize.graph.capture import capture, find_tensors
from imageqx_export.quantize.plan import make_w8_recipe, make_w8a8_recipe
from imageqx_export.quantize.qat.loop import Closeness, QatConfig
from imageqx_export.quantize.qat.stage import FineTuneResult, Request, fine_tune
from imageqx_export.quantize.recipe import Recipe, read_recipe, write_recipe
from imageqx_export.quantize.weights import load_quantized_network
from imageqx_export.support.files import digest
from imageqx_export.training.state import state_path
from tests.training.fakes import rated_photos

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
CONFIG = QatConfig("", "", epochs=2, samples=4, batch_size=2, learning_rate=0.2, synthetic_scenes=17, seed=5)
RECIPE = "start.json"


def narrow(weights: str) -> nn.Module:
    """Return EfficientNet's stages with eight channels each, in the place of B0's."""
    rows = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (2, 3, 2), (2, 5, 1), (2, 5, 2), (2, 3, 1)]
    made = EfficientNet([MBConvConfig(*row, 8, 8, 1, 1.0, 1.0) for row in rows], 0.2, last_channel=1280)
    assert isinstance(made.features, nn.Module)
    return made.features


@pytest.fixture(scope="module", autouse=True)
def narrow_networks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imageqx, "_make_backbone", narrow)
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rated_photos(tmp_path_factory.mktemp("rated"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Write a float network, with channels of very different size, and a recipe for it; not to be written to."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("float")
    network = ImageQX().eval()
    with torch.no_grad():
        for module in network.features.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(2 * torch.exp(torch.randn(len(module.weight))).clamp(0.1, 4))
                module.bias.normal_()
    made = save_checkpoint(network, spec(), {}, {"config": {"seed": 0}}, folder / "x.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "CALIBRATION_IMAGES", len(pixels))
        write_recipe(folder / RECIPE, make_w8a8_recipe(network, made.sha256, pixels, "noise", rescaled=3, narrowed=0))
    return made


def request(checkpoint: Checkpoint, table: Path, folder: Path, **changed: Any) -> Request:
    """Ask for a run in a folder of its own."""
    folder.mkdir()
    own = folder / "x.safetensors"
    own.write_bytes(checkpoint.path.read_bytes())
    asked = Request(
        checkpoint=own,
        out=folder / "x.w8a8.json",
        recipe=checkpoint.path.with_name(RECIPE),
        sources=Sources(annotations=table, images=table.parent),
        config=CONFIG,
    )
    return replace(asked, **changed)


@pytest.fixture(scope="module")
def whole(checkpoint: Checkpoint, table: Path, tmp_path_factory: pytest.TempPathFactory) -> FineTuneResult:
    return fine_tune(request(checkpoint, table, tmp_path_factory.mktemp("whole") / "run"))


def test_it_writes_weights_and_the_recipe_that_names_them(whole: FineTuneResult, checkpoint: Checkpoint) -> None:
    folder = whole.request.out.parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "x.safetensors",
        "x.w8a8.json",
        "x.w8a8.safetensors",
        "x.w8a8.safetensors.state",
    ]
    start, made = read_recipe(checkpoint.path.with_name(RECIPE)), read_recipe(whole.request.out)
    assert made == whole.recipe and made.finetuned is not None
    assert made.finetuned.sha256 == digest(folder / "x.w8a8.safetensors")
    assert made.model_copy(update={"finetuned": None}) == start, "ranges and floats are the recipe's"
    assert (folder / "x.safetensors").read_bytes() == checkpoint.path.read_bytes()
    facts = load_checkpoint(folder / "x.w8a8.safetensors")[0].provenance["qat"]
    assert isinstance(facts, dict) and [row["epoch"] for row in facts["history"]] == [1, 2]
    assert facts["config"]["checkpoint_sha256"] == checkpoint.sha256


def integers(network: Network, recipe: Recipe) -> dict[str, NDArray[np.float64]]:
    """Return weights as they are exported, in steps: whole numbers are on the grid."""
    program = capture(network, rewrites=recipe.rewrites)
    own, found = dict(program.named_parameters()), {}
    for row in recipe.weights:
        value = own[str(find_tensors(program)[row.tensor].args[1].target)].detach().numpy()  # type: ignore[union-attr]
        found[row.tensor] = value / np.array(row.scales, np.float32).reshape(-1, *[1] * (value.ndim - 1))
    return found


def test_what_is_exported_is_what_learnt(whole: FineTuneResult) -> None:
    """The file's weights lie on their int8 grid already, and elsewhere than the checkpoint's."""
    network = load_checkpoint(whole.request.checkpoint)[1]
    before = integers(network, whole.recipe)
    after = integers(load_quantized_network(whole.recipe, whole.request.checkpoint, network), whole.recipe)
    moved = 0
    for name, values in after.items():
        np.testing.assert_allclose(values, np.rint(values), atol=2e-3)
        moved += int((np.rint(values) != np.rint(before[name])).sum())
    assert moved > 100 and len(after) > 20
    assert any(np.abs(values - np.rint(values)).max() > 0.3 for values in before.values())


def test_both_are_measured_on_the_same_photos(whole: FineTuneResult) -> None:
    assert whole.before.photos == whole.after.photos == 4
    assert 1e-4 < whole.before.mean_abs != whole.after.mean_abs > 1e-4


def test_further_it_starts_from_the_fine_tuned_weights(
    whole: FineTuneResult, checkpoint: Checkpoint, table: Path, tmp_path: Path
) -> None:
    asked = request(checkpoint, table, tmp_path / "run", further=True, config=replace(CONFIG, epochs=1))
    folder = asked.out.parent
    (folder / whole.request.weights.name).write_bytes(whole.request.weights.read_bytes())
    first = folder / "first.json"
    first.write_bytes(whole.request.out.read_bytes())
    with pytest.raises(TrainingError, match="would replace"):
        fine_tune(replace(asked, recipe=first))
    with pytest.raises(ArtifactError, match="without fine-tuned weights"):
        fine_tune(replace(asked, out=folder / "x.second.json"))
    found = fine_tune(replace(asked, recipe=first, out=folder / "x.second.json"))
    assert found.before == whole.after, "it starts where the first run ended"
    assert found.recipe.finetuned is not None and whole.recipe.finetuned is not None
    assert found.recipe.finetuned.how.startswith(f"{whole.recipe.finetuned.how}; then 1 epochs")
    assert found.recipe.finetuned.weights == "x.second.safetensors"


def test_stopped_it_goes_on_to_the_same_bytes(
    whole: FineTuneResult, checkpoint: Checkpoint, table: Path, tmp_path: Path
) -> None:
    asked = request(checkpoint, table, tmp_path / "run")
    told: list[int] = []

    def stop(epoch: int, loss: float, near: Closeness) -> None:
        told.append(epoch)
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(StoppedError, match="the epochs that were finished are kept"):
        fine_tune(asked, report=stop)
    assert read_recipe(asked.out).finetuned is not None
    fine_tune(replace(asked, recipe=None), report=lambda epoch, loss, near: told.append(epoch))
    assert told == [0, 1, 2]
    for name in ("x.w8a8.safetensors", "x.w8a8.json"):
        assert (asked.out.parent / name).read_bytes() == (whole.request.out.parent / name).read_bytes(), name


def test_a_file_that_cannot_be_written_leaves_nothing(checkpoint: Checkpoint, table: Path, tmp_path: Path) -> None:
    asked = request(checkpoint, table, tmp_path / "run")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotADirectoryError) as error:
        fine_tune(replace(asked, out=tmp_path / "file" / "x.w8a8.json"))
    assert error.value.filename == str(tmp_path / "file" / "x.w8a8.json")
    assert not state_path(asked.weights).exists() and not list(asked.checkpoint.parent.glob("*.json"))


def test_recipes_that_do_not_fit_are_refused(checkpoint: Checkpoint, table: Path, tmp_path: Path) -> None:
    asked = request(checkpoint, table, tmp_path / "run")
    start = read_recipe(checkpoint.path.with_name(RECIPE))
    write_recipe(asked.out, start.model_copy(update={"checkpoint_sha256": "cd" * 32}))
    with pytest.raises(ArtifactError, match="a recipe for another checkpoint"):
        fine_tune(replace(asked, recipe=None))
    write_recipe(asked.out, make_w8_recipe(load_checkpoint(asked.checkpoint)[1], checkpoint.sha256))
    with pytest.raises(ArtifactError, match="fine-tuning is for w8a8"):
        fine_tune(replace(asked, recipe=None))
    for name in ("explanations:linear", "late.9.9:conv"):
        row = start.weights[0].model_copy(update={"tensor": name})
        write_recipe(asked.out, start.model_copy(update={"weights": (*start.weights, row)}))
        with pytest.raises(ArtifactError, match="a recipe that cannot be fine-tuned") as error:
            fine_tune(replace(asked, recipe=None))
        assert name in str(error.value)
    with pytest.raises(TrainingError, match="would replace their teacher"):
        fine_tune(replace(asked, out=asked.checkpoint.with_suffix(".json")))
