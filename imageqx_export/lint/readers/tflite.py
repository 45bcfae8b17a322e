"""Read TFLite files: a flatbuffer has no checksum, and points wherever its offsets say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imageqx_export.errors import ArtifactError
from imageqx_export.lint.model import Graph, Operator, Value
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import name_error

MOST = 1_000_000
"""Tensors and operators of a believable file."""


def read(path: Path) -> Graph:
    """Return the first subgraph.

    Raises:
        ArtifactError: It is not a TFLite file.
        UnavailableError: ai-edge-litert is not installed.
    """
    require("ai_edge_litert")
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ArtifactError("not a TFLite file", where=path, expected="the identifier TFL3", got=repr(content[4:8]))
    with translate_errors(  # flatbuffers has no error of its own: it unpacks whatever the offsets point to
        lambda error: ArtifactError("a damaged TFLite file", where=path, got=name_error(error))
    ):
        return _read_graph(content)


def _read_graph(content: bytes) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    if graph is None:
        raise ValueError("no subgraph")
    for count in (graph.TensorsLength(), graph.OperatorsLength(), model.OperatorCodesLength()):
        if count > MOST:
            raise ValueError(f"{count} tensors or operators")
    types, kinds = _read_names(schema.TensorType), _read_names(schema.BuiltinOperator)
    tensors = [_read_value(graph.Tensors(i), model, types) for i in range(graph.TensorsLength())]
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]

    def values(indexes: Any) -> tuple[Value, ...]:
        return tuple(tensors[index] for index in indexes if index >= 0)

    operators = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = codes[operator.OpcodeIndex()]
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = kinds.get(kind, f"operator {kind}")
        if name == "CUSTOM":
            name = (code.CustomCode() or b"CUSTOM").decode("utf-8", "replace")
        inputs = [operator.Inputs(k) for k in range(operator.InputsLength())]
        outputs = [operator.Outputs(k) for k in range(operator.OutputsLength())]
        operators.append(Operator(name, values(inputs), values(outputs), code.Version()))
    ends = [
        [getattr(graph, side)(i) for i in range(getattr(graph, f"{side}Length")())] for side in ("Inputs", "Outputs")
    ]
    return Graph("tflite", tuple(operators), values(ends[0]), values(ends[1]))


def _read_value(tensor: Any, model: Any, types: dict[int, str]) -> Value:
    buffer = model.Buffers(tensor.Buffer())
    signature = [tensor.ShapeSignature(i) for i in range(tensor.ShapeSignatureLength())]
    shape = signature or [tensor.Shape(i) for i in range(tensor.ShapeLength())]
    quantization = tensor.Quantization()
    return Value(
        (tensor.Name() or b"").decode("utf-8", "replace"),
        types.get(tensor.Type(), "?").lower(),
        tuple(None if size < 0 else int(size) for size in shape),
        constant=buffer is not None and (buffer.DataLength() > 0 or buffer.Offset() > 1),
        scales=0 if quantization is None else quantization.ScaleLength(),
    )


def _read_names(kind: Any) -> dict[int, str]:
    return {value: name for name, value in vars(kind).items() if isinstance(value, int)}
