"""Emulated phones for real: qemu, Debian's arm64 root, and the runtimes' aarch64 wheels. ``make test-emulator``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imageqx_export.artifact import Artifact, Format, Precision
from imageqx_export.bench.emulator import load_emulator
from imageqx_export.bench.emulator.kernels import sum_work
from imageqx_export.bench.emulator.target import EmulatedTarget
from imageqx_export.bench.model import QUICK, Instructions
from imageqx_export.bench.stage import BenchConfig, measure
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.parity.compare import TOLERANCES
from imageqx_export.support.files import count_bytes, digest

FOLDER = Path(__file__).parents[2] / "artifacts" / "imageqx"
FORMATS = (Format.TFLITE, Format.ONNX)
PICTURES = 3  # an emulated inference takes seconds


def why_not() -> str | None:
    try:
        load_emulator()
    except DeviceError as error:
        return f"{error.what}: {error.remedy}"
    return None if (FOLDER / "manifest.json").is_file() else f"no artifacts in {FOLDER}: make export"


WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")


def artifact(format: Format, precision: Precision) -> Artifact:
    return next(a for a in read_manifest(FOLDER).artifacts if (a.format, a.precision) == (format, precision))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the artifacts, with the first golden pictures only."""
    folder = tmp_path_factory.mktemp("few")
    shutil.copytree(FOLDER / "golden", folder / "golden")
    rows = json.loads((FOLDER / "golden/expected.json").read_text())
    (folder / "golden/expected.json").write_text(json.dumps({name: rows[name] for name in sorted(rows)[:PICTURES]}))
    for format in FORMATS:
        for precision in (Precision.FP32, Precision.FP16, Precision.W8A8):
            shutil.copy(FOLDER / artifact(format, precision).path, folder)
    return folder


@contextmanager
def opened(cpu: str, folder: Path) -> Iterator[EmulatedTarget]:
    target = EmulatedTarget(cpu)
    with target.open(folder, [], QUICK, "test"):
        yield target


# Float kernels are the same on a phone with i8mm; its int8 ones are tested below.
@pytest.fixture(scope="module", params=["cortex-a53", "cortex-a76"])
def phone(request: pytest.FixtureRequest, few: Path) -> Iterator[EmulatedTarget]:
    with opened(str(request.param), few) as target:
        yield target


@pytest.mark.parametrize("format", FORMATS)
def test_arm_kernels_say_what_pytorch_says(phone: EmulatedTarget, format: Format) -> None:
    error = phone.measure_error(artifact(format, Precision.FP32))
    assert error is not None
    assert 0 < error <= TOLERANCES[Precision.FP32].max_abs


@pytest.mark.parametrize("format", FORMATS)
def test_integers_are_the_quantized_networks(phone: EmulatedTarget, format: Format) -> None:
    """With dot products and without: far nearer than a conversion's limit, which float32's answers are not."""
    error = phone.measure_error(artifact(format, Precision.W8A8))
    assert error is not None
    assert 0 < error < 1e-5


@pytest.mark.parametrize("format", FORMATS)
def test_half_precision_files_do_too(format: Format, few: Path) -> None:
    with opened("cortex-a76", few) as target:
        error = target.measure_error(artifact(format, Precision.FP16))
    assert error is not None
    assert 0 < error <= TOLERANCES[Precision.FP16].max_abs


