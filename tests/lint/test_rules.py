"""Each rule on a graph that breaks it and on one that keeps it, written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.lint.model import Graph, LintReport, Operator, Value
from imageqx_export.lint.rules import RULES
from imageqx_export.lint.rules.shapes import NOT_FOR_NPUS
from imageqx_export.lint.stage import check_graph

BYTES = Value("image", "uint8", (1, 8, 8, 3))
FLOATS = Value("f", "float32", (1, 8, 8, 3))
HALVES = Value("h", "float16", (1, 8, 8, 3))
SHORTS = Value("q", "uint8", (1, 3, 8, 8))
TURNED = Value("t", "float32", (1, 3, 8, 8))
POOLED = Value("p", "float32", (1, 3))
INDEXES = Value("shape", "int64", (4,))


def onnx(*operators: Operator, inputs: tuple[Value, ...] = (BYTES,), opset: int = 18, ir: int = 8) -> Graph:
    return Graph("onnx", operators, inputs, (FLOATS,), opset, ir)


def tflite(*operators: Operator) -> Graph:
    return Graph("tflite", operators, (BYTES,), (FLOATS,))


def found(graph: Graph) -> dict[str, str]:
    return {finding.rule: finding.level for finding in check_graph(Path("a"), graph).findings}


def channel_wise(scales: int) -> Operator:
    return Operator("DEQUANTIZE", (Value("w", "int8", (8,), constant=True, scales=scales),), (FLOATS,), 5)


NEEDS_18 = Operator("ReduceMean", (FLOATS,), (FLOATS,), 18)
BROKEN = {
    "cast-from-uint8": [
        onnx(Operator("Cast", (BYTES,), (FLOATS,), 13), NEEDS_18),
        tflite(Operator("CAST", (BYTES,), (FLOATS,))),
    ],
    "integers-moved-outside-qdq": [onnx(Operator("Transpose", (BYTES,), (SHORTS,), 13), NEEDS_18)],
    "per-channel-dequantize": [tflite(channel_wise(8))],
    "mean-of-transposed": [tflite(Operator("TRANSPOSE", (FLOATS,), (TURNED,)), Operator("MEAN", (TURNED,), (POOLED,)))],
    "float32-among-float16": [
        Graph("mlpackage", (Operator("conv", (HALVES,), (HALVES,)), Operator("sub", (FLOATS,), (FLOATS,))))
    ],
    "dynamic-shape": [
        onnx(NEEDS_18, inputs=(Value("image", "uint8", (None, 8, None, 3)),)),
        Graph("tflite", (), (Value("image", "uint8", (1, None, 8, 3)),), ()),
    ],
    "dynamic-batch": [
        onnx(NEEDS_18, inputs=(Value("image", "uint8", (None, 8, 8, 3)),)),
        Graph("tflite", (), (), (Value("quality", "float32", (None, 4)),)),
    ],
    "outside-qnn-list": [
        onnx(Operator("NonZero", (FLOATS,), (INDEXES,), 13), NEEDS_18),
        onnx(Operator("FusedGelu", (FLOATS,), (FLOATS,), 0, "com.somebody"), NEEDS_18),
    ],
    "outside-gpu-list": [tflite(Operator("NON_MAX_SUPPRESSION_V4", (FLOATS,), (FLOATS,)))],
    "ir-too-high": [onnx(NEEDS_18, ir=10), onnx(Operator("Add", (), (), 7), opset=14, ir=8)],
    "opset-higher-than-needed": [onnx(Operator("Add", (FLOATS,), (FLOATS,), 14), opset=18)],
    "16-kb-pages": [Graph("library", alignments={"lib/arm64-v8a/a.so": 4096})],
}
KEPT = {
    "cast-from-uint8": [
        onnx(Operator("DequantizeLinear", (BYTES,), (FLOATS,), 13), NEEDS_18),
        onnx(Operator("Cast", (Value("w", "uint8", (3,), constant=True),), (FLOATS,), 13), NEEDS_18),
        onnx(Operator("Cast", (INDEXES,), (FLOATS,), 13), NEEDS_18),
    ],
    "integers-moved-outside-qdq": [
        onnx(Operator("Transpose", (FLOATS,), (FLOATS,), 13), NEEDS_18),
        onnx(Operator("Concat", (INDEXES,), (INDEXES,), 13), NEEDS_18),
    ],
    "per-channel-dequantize": [tflite(channel_wise(1)), tflite(channel_wise(0))],
    "mean-of-transposed": [
        tflite(Operator("MEAN", (FLOATS,), (POOLED,)), Operator("TRANSPOSE", (FLOATS,), (TURNED,))),
        tflite(Operator("TRANSPOSE", (FLOATS,), (TURNED,)), Operator("RELU", (TURNED,), (POOLED,))),
    ],
    "float32-among-float16": [
        Graph("mlpackage", (Operator("sub", (FLOATS,), (FLOATS,)),)),
        Graph("mlpackage", (Operator("conv", (HALVES,), (HALVES,)), Operator("cast", (HALVES,), (FLOATS,)))),
    ],
    "dynamic-batch": [onnx(NEEDS_18), onnx(NEEDS_18, inputs=(Value("image", "uint8", (None, None)),))],
    "dynamic-shape": [
        onnx(NEEDS_18, inputs=(Value("image", "uint8", (None, 8, 8, 3)),)),
        onnx(NEEDS_18, inputs=(Value("image", "uint8"),)),
    ],
    "outside-qnn-list": [onnx(NEEDS_18)],
    "outside-gpu-list": [tflite(Operator("CONV_2D", (FLOATS,), (FLOATS,)))],
    "ir-too-high": [onnx(NEEDS_18, ir=8), onnx(NEEDS_18, ir=7), onnx(NEEDS_18, opset=21, ir=10)],
    "opset-higher-than-needed": [onnx(NEEDS_18), onnx(Operator("Own", (FLOATS,), (FLOATS,), 0, "com.somebody"))],
    "16-kb-pages": [Graph("library", alignments={"a.so": 16384, "b.so": 65536})],
}


def test_every_rule_is_tested_and_says_who_says_so() -> None:
    names = [rule.name for rule in RULES]
    assert set(names) == set(BROKEN) == set(KEPT) and len(set(names)) == len(names)
    assert all(rule.reason and rule.source and rule.mend for rule in RULES)


@pytest.mark.parametrize(("rule", "graph"), [(rule, graph) for rule, graphs in BROKEN.items() for graph in graphs])
def test_a_broken_rule_is_found(rule: str, graph: Graph) -> None:
    level = next(row.level for row in RULES if row.name == rule)
    assert found(graph)[rule] == level


@pytest.mark.parametrize(("rule", "graph"), [(rule, graph) for rule, graphs in KEPT.items() for graph in graphs])
def test_a_rule_that_is_kept_is_not_found(rule: str, graph: Graph) -> None:
    assert rule not in found(graph)


def test_errors_come_first_and_fail_the_file() -> None:
    graph = onnx(Operator("Cast", (BYTES,), (FLOATS,), 13), NEEDS_18, ir=10)
    result = check_graph(Path("a"), graph)
    assert [finding.level for finding in result.findings] == ["error", "warning"] and not result.passed
    assert check_graph(Path("a"), onnx(NEEDS_18, ir=10)).passed, "a warning fails nothing"


def test_what_was_asked_for_is_a_note_in_those_files_alone() -> None:
    open_batch = onnx(NEEDS_18, inputs=(Value("image", "uint8", (None, 8, 8, 3)),))
    open_height = onnx(NEEDS_18, inputs=(Value("image", "uint8", (None, None, 8, 3)),))
    graphs = {"asked.onnx": open_batch, "other.onnx": open_batch, "open.onnx": open_height}
    report = LintReport(files=tuple(check_graph(Path(name), graph) for name, graph in graphs.items()))
    lowered = report.lower(NOT_FOR_NPUS, {Path("asked.onnx"), Path("open.onnx")})
    assert [file.passed for file in lowered.files] == [True, False, False]
    assert [one.level for one in lowered.files[0].findings if one.rule == "dynamic-batch"] == ["note"]
