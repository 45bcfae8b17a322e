"""Artifacts that do next to nothing, with a manifest and golden outputs, and a target that only remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.tiny_models import write_onnx, write_tflite
from imageqx_export.artifact import Artifact, Format, Manifest, ModelSpec, Precision, TensorSpec
from imageqx_export.bench.model import BenchRun, Instructions, LayerCost, Machine, Measurement, ProcessSample, Schedule
from imageqx_export.bench.photo import PhotoSample, PhotoTurn
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.files import count_bytes, digest

PHOTO = (1, 224, 224, 3)
SPEC = ModelSpec(
    name="tiny",
    inputs=(TensorSpec(name="image", shape=PHOTO, dtype="uint8"),),
    outputs=(TensorSpec(name="same", shape=PHOTO, dtype="float32"),),
    labels=("any",),
    reasons=(),
    thresholds={},
    hints={},
)
SHORT = Schedule(warmup_runs=2, warmup_seconds=0, runs=6, seconds=0.0, processes=2)


def make_run() -> BenchRun:
    """Return a run of one file that was only looked at: the least that a history's line can say."""
    measured = Measurement(artifact="a", sha256="0", format=Format.ONNX, precision=Precision.FP32, size_bytes=1)
    return BenchRun(
        run_id="a",
        started=1.0,
        commit="c",
        target="host",
        machine=Machine(name="m", cores=1, abi="x86_64", system="s"),
        schedule=Schedule(),
        tool_versions={},
        checkpoint_sha256="0",
        measurements=(measured,),
    )


def tiny_folder(folder: Path, *, off_by: float = 0.0, coreml: bool = True) -> Path:
    """Write a TFLite and an ONNX file that give back their photo as floats, and golden outputs that say so.

    Args:
        folder: Where.
        off_by: What is added to one golden number.
        coreml: Whether there is a package, too, whose inside nobody reads.
    """
    (folder / "golden").mkdir(parents=True)
    pixels = np.random.default_rng(5).integers(0, 256, PHOTO[1:], np.uint8)
    Image.fromarray(pixels).save(folder / "golden" / "00.png")
    expected = pixels.astype(np.float64)
    expected[3, 2, 1] += off_by
    (folder / "golden" / "expected.json").write_text(json.dumps({"00.png": {"same": expected.tolist()}}))
    files = [write_tflite(folder / "tiny_fp32.tflite", PHOTO), write_onnx(folder / "tiny_fp16.onnx", PHOTO)]
    if coreml:
        package = folder / "tiny_fp32.mlpackage"
        package.mkdir()
        (package / "Manifest.json").write_text("{}")
        files.append(package)
    manifest = Manifest(
        model="tiny",
        checkpoint_sha256="c" * 64,
        artifacts=tuple(_artifact(folder, path) for path in files),
        golden={path.name: digest(path) for path in (folder / "golden").iterdir()},
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder


def _artifact(folder: Path, path: Path) -> Artifact:
    return Artifact(
        path=path.relative_to(folder),
        format=next(f for f in Format if f.suffix == path.suffix),
        precision=Precision(path.stem.rpartition("_")[2]),
        spec=SPEC,
        sha256=digest(path),
        size_bytes=count_bytes(path),
        checkpoint_sha256="c" * 64,
        tool_versions={},
    )


class FakePhone:
    """A target that writes down what it was asked, and fails where it is told to.

    Args:
        timed: Whether its seconds mean anything.
        fails: What to raise, by the name of the call and of the file, such as ``("sample", "tiny_fp32.tflite")``.
    """

    name = "fake"

    def __init__(self, timed: bool = True, fails: dict[tuple[str, str], BaseException] | None = None) -> None:
        self.timed, self.fails = timed, fails or {}
        self.calls: list[tuple[str, str]] = []
        self.run_ids: list[str] = []
        self.ready = 0

    @contextmanager
    def open(self, folder: Path, artifacts: Sequence[Artifact], schedule: Schedule, run_id: str) -> Iterator[Machine]:
        self.calls.append(("open", ""))
        self.run_ids.append(run_id)
        try:
            yield Machine(name="fake phone", cores=8, abi="arm64-v8a", system="none", facts={"governor": "performance"})
        finally:
            self.calls.append(("close", ""))

    def explain_unavailable(self, artifact: Artifact) -> str | None:
        return "needs macOS" if artifact.format is Format.COREML else None

    def wait_until_ready(self) -> None:
        self.ready += 1

    def sample(self, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        self._call("sample", artifact)
        number = len(self.calls)
        return ProcessSample(
            load_seconds=0.1, first_seconds=0.2, seconds=(0.01, 0.01 * number), temperature_before=30.0 + number
        )

    def measure_peak_memory(self, artifact: Artifact, schedule: Schedule) -> int | None:
        self._call("measure_peak_memory", artifact)
        return 64 * 2**20

    def count_instructions(self, artifact: Artifact, schedule: Schedule) -> Instructions | None:
        self._call("count_instructions", artifact)
        return Instructions(count=2e6, repeats=(2e6, 2.001e6), source="fake")

    def profile_layers(self, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        self._call("profile_layers", artifact)
        return (LayerCost(name="a", kind="CAST", seconds=0.001),)

    def find_kernels(self, artifact: Artifact) -> str | None:
        self._call("find_kernels", artifact)
        return "neon"

    def measure_error(self, artifact: Artifact) -> float | None:
        self._call("measure_error", artifact)
        return 1e-6

    def list_tool_versions(self) -> dict[str, str]:
        return {"fake": "1.0"}

    def _call(self, what: str, artifact: Artifact) -> None:
        self.calls.append((what, artifact.path.name))
        failure = self.fails.get((what, artifact.path.name))
        if failure is not None:
            raise failure


class FakeTarget(FakePhone):
    """One that times photos, as this machine does."""

    def time_photo(self, artifact: Artifact, schedule: Schedule) -> PhotoSample | None:
        self._call("time_photo", artifact)
        turns = [PhotoTurn(pixels=0.03, inference=0.01 * k, decision=0.001) for k in (3, 1, 2)]
        return PhotoSample(photo="a photo", load=0.1, cold=turns[0], warm=tuple(turns[1:]))


def gone() -> DeviceError:
    return DeviceError("the phone is gone", where="fake")


def broken() -> MeasurementError:
    return MeasurementError("the runner crashed", got="SIGSEGV")
