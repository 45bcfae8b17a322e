"""Check the Core ML runtime on a small network: its answers, inputs that do not fit, broken packages."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imageqx_export.errors import ArtifactError, UnavailableError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.runtimes.base import Runtime
from imageqx_export.runtimes.mil import runtime as mil
from tests.runtimes.mil.programs import MODEL, RNG, WEIGHTS, Array, ct, edit, mb, package, program


class Net(torch.nn.Module):
    """A small convolutional network that normalises its pixels and has two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.stem = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3, 2, 1),
            torch.nn.BatchNorm2d(16),
            torch.nn.SiLU(),
            torch.nn.Conv2d(16, 16, 3, 1, 1, groups=16),
            torch.nn.SiLU(),
        )
        self.head = torch.nn.Linear(16, 4)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probabilities [N,4] and a map [N,16,8,8]."""
        maps = self.stem(3 * (pixels / 255 - 0.45) / 0.225)
        maps = maps * maps.mean((2, 3), keepdim=True).sigmoid()
        return self.head(maps.mean((2, 3))).mul(4).softmax(1), maps.relu()


PIXELS = RNG.integers(0, 256, (3, 16, 12, 3), np.uint8)
NET = Net().eval()


def answers(pixels: Array) -> list[Array]:
    """Ask PyTorch itself."""
    with torch.no_grad():
        return [out.numpy() for out in NET(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float())]


def exported(path: Path, precision: str, layout: str = "RGB") -> Path:
    """Export the small network with an image input."""
    channels = 1 if layout == "GRAYSCALE" else 3
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), NET) if channels == 1 else NET
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(net, torch.rand(1, channels, 16, 12), check_trace=False)  # type: ignore[no-untyped-call]
    image = ct.ImageType(name="image", shape=(1, channels, 16, 12), color_layout=ct.colorlayout[layout])
    outputs = [ct.TensorType(name="quality"), ct.TensorType(name="maps")]
    return package(path, traced, inputs=[image], outputs=outputs, compute_precision=ct.precision[precision])


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export once."""
    return exported(tmp_path_factory.mktemp("fp32") / "net.mlpackage", "FLOAT32")


@pytest.fixture(scope="module")
def fp16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export once."""
    return exported(tmp_path_factory.mktemp("fp16") / "net.mlpackage", "FLOAT16")


@pytest.fixture
def copy(fp32: Path, tmp_path: Path) -> Path:
    """Give a copy to break."""
    return Path(shutil.copytree(fp32, tmp_path / "copy.mlpackage"))


def test_exported_network_is_pytorch(fp32: Path, fp16: Path) -> None:
    """And float16 differs from float32, a little."""
    full, half = mil.load(fp32).run(PIXELS), mil.load(fp16).run(PIXELS)
    assert list(full) == list(half) == ["quality", "maps"]
    for name, golden in zip(full, answers(PIXELS), strict=True):
        assert full[name].dtype == half[name].dtype == np.float32
        np.testing.assert_allclose(full[name], golden, atol=1e-5)
        np.testing.assert_allclose(half[name], golden, atol=5e-3, rtol=5e-3)
        assert np.abs(half[name] - golden).max() > 1e-5
    assert np.ptp(full["quality"], axis=0).max() > 1e-3, "the photos must get different answers"


def test_bgr_input_is_flipped(tmp_path: Path) -> None:
    """A BGR program gets its channels in its own order."""
    got = mil.load(exported(tmp_path / "a.mlpackage", "FLOAT32", "BGR")).run(PIXELS)
    np.testing.assert_allclose(got["quality"], answers(PIXELS[..., ::-1])[0], atol=1e-5)


def test_batches(fp32: Path) -> None:
    """A photo's answer does not depend on its batch; no photos, no answers."""
    runtime: Runtime = mil.load(fp32)
    assert runtime.spec == spec() and [s.shape for s in runtime.signature] == [(1, 4), (1, 16, 8, 6)]
    np.testing.assert_array_equal(runtime.run(PIXELS)["maps"][1:2], runtime.run(PIXELS[1:2])["maps"])
    assert {name: value.shape for name, value in runtime.run(PIXELS[:0]).items()} == {
        "quality": (0, 4),
        "maps": (0, 16, 8, 6),
    }


def test_changed_weights_change_the_answer(copy: Path) -> None:
    """The negative control: the evaluator reads the file's weights."""
    before = mil.load(copy).run(PIXELS)["quality"]
    data = np.frombuffer((copy / WEIGHTS).read_bytes(), np.float32).copy()
    kernel = NET.head.weight.detach().numpy().ravel()
    place = next(i for i in range(len(data) - 64) if np.allclose(data[i : i + 64], kernel))
    data[place] += 0.5
    (copy / WEIGHTS).write_bytes(data.tobytes())
    assert np.abs(mil.load(copy).run(PIXELS)["quality"] - before).max() > 1e-3