@pytest.fixture(scope="module")
def multiply_accumulates() -> float:
    """Count them in the network itself, by torch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from imageqx_export.networks import build

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        build("imageqx").eval()(torch.zeros(1, 3, 224, 224))
    return float(counter.get_total_flops()) / 2


def count(phone: EmulatedTarget, one: Artifact) -> Instructions:
    counted = phone.count_instructions(one, QUICK)
    assert counted is not None
    assert len(counted.repeats) >= 2
    assert counted.spread < 0.005
    return counted


@pytest.mark.parametrize(
    ("cpu", "format"),
    [
        ("cortex-a53", Format.TFLITE),
        ("cortex-a76", Format.ONNX),
    ],
)
def test_counts_repeat_within_half_a_percent_and_float_kernels_are_neon(
    cpu: str, format: Format, few: Path, multiply_accumulates: float
) -> None:
    one = artifact(format, Precision.FP32)
    with opened(cpu, few) as phone:
        counted = count(phone, one)
        assert phone.find_kernels(one) == "neon"
        # Every product of the network was seen; there are more of them, as not every register is full.
        done = sum_work(phone.count_opcodes(one))["neon"]
    assert multiply_accumulates <= done < 1.5 * multiply_accumulates
    assert counted.count > done / 4


@pytest.mark.parametrize("format", FORMATS)
def test_memory_is_the_phones_and_not_the_emulators(few: Path, format: Format) -> None:
    one = artifact(format, Precision.FP32)
    with opened("cortex-a76", few) as phone:
        peak = phone.measure_peak_memory(one, QUICK)
    assert peak is not None
    assert one.size_bytes < peak < 300e6


def tiny(folder: Path, name: str, format: Format) -> Artifact:
    """Describe a file in ``folder`` that is no artifact of ours."""
    path = folder / name
    template = artifact(format, Precision.FP32)
    update = {"path": Path(name), "format": format, "sha256": digest(path), "size_bytes": count_bytes(path)}
    return template.model_copy(update=update)


PRODUCTS = {"tiny.tflite": 2 * 64 * 256 * 256, "tiny.onnx": 64 * 256 * 256}


def make_int8_tflite(path: Path) -> None:
    import litert_torch
    import torch
    from ai_edge_quantizer import quantizer, recipe

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256)).eval()
    floats = path.with_suffix(".float.tflite")
    litert_torch.convert(net, (torch.randn(1, 64, 256),)).export(str(floats))
    quantizer.Quantizer(str(floats), recipe.dynamic_wi8_afp32()).quantize().export_model(str(path))


def make_int8_onnx(path: Path) -> None:
    import numpy as np
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    weights = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "tiny",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 64, 256])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 64, 256])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    floats = path.with_suffix(".float.onnx")
    onnx.save(model, floats)
    quantize_dynamic(floats, path, weight_type=QuantType.QInt8)


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8")
    make_int8_tflite(folder / "tiny.tflite")
    make_int8_onnx(folder / "tiny.onnx")
    return folder


@pytest.mark.filterwarnings("ignore")  # the converters' own
@pytest.mark.parametrize("name", ["tiny.tflite", "tiny.onnx"])
@pytest.mark.parametrize(("cpu", "isa"), [("cortex-a53", "neon"), ("cortex-a76", "dotprod"), ("i8mm", "i8mm")])
def test_int8_kernels_are_those_of_the_cpu(cpu: str, isa: str, name: str, int8: Path) -> None:
    one = tiny(int8, name, Format(Path(name).suffix[1:]))
    with opened(cpu, int8) as target:
        opcodes = target.count_opcodes(one)
        assert target.find_kernels(one) == isa, {op: count for op, count in opcodes.items() if count}
    # What was counted is all the work that there is, and not some of it.
    assert sum_work(opcodes)[isa] >= PRODUCTS[name]
    forbidden = {"cortex-a53": ("sdot", "udot", "smmla", "ummla", "usmmla"), "cortex-a76": ("smmla", "ummla", "usmmla")}
    assert not any(opcodes[op] for op in opcodes for start in forbidden.get(cpu, ()) if op.startswith(start))


@pytest.mark.filterwarnings("ignore")  # the converters' own
def test_counts_repeat_in_another_session(int8: Path) -> None:
    one, counts = tiny(int8, "tiny.onnx", Format.ONNX), []
    for _ in range(2):
        with opened("cortex-a76", int8) as phone:
            counts.append(count(phone, one).count)
    assert abs(counts[0] - counts[1]) / counts[0] < 0.005


@pytest.fixture
def copied(tmp_path: Path, few: Path) -> Path:
    return Path(shutil.copytree(few, tmp_path / "copied"))


@pytest.mark.parametrize("format", FORMATS)
def test_a_broken_artifact_is_an_error(format: Format, copied: Path) -> None:
    one = artifact(format, Precision.FP32)
    data = (copied / one.path).read_bytes()
    (copied / one.path).write_bytes(data[: len(data) // 3])
    with opened("cortex-a76", copied) as target, pytest.raises(MeasurementError, match="does not run"):
        target.measure_error(one)


def test_another_photos_outputs_are_a_large_error(copied: Path) -> None:
    expected = json.loads((copied / "golden/expected.json").read_text())
    names = list(expected)
    swapped = {name: expected[other] for name, other in zip(names, [*names[1:], names[0]], strict=True)}
    (copied / "golden/expected.json").write_text(json.dumps(swapped))
    with opened("cortex-a76", copied) as target:
        error = target.measure_error(artifact(Format.TFLITE, Precision.FP32))
    assert error is not None
    assert error > 0.05


def test_a_slow_emulator_is_killed() -> None:
    target = EmulatedTarget("cortex-a53", timeout=0.5)
    with target.open(FOLDER, [], QUICK, "test"), pytest.raises(DeviceError, match="hangs, and was killed"):
        target.measure_error(artifact(Format.ONNX, Precision.FP32))


def test_the_whole_stage_reports_no_time() -> None:
    target = EmulatedTarget("cortex-a76")
    (one,) = measure(
        FOLDER, target, BenchConfig(QUICK, formats={Format.TFLITE}, precisions={Precision.FP32})
    ).measurements
    assert (one.unavailable, one.notes, one.samples, one.seconds, one.layers) == (None, (), (), (), ())
    assert one.instructions is not None
    assert one.kernels == "neon"
    assert one.max_error is not None
    assert one.peak_memory_bytes is not None
