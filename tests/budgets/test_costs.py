"""Artifacts are held to their budgets, by networks that answer what their photos' pixels say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save
from pydantic import ValidationError
from sklearn.metrics import f1_score

from imageqx_export.artifact import Artifact, Format, Manifest, Precision
from imageqx_export.budgets import costs
from imageqx_export.budgets.check import ArtifactBudget, BudgetReport, check_budgets
from imageqx_export.budgets.limits import Budgets, read_budgets
from imageqx_export.cli.show import budgets as show
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.errors import ArtifactError
from imageqx_export.evaluation.accuracy_loss import Accuracy, Budget, Loss, problems
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.support.files import count_bytes, digest
from imageqx_export.support.store import NO_STORE, Store

SPEC = spec()


PHOTOS = 200


def write_answers(path: Path, row: int) -> None:
    """Write a network that answers what a photo's pixels say: the labels' probabilities in one row, the reasons' below.

    So a photo says what fp32 shall answer in its rows 0 and 1, what w8 shall answer in rows 2 and 3, and so on.
    """
    constants: dict[str, NDArray[Any]] = {"scale": np.array(1 / 255, np.float32)}
    nodes, outputs = [], []
    for name, at, width in (("quality", row, 4), ("explanations", row + 1, 5)):
        constants |= {
            f"{name}_from": np.array([0, at, 0, 0]),
            f"{name}_to": np.array([1, at + 1, width, 1]),
            f"{name}_shape": np.array([1, width]),
        }
        nodes += [
            helper.make_node("Slice", ["image", f"{name}_from", f"{name}_to"], [f"{name}_cut"]),
            helper.make_node("Cast", [f"{name}_cut"], [f"{name}_float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_float", "scale"], [f"{name}_scaled"]),
            helper.make_node("Reshape", [f"{name}_scaled", f"{name}_shape"], [name]),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, width)))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, (1, 224, 224, 3))
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "answers", [image], outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"spec": SPEC.model_dump_json()})
    save(model, str(path))


def answers(labels: NDArray[np.int64], reasons: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return two rows of pixels, [N,2,224,3], that say so with certainty."""
    rows = np.zeros((len(labels), 2, 224, 3), np.uint8)
    rows[np.arange(len(labels)), 0, labels] = 255
    rows[:, 1, :5] = 255 * reasons[:, :, None]
    return rows


