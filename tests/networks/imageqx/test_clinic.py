"""A clinic's own network, of three reasons and 256 pixels a side: every stage takes what its checkpoint says."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models.efficientnet import EfficientNet, MBConvConfig

from imageqx_export import networks
from imageqx_export.artifact import Format, Precision
from imageqx_export.budgets.limits import SHIPPED
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.checkpoint_import import import_checkpoint
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.settings import USUAL, choose_settings
from imageqx_export.data.vocabulary import choose_reasons
from imageqx_export.errors import ArtifactError, CheckpointError, ConversionError, UnknownNameError
from imageqx_export.evaluation.stage import assess
from imageqx_export.export.convert import load_exporter
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.predict.verdict import predict_photos
from imageqx_export.quantize.model import QuantizedModel
from imageqx_export.quantize.plan import make_w8a8_recipe
from imageqx_export.quantize.recipe import read_recipe
from imageqx_export.runtimes import load_photo_model
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.thresholds.criteria import make_criterion
from imageqx_export.thresholds.stage import ThresholdsConfig, choose_thresholds
from tests.conftest import Cli

OWN: dict[str, str | float] = {"reasons": "blurry,bad_light,too_far_away", "side": 64.0}


def make_backbone(weights: str) -> torch.nn.Module:
    """Return EfficientNet-B0 with 8 channels and a layer in each stage, which is no more than a test needs."""
    stages = [(1, 3, 1), (6, 3, 2), (6, 5, 2), (6, 3, 2), (6, 5, 1), (6, 5, 2), (6, 3, 1)]
    settings = [MBConvConfig(expand, kernel, stride, 8, 8, 1) for expand, kernel, stride in stages]
    settings[0].input_channels = 8
    features: torch.nn.Module = EfficientNet(settings, dropout=0.2, last_channel=1280).features
    return features


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    monkeypatch.setattr("imageqx_export.networks.imageqx.network._make_backbone", make_backbone)


@pytest.fixture
def clinic(small: None, tmp_path: Path) -> Path:
    network = networks.build("imageqx", options=OWN).eval()
    save_checkpoint(network, network.spec, {}, {}, tmp_path / "clinic.safetensors")
    return tmp_path / "clinic.safetensors"


def photos(spec_reasons: int, count: int = 64) -> LabelledPhotos:
    random = np.random.default_rng(3)
    return LabelledPhotos(
        pixels=random.integers(0, 256, (count, 64, 64, 3), np.uint8),
        quality=np.arange(count) % 4,
        reasons=(random.random((count, spec_reasons)) < 0.4).astype(np.float32),
        fitzpatrick=np.zeros(count, np.int64),
        names=tuple(map(str, range(count))),
        source="noise",
    )


def test_the_checkpoint_says_what_it_is_of(clinic: Path) -> None:
    checkpoint, network = load_checkpoint(clinic)
    spec = checkpoint.spec
    assert spec.reasons == ("blurry", "bad_light", "too_far_away") and set(spec.hints) == set(spec.reasons)
    assert spec.inputs[0].shape == (1, 64, 64, 3) and spec.preprocessing.width == 64
    outputs = TorchRuntime(network, spec).run(photos(3).pixels[:2])
    assert {name: values.shape for name, values in outputs.items()} == {
        "quality": (2, 4),
        "explanations": (2, 3),
        "attention": (2, 3, 2, 2),
    }
    assert [one.shape for one in spec.outputs] == [(1, 4), (1, 3), (1, 3, 2, 2)]


def test_thresholds_and_evaluation_are_of_its_own_reasons(clinic: Path) -> None:
    known = photos(3)
    checkpoint, _ = choose_thresholds(ThresholdsConfig(clinic, make_criterion(youden=True)), known)
    assert set(checkpoint.spec.thresholds) == {"blurry", "bad_light", "too_far_away"}
    assert checkpoint.temperatures is not None and len(checkpoint.temperatures.explanations) == 3
    again, network = load_checkpoint(clinic)
    assert again.temperatures == checkpoint.temperatures
    evaluation, _ = assess(TorchRuntime(network, again.spec), known, model_name="clinic")
    assert {row.name for row in evaluation.scores.explanations.rows} == {"blurry", "bad_light", "too_far_away"}


def test_photos_give_the_columns_that_a_network_has(clinic: Path) -> None:
    spec = load_checkpoint(clinic)[0].spec
    settings = choose_settings(spec)
    assert choose_reasons(settings.labels, settings.reasons) == [2, 1, 4] and settings.side == 64
    assert choose_settings(networks.spec("imageqx")) == USUAL
    hair = networks.spec("imageqx", {"reasons": "blurry,hair"})
    with pytest.raises(ArtifactError, match="hair"):
        choose_reasons(hair.labels, hair.reasons)
    two = networks.spec("imageqx", {"labels": "lesion,poor_quality"})
    with pytest.raises(ArtifactError, match="labels"):
        choose_reasons(two.labels, two.reasons)


def test_reasons_that_raters_are_not_asked_are_quantized_unmeasured(small: None, tmp_path: Path, cli: Cli) -> None:
    """What would need labelled photos is refused at once; the recipe needs none."""
    checkpoint, out = tmp_path / "clinic.safetensors", tmp_path / "clinic.w8.json"
    network = networks.build("imageqx", options={"reasons": "blurry,bad_light,hair", "side": 64.0}).eval()
    save_checkpoint(network, network.spec, {}, {}, checkpoint)
    words = ("--checkpoint", str(checkpoint), "--out", str(out))
    refused = [("quantize", "--analyze"), ("quantize", "--budgets", str(SHIPPED)), ("finetune",)]
    for command in refused:
        found = cli(*command, *words)
        assert found.returncode != 0 and "another model's labels or reasons" in found.stderr, command
        assert "Traceback" not in found.stderr and not out.exists(), command
    done = cli("quantize", "--precision", "w8", *words, "--json")
    assert done.returncode == 0 and "not measured" in done.stderr
    assert json.loads(done.stdout)["accuracy"] is None and read_recipe(out).weights


def test_an_export_whose_cost_cannot_be_measured_is_refused_before_anything_is_converted(
    small: None, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next command is in the message: budgets of bytes alone, with which, or without int8, the export goes on."""
    monkeypatch.setattr("imageqx_export.export.stage.convert_all", reach)
    checkpoint, budgets, out = tmp_path / "clinic.safetensors", tmp_path / "bytes.toml", tmp_path / "out"
    network = networks.build("imageqx", options={"reasons": "blurry,hair", "side": 64.0}).eval()
    save_checkpoint(network, network.spec, {}, {"trained": "elsewhere"}, checkpoint)
    words = ("export", "--checkpoint", str(checkpoint), "--out", str(out), "--formats", "onnx", "--no-cache")
    found = cli(*words, "--precisions", "fp32,w8")
    assert found.returncode == 1 and "what w8 may cost cannot be measured" in found.stderr and not out.exists()
    printed = " ".join(found.stderr.split())
    lines = re.search("'(schema_version = 1)', '(.size_bytes.)' and, for example, '(.*?)'", printed)
    assert lines is not None and "--budgets FILE" in printed
    budgets.write_text("\n".join(lines.groups()))
    for more in (("--precisions", "w8", "--budgets", str(budgets)), ("--precisions", "fp32")):
        assert REACHED in cli(*words, *more).stderr, more


