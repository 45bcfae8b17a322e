"""Run single operators of a quantized ONNX file on the simulator, each fed with the CPU's own integers.

Stands alone, beside worker.py. What a whole network loses is the sum of some 170 roundings; whether each operator is
right is another question, and this is the answer to it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

SAMPLED = 32
"""Operators that are run, evenly spread over the graph: each costs a compilation."""
KINDS = ("Conv", "Mul", "Add", "Sigmoid", "GlobalAveragePool", "Concat", "Reshape", "Transpose")


def count_steps(path: Path, pixels: Any, open_session: Callable[[bytes], Any]) -> dict[str, Any] | None:
    """Compare sampled operators with the CPU's.

    Args:
        path: An ``.onnx`` file with quantize and dequantize operations.
        pixels: One picture, uint8 [1,h,w,3].
        open_session: Opens a model on the accelerator.

    Returns:
        ``operators``, ``values``, ``differing``, ``worst``: see Steps in compat/model.py; and ``kinds``, of each kind
        the share of its values that differ. None where the file has no operators of integers.
    """
    model = onnx.load(str(path))
    pieces = list(_list_pieces(model.graph))
    if not pieces:
        return None
    pieces = pieces[:: max(1, len(pieces) // SAMPLED)][:SAMPLED]
    wanted = sorted({name for piece in pieces for name in (*piece[1], piece[2])} - {model.graph.input[0].name})
    integers = _list_intermediate(model, wanted, pixels)
    counts: dict[str, list[int]] = {}
    worst = 0
    for nodes, inputs, output in pieces:
        feeds = {name: integers[name] for name in inputs}
        (got,) = open_session(_cut(model, nodes, feeds, output, integers[output])).run(None, feeds)
        apart = np.abs(got.astype(np.int16) - integers[output].astype(np.int16))
        kind = next(node.op_type for node in nodes if node.op_type in KINDS)
        row = counts.setdefault(kind, [0, 0])
        row[0] += int((apart > 0).sum())
        row[1] += int(apart.size)
        worst = max(worst, int(apart.max()))
    return {
        "operators": len(pieces),
        "values": sum(row[1] for row in counts.values()),
        "differing": sum(row[0] for row in counts.values()),
        "worst": worst,
        "kinds": {kind: row[0] / row[1] for kind, row in counts.items()},
    }


def _list_pieces(graph: Any) -> Any:
    """Yield nodes, integer inputs and integer output of each operator between dequantize and quantize operations."""
    made = {name: node for node in graph.node for name in node.output}
    held = {tensor.name for tensor in graph.initializer}
    for quantize in graph.node:
        node = made.get(quantize.input[0]) if quantize.op_type == "QuantizeLinear" else None
        if node is None or node.op_type not in KINDS:
            continue
        unpacked = [made[name] for name in node.input if name in made]
        if any(other.op_type != "DequantizeLinear" for other in unpacked):
            continue
        inputs = [other.input[0] for other in unpacked if other.input[0] not in held]
        if inputs:
            yield [*unpacked, node, quantize], list(dict.fromkeys(inputs)), quantize.output[0]


def _list_intermediate(model: Any, names: list[str], pixels: Any) -> dict[str, Any]:
    """Return integers within the graph, as this machine's CPU computes them."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = model.graph.input[0].name
    return {**dict(zip(names, session.run(names, {feed: pixels}), strict=True)), feed: pixels}


def _cut(model: Any, nodes: list[Any], feeds: dict[str, Any], output: str, like: Any) -> bytes:
    """Return the nodes as a model of their own, with the constants that they read."""
    used = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in model.graph.initializer if tensor.name in used]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in (*feeds.items(), (output, like))
    ]
    unique = list({id(node): node for node in nodes}.values())
    graph = onnx.helper.make_graph(unique, "piece", ends[:-1], ends[-1:], constants)
    opsets = [onnx.helper.make_opsetid(row.domain, row.version) for row in model.opset_import]
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
