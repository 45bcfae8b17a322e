"""The matrix with places that answer as they are told: verdicts, what is compared, and that one failure stays one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from imageqx_export.artifact import Format, Outputs, Pixels, Precision
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels
from imageqx_export.compat.environments import Environment
from imageqx_export.compat.versions import stage
from imageqx_export.compat.versions.budget import Must, RuntimeBudget
from imageqx_export.compat.versions.catalogue import Release
from imageqx_export.compat.versions.model import RuntimeReport
from imageqx_export.compat.versions.places import HostPlace, Reply
from imageqx_export.errors import UnavailableError
from tests.binary_spec import binary_spec

Replies = Callable[[], Reply]


@dataclass(frozen=True)
class Told:
    """A place that says what it is told to, of ONNX files."""

    version: str
    replies: Replies
    trouble: str = ""
    format: Format = Format.ONNX
    runtime: str = "onnxruntime"
    variant: str = "default"
    machine: str = "x86-64"
    app: str = "onnxruntime-android:1"

    def prepare(self) -> None:
        if self.trouble:
            raise UnavailableError(self.trouble, remedy="buy it")

    def ask(self, path: Path, pixels: Pixels) -> Reply:
        return self.replies()


@pytest.fixture
def golden(exported: Path) -> Outputs:
    return load_golden_outputs(exported, Precision.FP32)


def ask(
    monkeypatch: pytest.MonkeyPatch, exported: Path, *places: Told, budget: RuntimeBudget | None = None
) -> RuntimeReport:
    monkeypatch.setattr(stage, "list_places", lambda wanted: list(places))
    return stage.check_runtimes(exported, precisions=[Precision.FP32], budget=budget)


def test_right_numbers_are_right_and_those_of_other_pictures_are_not(
    exported: Path, golden: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = {name: values[::-1].copy() for name, values in golden.items()}
    broken = {**golden, "quality": np.full_like(golden["quality"], np.nan)}
    report = ask(
        monkeypatch,
        exported,
        Told("1.0", lambda: Reply(outputs=golden, load_seconds=0.1)),
        Told("1.1", lambda: Reply(outputs=turned)),
        Told("1.2", lambda: Reply(outputs=broken)),
        Told("1.3", lambda: Reply(outputs={"quality": golden["quality"]})),
    )
    right, other, nan, short = report.results
    assert (right.verdict, right.max_abs, right.differing, right.decisions) == ("right", 0.0, 0, 12 * 6)
    assert right.load_seconds == 0.1 and [row.output for row in right.outputs] == list(golden)
    assert other.verdict == "wrong" and other.differing and other.max_abs and other.max_abs > 0.1
    assert "quality: max |Δ|" in other.problem
    assert nan.verdict == "wrong" and "NaN" in nan.problem and nan.max_abs is None
    assert short.verdict == "wrong" and "told by its shape" in short.problem
    assert report.images == 12 and report.source == "golden"


def test_what_one_version_does_leaves_the_others_alone(
    exported: Path, golden: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ask(
        monkeypatch,
        exported,
        Told("1.0", lambda: Reply(refused="it says IR 10")),
        Told("1.1", lambda: Reply(failed="the tool crashed (signal 11)")),
        Told("1.2", lambda: pytest.fail("it cannot be asked"), trouble="no wheel"),
        Told("1.3", lambda: Reply(outputs=golden)),
        Told("1.4", Reply),
    )
    assert [row.verdict for row in report.results] == ["refused", "failed", "unavailable", "right", "failed"]
    assert [row.problem for row in report.results][:3] == [
        "it says IR 10",
        "the tool crashed (signal 11)",
        "no wheel (try: buy it)",
    ]
    assert [row.version for row in report.to_table().rows] == ["1.0", "1.1", "1.3", "1.4"], "nothing is known of 1.2"


def test_the_budget_wants_passes_and_what_cannot_be_had_is_none(
    exported: Path, golden: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    must = Must.model_validate({"artifacts": "*.onnx", "runtime": "onnxruntime", "from": "1.1"})
    budget = RuntimeBudget(schema_version=1, must=(must,))

    def right() -> Reply:
        return Reply(outputs=golden)

    old = Told("1.0", lambda: Reply(refused="too old"))
    assert ask(monkeypatch, exported, old, Told("1.1", right), budget=budget).passed
    report = ask(monkeypatch, exported, old, Told("1.1", right, trouble="no wheel"), Told("1.2", right), budget=budget)
    assert not report.passed and [row.version for row in report.broken] == ["1.1"]
    assert not RuntimeReport(images=12, source="golden", results=()).passed


def test_where_nothing_can_be_had_it_is_an_error_and_no_table(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match=r"no runtime could be asked[\s\S]*no wheel"):
        ask(monkeypatch, exported, Told("1.0", Reply, trouble="no wheel"))


def test_readers_are_compared_with_the_newest(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = {"format": Format.COREML, "runtime": "coremltools", "variant": "reader"}
    report = ask(
        monkeypatch,
        exported,
        *(
            Told(version, lambda program=program: Reply(program=program), **reader)  # type: ignore[arg-type,misc]
            for version, program in {"7.2": "another", "8.3.0": "same", "10.0": "same"}.items()
        ),
    )
    assert [row.verdict for row in report.results] == ["wrong", "read", "read"]
    assert report.results[0].problem == "it reads another program than coremltools 10.0"


def test_pictures_have_the_size_that_the_model_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, seen = SimpleNamespace(artifacts=(SimpleNamespace(spec=binary_spec()),)), []
    monkeypatch.setattr(stage, "read_manifest", lambda folder: manifest)
    monkeypatch.setattr(stage, "list_places", lambda wanted: [])
    monkeypatch.setattr(stage, "list_subjects", lambda *given: [])
    monkeypatch.setattr(stage, "find_references", lambda folder, subjects, spec, pixels, file: seen.append(pixels))
    stage.check_runtimes(tmp_path, checkpoint=tmp_path / "any.safetensors")
    assert seen[0].shape == (32, 40, 64, 3), "32 photos of two regions are 64 pictures"


class Here(HostPlace):
    """The project's own environment in the place of a release's."""

    def __init__(self, runtime: str, format: Format, variant: str) -> None:
        super().__init__(Release(runtime, "1.0", format, (variant,), "", ()), variant)
        self._environment = Environment("here", None)


@pytest.mark.parametrize(
    ("runtime", "format", "variant"),
    [
        ("onnxruntime", Format.ONNX, "default"),
        ("litert", Format.TFLITE, "xnnpack"),
        ("litert", Format.TFLITE, "builtin"),
        ("litert", Format.TFLITE, "compiled"),
    ],
)
def test_the_worker_opens_files_and_gives_their_numbers(
    exported: Path, golden: Outputs, runtime: str, format: Format, variant: str
) -> None:
    place = Here(runtime, format, variant)
    reply = place.ask(exported / f"imageqx_fp32{format.suffix}", load_golden_pixels(exported)[:2])
    assert (reply.refused, reply.failed, reply.unavailable) == ("", "", "")
    assert reply.outputs is not None and reply.load_seconds and reply.load_seconds > 0
    for name, values in golden.items():
        np.testing.assert_allclose(reply.outputs[name], values[:2], atol=1e-4)


def test_a_file_that_is_none_is_refused_and_a_runtime_that_is_missing_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"no model")
    pixels = np.zeros((1, 224, 224, 3), np.uint8)
    assert "InvalidProtobuf" in Here("onnxruntime", Format.ONNX, "default").ask(path, pixels).refused
    missing = Here("tflite-runtime", Format.TFLITE, "xnnpack").ask(path, pixels)
    assert "No module named 'tflite_runtime'" in missing.unavailable and not missing.refused
