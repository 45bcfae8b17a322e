"""Accelerators' own compilers and simulators, for real: make test-accelerators.

The GPU and Ethos-U are always asked, Qualcomm where IMAGEQX_ACCEPT_QUALCOMM_LICENSE=1 says that you accept its licence.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from imageqx_export.artifact import Precision
from imageqx_export.bundle.golden import load_golden_pixels
from imageqx_export.compat.accelerator import load_accelerator
from imageqx_export.compat.qualcomm.target import ACCEPT
from imageqx_export.compat.stage import check_compat
from imageqx_export.errors import UnavailableError
from tests.conftest import ROOT, run_cli
from tests.export.tflite.test_accelerators import Graph

ARTIFACTS = ROOT / "artifacts" / "imageqx"
qualcomm = pytest.mark.skipif(
    os.environ.get(ACCEPT) != "1", reason=f"{ACCEPT}=1 says that you accept the Qualcomm AI Stack License"
)


def ask(target: str, *arguments: str | Path) -> dict[str, Any]:
    result = run_cli("compat", ARTIFACTS, "--target", target, "--json", *arguments)
    assert result.stdout, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {row["artifact"]: row["verdict"] for row in report["results"]}


def test_every_tflite_file_is_right_on_the_gpu_and_all_but_w8_are_whole() -> None:
    report = ask("gpu")
    assert report["passed"] and [control["found"] for control in report["controls"]] == [True]
    assert set(verdicts(report).values()) == {"right"} and len(report["results"]) == 4
    taken = {row["artifact"]: row["coverage"] for row in report["results"]}
    for precision in ("fp32", "fp16", "w8a8"):
        coverage = taken[f"imageqx_{precision}.tflite"]
        assert coverage["accelerated"] == coverage["total"] > 100
    (refused,) = taken["imageqx_w8.tflite"]["refused"]
    assert refused["operator"] == "DEQUANTIZE" and refused["count"] > 50


def test_ethos_u_takes_all_but_the_float_heads_of_w8a8() -> None:
    report = ask("ethos-u:U65-256,U85-1024", "--precisions", "fp32,w8a8")
    assert report["passed"] and all(control["found"] for control in report["controls"])
    for row in report["results"]:
        if row["precision"] == "fp32":
            assert row["verdict"] == "refused" and row["coverage"]["accelerated"] == 0
            continue
        assert row["verdict"] == "right" and row["estimated_seconds"] > 0
        assert row["coverage"]["total"] - row["coverage"]["accelerated"] == 12, "the heads'"


def test_another_networks_answers_are_found_wrong(tmp_path: Path) -> None:
    """The reference is PyTorch's outputs; with those of other pictures, the same file is wrong."""
    folder = tmp_path / "imageqx"
    folder.mkdir()
    for path in ARTIFACTS.iterdir():
        if path.name != "golden":
            (folder / path.name).symlink_to(path)
    (folder / "golden").mkdir()
    for path in (path for path in (ARTIFACTS / "golden").iterdir() if path.is_file()):
        text = path.read_bytes()
        if path.name.startswith("expected"):
            rows = json.loads(text)
            text = json.dumps(dict(zip(rows, reversed(rows.values()), strict=True))).encode()
        (folder / "golden" / path.name).write_bytes(text)
    report = check_compat(folder, ["gpu"], precisions=[Precision.W8A8])
    assert [row.verdict for row in report.results] == ["wrong"] and not report.passed


def test_without_swiftshader_the_gpu_is_unavailable_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGEQX_VULKAN_DRIVER", str(tmp_path / "none.json"))
    with pytest.raises(UnavailableError, match="no SwiftShader"):
        check_compat(ARTIFACTS, ["gpu"])


def test_the_controls_file_is_what_the_code_here_writes() -> None:
    from ai_edge_litert import schema_py_generated as schema

    from imageqx_export.compat import accelerator
    from imageqx_export.export.tflite import flatbuffer
    from imageqx_export.export.tflite.accelerators import enter_by_dequantizing

    made = Graph()
    image, floats, out = (made.tensor((1, 8, 8, 3), kind) for kind in ("UINT8", "FLOAT32", "FLOAT32"))
    made.operator("CAST", [image], floats)
    made.operator("MUL", [floats, made.tensor(np.full((1, 1, 1, 3), 2, np.float32), "FLOAT32")], out)
    model = made.ends(image, out)
    enter_by_dequantizing(model)
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    for side, name, index in (("inputs", b"image", image), ("outputs", b"y", out)):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        setattr(signature, side, [entry])
    model.signatureDefs = [signature]
    assert flatbuffer.write(model) == Path(accelerator.__file__).with_name("control.tflite").read_bytes()


@qualcomm
def test_qualcomm_computes_w8a8_whole_and_right_operator_by_operator() -> None:
    report = ask("qualcomm:SM8650", "--precisions", "w8a8", "--steps")
    assert report["passed"] and set(verdicts(report).values()) == {"right"} and len(report["results"]) == 2
    assert [control["found"] for control in report["controls"]] == [True]
    onnx_row, tflite_row = report["results"]
    assert onnx_row["steps"]["worst"] == 1 and 0 < onnx_row["steps"]["differing"] < onnx_row["steps"]["values"] / 20
    assert all(4e6 < row["dram_bytes"] < 6e6 for row in (onnx_row, tflite_row)), "the weights, and little more"
    assert [row["max_abs"] for row in onnx_row["outputs"]] == [row["max_abs"] for row in tflite_row["outputs"]]


@qualcomm
def test_qualcomm_is_found_wrong_with_the_cast(tmp_path: Path) -> None:
    model = onnx.load(ARTIFACTS / "imageqx_fp32.onnx")
    entry = next(node for node in model.graph.node if "image" in node.input)
    assert entry.op_type == "DequantizeLinear"
    entry.op_type = "Cast"
    del entry.input[1:], entry.attribute[:]
    entry.attribute.append(onnx.helper.make_attribute("to", onnx.TensorProto.FLOAT))
    onnx.save(model, tmp_path / "cast.onnx")
    report = check_compat(ARTIFACTS, ["qualcomm"], files=[tmp_path / "cast.onnx"])
    (row,) = report.results
    assert row.verdict == "wrong" and row.coverage is not None and row.coverage.whole and row.reference == "cpu"


@qualcomm
def test_qualcomm_gives_float16s_answers_and_not_the_cpus() -> None:
    accelerator = load_accelerator("qualcomm")
    answer = accelerator.run(ARTIFACTS / "imageqx_fp32.onnx", "SM8650", load_golden_pixels(ARTIFACTS)[:1], steps=False)
    rows = json.loads((ARTIFACTS / "golden" / "expected.json").read_text())
    assert answer.outputs is not None
    apart = np.abs(answer.outputs["quality"][0] - np.array(rows["00.png"]["quality"])).max()
    assert 1e-5 < apart < 0.05
