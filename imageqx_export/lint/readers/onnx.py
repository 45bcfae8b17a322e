"""Read ONNX files; weights that lie outside the file are not followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imageqx_export.errors import ArtifactError
from imageqx_export.lint.model import Graph, Operator, Value
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import name_error


def read(path: Path) -> Graph:
    """Return the graph; shapes and types are inferred where the file does not give them.

    Raises:
        ArtifactError: It is not an ONNX file.
        UnavailableError: onnx is not installed.
    """
    require("onnx")
    import onnx

    with translate_errors(lambda error: ArtifactError("not an ONNX file", where=path, got=name_error(error))):
        model = onnx.load_model(str(path), load_external_data=False)
        # Inference is a help, and gives up on what it does not know.
        return _make_graph(onnx.shape_inference.infer_shapes(model), path)


def _make_graph(model: Any, path: Path) -> Graph:
    graph, opsets = model.graph, {row.domain: row.version for row in model.opset_import}
    if not graph.node and not graph.output:
        raise ArtifactError("not an ONNX file", where=path, got="a graph without operators or outputs")
    held = {tensor.name: _read_constant(tensor) for tensor in graph.initializer}
    known = {value.name: _read_value(value) for value in (*graph.value_info, *graph.input, *graph.output)} | held

    def values(names: Any) -> tuple[Value, ...]:
        return tuple(known.get(name, Value(name)) for name in names if name)

    opset = opsets.get("", opsets.get("ai.onnx"))
    operators = tuple(
        Operator(node.op_type, values(node.input), values(node.output), _find_since(node, opset), node.domain)
        for node in graph.node
    )
    inputs = values(value.name for value in graph.input if value.name not in held)
    return Graph("onnx", operators, inputs, values(v.name for v in graph.output), opset, model.ir_version)


def _find_since(node: Any, opset: int | None) -> int:
    """Return the opset that brought this form of an operation; 0 for one of another domain, or unknown."""
    import onnx

    if node.domain not in ("", "ai.onnx") or opset is None:
        return 0
    try:
        return int(onnx.defs.get_schema(node.op_type, opset, "").since_version)
    except onnx.defs.SchemaError:
        return 0


def _read_constant(tensor: Any) -> Value:
    return Value(tensor.name, _read_dtype(tensor.data_type), tuple(tensor.dims), constant=True)


def _read_value(value: Any) -> Value:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return Value(value.name, _read_dtype(kind.elem_type))
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim)
    return Value(value.name, _read_dtype(kind.elem_type), shape)


def _read_dtype(kind: int) -> str:
    import onnx

    name = str(onnx.TensorProto.DataType.Name(kind)).lower()
    return {"undefined": "?", "float": "float32", "double": "float64"}.get(name, name)
