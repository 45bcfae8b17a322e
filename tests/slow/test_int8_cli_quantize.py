"""The command as a person runs it: what it writes and prints, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.cli import app
from imageqx_export.data import held_out, images
from imageqx_export.data.images import gather_calibration_images
from imageqx_export.errors import ImageQXError
from imageqx_export.quantize.calibration.choose_rewrites import VARYING, choose_rewrites
from imageqx_export.quantize.recipe import read_recipe
from imageqx_export.quantize.rewrites.equalise import GATE_STEP
from imageqx_export.support.files import digest
from tests.conftest import CHECKPOINT, Cli

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
MODELS = CHECKPOINT.parent


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    for k in range(3):
        Image.fromarray(np.full((8, 8, 3), k, np.uint8)).save(folder / f"{k}.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def test_w8_is_written_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CALIBRATION_IMAGES", 4)  # few pictures, so that the test is quick
    monkeypatch.setattr(held_out, "_SCENES", 17)
    out = tmp_path / "recipes" / "w8.json"
    result = CliRunner().invoke(app, ["quantize", "--precision", "w8", "--out", str(out), "--samples", "12", "--json"])
    assert result.exit_code in (0, 1), result.output
    body = json.loads(result.stdout)
    assert body["accuracy"]["photos"] == 12 and 0 < body["accuracy"]["mean_abs"] < 0.05
    assert (result.exit_code == 1) == bool(body["problems"])
    recipe, shipped = read_recipe(out), read_recipe(MODELS / "imageqx.w8.json")
    assert recipe.checkpoint_sha256 == digest(CHECKPOINT) and not recipe.activations
    assert body["int8_weights"] == len(recipe.weights) == 81 - 25  # the early stages stay float
    assert recipe.weights == shipped.weights, "make it anew: imageqx quantize --precision w8"


def test_the_shipped_recipes_are_the_shipped_checkpoints() -> None:
    w8a8 = read_recipe(MODELS / "imageqx.w8a8.json")
    assert w8a8.checkpoint_sha256 == read_recipe(MODELS / "imageqx.w8.json").checkpoint_sha256 == digest(CHECKPOINT)
    assert w8a8.calibration is not None and w8a8.calibration.images >= 256
    assert all(row.reason for row in w8a8.floats)


def test_a_recipe_made_of_synthetic_samples_alone_has_the_rewrites_that_this_code_finds() -> None:
    shipped, (held, network) = (
        read_recipe(MODELS / "duke-iqa.w8a8.json"),
        load_checkpoint(MODELS / "duke-iqa.safetensors"),
    )
    pixels, source = gather_calibration_images(None, spec=held.spec)
    assert shipped.calibration is not None and shipped.calibration.source == source
    found = choose_rewrites(network, pixels)
    assert [row.module for row in found.channels] == [row.module for row in shipped.channels]
    for mine, theirs in zip(found.channels, shipped.channels, strict=True):
        np.testing.assert_allclose(mine.scales, theirs.scales, atol=GATE_STEP)  # another CPU may round up
    assert [row.module for row in found.excitations] == [row.module for row in shipped.excitations]
    for block, constant in zip(found.excitations, shipped.excitations, strict=True):
        np.testing.assert_allclose(block.values, constant.values, rtol=1e-4)


def test_the_shipped_recipe_which_saw_photos_too_rewrites_the_same_layers() -> None:
    """The photos are not here, so that the numbers are others; but the loud channels are the same ones."""
    shipped = read_recipe(MODELS / "imageqx.w8a8.json")
    assert shipped.calibration is not None and "photos" in shipped.calibration.source
    found = choose_rewrites(load_checkpoint(CHECKPOINT)[1], gather_calibration_images(None)[0])
    assert [row.module for row in found.channels] == [row.module for row in shipped.channels]
    for mine, theirs in zip(found.channels, shipped.channels, strict=True):
        assert np.corrcoef(mine.scales, theirs.scales)[0, 1] > 0.99
        assert np.corrcoef(mine.scales, theirs.scales[::-1])[0, 1] < 0.5, "all channels are alike: this proves nothing"
    assert [row.module for row in found.excitations] == [row.module for row in shipped.excitations]
    for block, constant in zip(found.excitations, shipped.excitations, strict=True):
        # Constant is what varies by less than so many steps of int8 from photo to photo.
        np.testing.assert_allclose(block.values, constant.values, atol=VARYING / 255)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--precision", "int8"), "one of w8, w8a8"),
        (("--checkpoint", "none.safetensors"), "none.safetensors"),
        (("--calibration", "none"), "no such folder"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(app, ["quantize", *arguments, "--out", str(tmp_path / "r.json")])
    assert isinstance(result.exception, ImageQXError) and words in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_too_few_photos_is_refused(cli: Cli, few: Path, tmp_path: Path) -> None:
    result = cli("quantize", "--calibration", few, "--out", tmp_path / "r.json")
    assert result.returncode == 1 and result.stdout == ""
    for words in ("at least 256 photos", "3 that can be read, 1 that cannot: broken.jpg", "add 253 photos"):
        assert words in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_has_examples() -> None:
    text = CliRunner().invoke(app, ["quantize", "--help"]).output
    assert "--analyze" in text and "Examples: imageqx quantize" in " ".join(text.split())