@pytest.mark.parametrize("wrong", [PIXELS[0], PIXELS[:, :8], PIXELS.astype(np.float32)])
def test_pixels_that_do_not_fit(fp32: Path, wrong: Array) -> None:
    """Rank, size and dtype."""
    with pytest.raises(ArtifactError, match=r"expected: uint8 \[N,16,12,3\]"):
        mil.load(fp32).run(wrong)


def test_inputs_that_do_not_fit(fp32: Path) -> None:
    """Names and shapes."""
    with pytest.raises(ArtifactError, match="not the program's inputs"):
        mil.evaluate(fp32, {"photo": PIXELS})
    with pytest.raises(ArtifactError, match="wrong shape"):
        mil.evaluate(fp32, {"image": PIXELS})


def _no_spec(path: Path) -> None:
    edit(path, lambda model: model.description.metadata.userDefined.clear())


def _neural_network(path: Path) -> None:
    edit(path, lambda model: model.neuralNetwork.SetInParent())


def _two_functions(path: Path) -> None:
    edit(path, lambda model: model.mlProgram.functions["other"].CopyFrom(model.mlProgram.functions["main"]))


def _no_model(path: Path) -> None:
    manifest = json.loads((path / "Manifest.json").read_text())
    manifest["rootModelIdentifier"] = "nobody"
    (path / "Manifest.json").write_text(json.dumps(manifest))


def _cut(name: str, keep: float) -> Callable[[Path], None]:
    def cut(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: int(len(data) * keep)])

    return cut


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (shutil.rmtree, "got:      nothing"),
    "no manifest": (lambda path: (path / "Manifest.json").unlink(), "a folder without Manifest.json"),
    "manifest cut": (_cut("Manifest.json", 0.5), "cannot read"),
    "manifest of nobody": (_no_model, "cannot read"),
    "no specification": (lambda path: (path / MODEL).unlink(), "cannot read"),
    "specification cut": (_cut(MODEL, 0.7), "cannot read"),
    "no weights": (lambda path: (path / WEIGHTS).unlink(), "cannot read"),
    "weights cut": (_cut(WEIGHTS, 0.6), "cannot read"),
    "weights empty": (_cut(WEIGHTS, 0), "cannot read"),
    "weights zero": (lambda path: (path / WEIGHTS).write_bytes(bytes(9000)), "cannot read"),
    "neural network": (_neural_network, "not an ML Program"),
    "no ModelSpec": (_no_spec, "no ModelSpec"),
    "two functions": (_two_functions, "one function"),
}


def _another_output(model: Any) -> None:
    model.description.output[0].name = "nobody"


def _another_input(model: Any) -> None:
    model.description.input[0].name = "nobody"


def _no_size(model: Any) -> None:
    model.description.input[0].type.imageType.width = 2**40


@pytest.mark.parametrize("change", [_another_output, _another_input, _no_size])
def test_a_description_that_does_not_fit_its_program_is_an_artifact_error(
    copy: Path, change: Callable[[Any], None]
) -> None:
    """When it is run at the latest, and never a KeyError."""
    edit(copy, change)
    with pytest.raises(ArtifactError) as caught:
        mil.load(copy).run(PIXELS)
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize("how", BROKEN)
def test_broken_packages_are_artifact_errors(copy: Path, how: str) -> None:
    """That name the file and the reason."""
    breaks, message = BROKEN[how]
    breaks(copy)
    with pytest.raises(ArtifactError, match=message) as caught:
        mil.load(copy)
    assert str(copy) in str(caught.value)


def test_not_a_folder(tmp_path: Path) -> None:
    """A file is no package."""
    (tmp_path / "a.mlpackage").write_bytes(b"hello")
    with pytest.raises(ArtifactError, match="a file"):
        mil.load(tmp_path / "a.mlpackage")


def test_inputs_that_are_no_photo(tmp_path: Path) -> None:
    """Tensors, and grey pictures."""
    saved = package(tmp_path / "a.mlpackage", program(lambda x: mb.relu(x=x), (2,)))
    with pytest.raises(ArtifactError, match="one image input"):
        mil.load(saved)
    with pytest.raises(ArtifactError, match="GRAYSCALE"):
        mil.load(exported(tmp_path / "b.mlpackage", "FLOAT32", "GRAYSCALE"))


def test_missing_coremltools(fp32: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said so."""
    monkeypatch.setitem(sys.modules, "coremltools.models", None)
    with pytest.raises(UnavailableError, match="coremltools is not installed"):
        mil.load(fp32)


def test_only_known_noise_is_silenced(caplog: pytest.LogCaptureFixture) -> None:
    """A real warning of coremltools still comes through."""
    logger = logging.getLogger("coremltools")
    with mil._silence_imports():
        logger.warning("Failed to load _MLModelProxy: No module named 'coremltools.libcoremlpython'")
        logger.warning("Fail to import BlobReader from libmilstoragepython.")
    logger.warning("Failed to load _MLModelProxy")
    assert [m.split(" ")[0] for m in caplog.messages] == ["Fail", "Failed"]