REACHED = "conversion is reached"


def reach(*given: object) -> None:
    raise ConversionError(REACHED)


def test_another_trainers_file_is_imported_with_its_reasons(small: None, tmp_path: Path) -> None:
    source, out = tmp_path / "run.pt", tmp_path / "clinic.safetensors"
    torch.save(networks.build("imageqx", options=OWN).state_dict(), source)
    with pytest.raises(CheckpointError, match="wrong shape") as caught:
        import_checkpoint(source, out)
    assert "--reasons" in (caught.value.remedy or "") and not out.exists()
    import_checkpoint(source, out, options=OWN)
    assert load_checkpoint(out)[1].options == OWN


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reasons": "blurry,blurry"}, "different names"),
        ({"reasons": "blurry,"}, "different names"),
        ({"labels": "lesion,healthy"}, "poor_quality"),
        ({"side": 100.0}, "multiple of 32"),
    ],
)
def test_there_is_no_such_network(options: dict[str, str | float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        networks.spec("imageqx", options)


def test_an_unknown_option_is_named(small: None) -> None:
    with pytest.raises(UnknownNameError, match="colour"):
        networks.build("imageqx", options={"colour": "red"})


def test_the_published_network_is_as_it_was() -> None:
    assert isinstance(networks.build("imageqx"), ImageQX) and not networks.build("imageqx").options
    assert networks.spec("imageqx").outputs[2].shape == (1, 5, 7, 7)


@pytest.mark.parametrize(
    ("format", "precision"),
    [
        (Format.ONNX, Precision.FP32),
        pytest.param(Format.ONNX, Precision.W8A8, marks=pytest.mark.long),
        pytest.param(Format.TFLITE, Precision.FP32, marks=pytest.mark.long),
    ],
)
def test_its_files_say_what_pytorch_says_and_judge_photos(
    clinic: Path, tmp_path: Path, format: Format, precision: Precision
) -> None:
    checkpoint, network = load_checkpoint(clinic)
    pixels = photos(3, 256).pixels
    want = TorchRuntime(network, checkpoint.spec).run(pixels[:4])
    quantized: dict[Precision, QuantizedModel] = {}
    if precision is Precision.W8A8:
        recipe = make_w8a8_recipe(network, checkpoint.sha256, pixels, "noise", narrowed=0)
        quantized = {precision: QuantizedModel(network, recipe)}
        want = quantized[precision].run(pixels[:4])
    path = tmp_path / f"imageqx_{precision}{format.suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converters warn of their own insides
        load_exporter(format).write(network, checkpoint, {precision: path}, quantized)
    runtime = load_photo_model(path)
    for name, values in runtime.run(pixels[:4]).items():
        assert np.abs(values - want[name]).max() <= 1e-5, name
    Image.fromarray(pixels[0]).resize((300, 200)).save(tmp_path / "photo.png")
    ((verdict, maps),) = predict_photos([tmp_path / "photo.png"], runtime)
    assert {reason.name for reason in verdict.reasons} == {"blurry", "bad_light", "too_far_away"}
    assert maps.shape == (3, 2, 2)
