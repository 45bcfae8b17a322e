"""Write ONNX: torch's dynamo exporter, onnxsim, the checker, metadata_props."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Checkpoint, Precision
from imageqx_export.errors import ConversionError
from imageqx_export.export.graph import PhoneGraph
from imageqx_export.export.header import header
from imageqx_export.networks.imageqx import ImageQX

LIBRARIES = {"onnx": "onnx", "onnxscript": "onnxscript", "onnxsim": "onnxsim"}
# The dynamo exporter's own level: older opsets are reached by a version converter, newer ones are not on every phone.
OPSET = 18


def write(network: ImageQX, checkpoint: Checkpoint, paths: Mapping[Precision, Path]) -> None:
    """Write one ``.onnx`` file per precision.

    fp16 holds float16 weights and arithmetic after the early stages; its input is uint8 and its outputs are float32
    all the same.

    Args:
        network: The trained network, eval mode.
        checkpoint: Where it comes from.
        paths: Where to, per precision.

    Raises:
        ConversionError: The graph did not survive simplification, or is not valid ONNX.
    """
    import onnx

    for precision, path in paths.items():
        model = convert(PhoneGraph(network, "NHWC", half=precision is Precision.FP16), checkpoint)
        model = _simplified(model, path)
        _without_traces(model)
        for key, value in sorted(header(checkpoint, precision).items()):
            model.metadata_props.add(key=key, value=value)
        model.producer_name, model.producer_version, model.doc_string = "imageqx-export", "", ""
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ConversionError("the checker refused the ONNX file", where=path, got=str(error)) from error
        path.write_bytes(model.SerializeToString(deterministic=True))


def convert(graph: PhoneGraph, checkpoint: Checkpoint) -> Any:
    """Return ``graph`` as an ``onnx.ModelProto``: the bare library call."""
    import torch

    spec = checkpoint.spec
    example = torch.zeros(spec.inputs[0].shape, dtype=torch.uint8)
    program = torch.onnx.export(
        graph,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[tensor.name for tensor in spec.inputs],
        output_names=[tensor.name for tensor in spec.outputs],
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def _simplified(model: Any, path: Path) -> Any:
    import onnxsim

    simple, equal = onnxsim.simplify(model)
    if not equal:
        raise ConversionError("onnxsim changed what the graph computes", where=path, remedy="report this network")
    return simple


def _without_traces(model: Any) -> None:
    """Drop the exporter's notes: they hold the paths of the machine that exported."""
    graph = model.graph
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph):
        del item.metadata_props[:]
        item.doc_string = ""
    del model.metadata_props[:]