@pytest.fixture(scope="module")
def photos() -> LabelledPhotos:
    """Return photos on which fp32 and w8 are always right, and w8a8 gives another label for 6 of 200."""
    rng = np.random.default_rng(0)
    labels, reasons = np.arange(PHOTOS) % 4, rng.random((PHOTOS, 5)) < 0.4
    wrong = labels.copy()
    wrong[:6] = (labels[:6] + 1) % 4
    pixels = np.zeros((PHOTOS, 224, 224, 3), np.uint8)
    for row, label in ((0, labels), (2, labels), (4, wrong)):
        pixels[:, row : row + 2] = answers(label, reasons)
    return LabelledPhotos(
        pixels=pixels,
        quality=labels,
        reasons=reasons.astype(np.float32),
        fitzpatrick=np.zeros(PHOTOS, np.int64),
        names=tuple(map(str, range(PHOTOS))),
        source="photos that say what to answer",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three networks, a file that is none, and a Core ML package that nobody opens."""
    path = tmp_path_factory.mktemp("budgets")
    for row, precision in enumerate(("fp32", "w8", "w8a8")):
        write_answers(path / f"x_{precision}.onnx", 2 * row)
    (path / "x_w8a8.tflite").write_bytes(b"not a network")
    (path / "x_w8.mlpackage").mkdir()
    (path / "x_w8.mlpackage" / "weights").write_bytes(bytes(100))
    return path


def manifest(folder: Path, *names: str) -> Manifest:
    formats = {f.suffix: f for f in Format}
    return Manifest(
        model="x",
        checkpoint_sha256="0",
        artifacts=tuple(
            Artifact(
                path=Path(name),
                format=formats[Path(name).suffix],
                precision=Precision(Path(name).stem[2:]),
                spec=SPEC,
                sha256=digest(folder / name),
                size_bytes=count_bytes(folder / name),
                checkpoint_sha256="0",
                tool_versions={},
            )
            for name in names
        ),
    )


ALL = ("x_fp32.onnx", "x_w8.onnx", "x_w8.mlpackage", "x_w8a8.onnx", "x_w8a8.tflite")


LIMITS = read_budgets().model_copy(update={"size_bytes": {"*.onnx": 10**6, "*.mlpackage": 99}})


@pytest.fixture(scope="module")
def report(folder: Path, photos: LabelledPhotos) -> BudgetReport:
    return check_budgets(folder, manifest(folder, *ALL), folder / "none.safetensors", LIMITS, photos)


def row(report: BudgetReport, name: str) -> ArtifactBudget:
    return next(row for row in report.artifacts if row.path == name)


def test_what_keeps_its_budgets_passes(report: BudgetReport) -> None:
    assert (report.samples, report.reference) == (PHOTOS, "x_fp32.onnx")
    float32, w8 = row(report, "x_fp32.onnx"), row(report, "x_w8.onnx")
    assert float32.problems == w8.problems == ()
    assert float32.accuracy is None and w8.accuracy is not None
    assert (w8.accuracy.quality.points, w8.accuracy.agreement, w8.measured_on) == (0, 100, "x_w8.onnx")


def test_what_costs_too_much_is_named_with_figure_limit_and_next_command(report: BudgetReport) -> None:
    bad = row(report, "x_w8a8.onnx")
    assert bad.accuracy is not None and bad.accuracy.agreement == pytest.approx(97)
    truth = np.arange(PHOTOS) % 4
    lost = 100 - 100 * f1_score(truth, np.where(np.arange(PHOTOS) < 6, (truth + 1) % 4, truth), average="macro")
    assert bad.accuracy.quality.points == pytest.approx(lost, abs=1e-4)
    assert bad.accuracy.quality.interval is not None
    assert any(text.startswith("labels agree on 97.00 % < 98 %") for text in bad.problems)
    assert any(text.startswith(f"quality macro-F1 lost {lost:.2f} points > 0.5") for text in bad.problems)
    assert all("try: imageqx quantize --analyze --precision w8a8" in text for text in bad.problems)
    assert not report.passed


def test_a_file_that_does_not_run_fails_alone(folder: Path, photos: LabelledPhotos) -> None:
    files = manifest(folder, "x_fp32.onnx", "x_w8.onnx", "x_w8a8.tflite")
    report = check_budgets(folder, files, folder / "none.safetensors", LIMITS, photos)
    broken = row(report, "x_w8a8.tflite")
    assert row(report, "x_w8.onnx").problems == ()
    assert broken.accuracy is None and len(broken.problems) == 1
    assert "not a TFLite flatbuffer" in broken.problems[0] and "imageqx parity" in broken.problems[0]


def test_each_format_has_the_figures_of_the_same_graph_and_a_size_of_its_own(report: BudgetReport) -> None:
    assert row(report, "x_w8a8.tflite").measured_on == "x_w8a8.onnx"
    assert row(report, "x_w8a8.tflite").problems == row(report, "x_w8a8.onnx").problems
    package = row(report, "x_w8.mlpackage")
    assert package.measured_on == "x_w8.onnx" and package.accuracy == row(report, "x_w8.onnx").accuracy
    assert len(package.problems) == 1 and package.problems[0].startswith("100 bytes > 99")


def test_sizes_alone_run_nothing(folder: Path) -> None:
    limits = Budgets(schema_version=1, size_bytes={"*": 0, "*.tflite": 13})
    found = check_budgets(folder, manifest(folder, "x_w8a8.tflite"), folder / "none.safetensors", limits)
    assert found.samples == 0 and found.artifacts[0].problems[0].startswith("13 bytes > 0")
    relaxed = limits.model_copy(update={"size_bytes": {"*.tflite": 13}})
    assert check_budgets(folder, manifest(folder, "x_w8a8.tflite"), folder / "none.safetensors", relaxed).passed


def test_what_was_measured_is_kept_and_another_file_alone_is_run_again(
    folder: Path, photos: LabelledPhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, run = [], []

    def draw(*given: object, **others: object) -> LabelledPhotos:
        drawn.append(given)
        return photos

    def run_here(function: Callable[..., object], path: Path, *others: object) -> object:
        run.append(path.name)
        return function(path, *others)

    monkeypatch.setattr(costs, "load_held_out", draw)
    monkeypatch.setattr(costs, "run_isolated", run_here)
    place = tmp_path / "artifacts"
    shutil.copytree(folder, place)

    def check(store: Store) -> BudgetReport:
        return check_budgets(place, manifest(place, *ALL), place / "none.safetensors", LIMITS, store=store)

    store = Store(tmp_path / "cache", lambda: {"code": "1"})
    first = check(store)
    assert sorted(run) == ["x_fp32.onnx", "x_w8.onnx", "x_w8a8.onnx"] and len(drawn) == 1
    assert check(store) == first and len(run) == 3 and len(drawn) == 1
    shutil.copy(place / "x_w8a8.onnx", place / "x_w8.onnx")
    changed = check(store)
    assert run[3:] == [] and changed != first  # its bytes were run before, as the other precision's
    with (place / "x_w8.onnx").open("ab") as file:
        file.write(bytes([0x7A, 0]))  # protobuf's field 15, which ONNX does not have
    check(store)
    assert run[3:] == ["x_w8.onnx"] and len(drawn) == 2
    check(NO_STORE)
    assert len(run) == 7


def test_without_an_fp32_artifact_the_checkpoint_is_the_reference(folder: Path, photos: LabelledPhotos) -> None:
    few = replace(photos, pixels=photos.pixels[:2])
    with pytest.raises(ArtifactError, match="no such file"):
        check_budgets(folder, manifest(folder, "x_w8.onnx"), folder / "none.safetensors", LIMITS, few)


def test_the_report_is_json_and_a_table(report: BudgetReport, capsys: pytest.CaptureFixture[str]) -> None:
    assert BudgetReport.model_validate_json(report.model_dump_json()) == report
    assert show.to_json(report)["passed"] is False
    show.show_budgets(report)
    printed = capsys.readouterr().out
    assert (
        "x_w8a8.onnx: labels agree on 97.00 % < 98 %" in printed and "as its" in printed and "95 % intervals" in printed
    )
    assert "2 of 5 artifacts keep their budgets" in printed


@pytest.mark.parametrize("name", ["quality", "explanations", "reasons", "ece", "agreement"])
def test_a_measurement_that_is_no_number_is_over_every_budget(name: str) -> None:
    none = Loss(points=0.0)
    nothing = Accuracy(
        photos=1,
        quality=none,
        explanations=none,
        reasons={"blurry": none},
        agreement=100,
        ece={"label": 0.0},
        mean_abs=0,
    )
    nan = Loss.model_construct(points=float("nan"))
    worse = {"quality": nan, "explanations": nan, "reasons": {"blurry": nan}, "agreement": float("nan")}
    worse["ece"] = {"label": float("nan")}
    budget = Budget(macro_f1=100, reason_f1=100, agreement=0, ece=100)
    assert problems(nothing, budget) == ()
    assert len(problems(nothing.model_copy(update={name: worse[name]}), budget)) == 1
    with pytest.raises(ValidationError):
        Loss(points=float("nan"))
