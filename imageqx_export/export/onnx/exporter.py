"""Write ONNX: torch's dynamo exporter, onnxsim, the checker, metadata_props."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.artifact import Checkpoint, Precision
from imageqx_export.errors import ConversionError
from imageqx_export.export.metadata import header
from imageqx_export.export.onnx.accelerators import dequantize_around_moves, enter_by_dequantizing
from imageqx_export.export.onnx.passes import (
    pooled_globally,
    shortened,
    with_int8_weights,
    with_own_weights,
    with_unsigned_activations,
    with_wide_gates,
)
from imageqx_export.export.onnx.stem import with_bytes_read, with_pixels_in_fours
from imageqx_export.networks.base import Network

if TYPE_CHECKING:
    from torch.nn import Module

    from imageqx_export.quantize.model import QuantizedModel

LIBRARIES = {"onnx": "onnx", "onnxscript": "onnxscript", "onnxsim": "onnxsim"}
# The dynamo exporter's own level: older opsets are reached by a version converter, newer ones are not on every phone.
OPSET = 18
# The oldest that has opset 18; the exporter says 10, which ONNX Runtime before 1.18 refuses.
IR_VERSION = 8
# How the names of the weights begin that fp16 rounds; the others are of the early stages.
HALVED = ("late.", "explanations.", "attention.", "quality.", "reasons_to_quality.")


def write(
    network: Network,
    checkpoint: Checkpoint,
    paths: Mapping[Precision, Path],
    quantized: Mapping[Precision, QuantizedModel],
) -> None:
    """Write one ``.onnx`` file per precision.

    The input is uint8, which a DequantizeLinear of step 1 makes float32 where pixels are not read as integers, and the
    outputs are float32 in all. fp16 is fp32 with float16 weights after the early stages, w8
    with int8 ones; a session makes them float32 when it opens the file. w8a8 has a QuantizeLinear and a
    DequantizeLinear around what is integer: uint8 activations, the pixels first, int8 weights, int32 biases.

    Args:
        network: The trained network, eval mode.
        checkpoint: Where it comes from.
        paths: Where to, per precision.
        quantized: The quantized model of each quantized precision in ``paths``.

    Raises:
        ConversionError: The graph did not survive simplification, or is not valid ONNX.
    """
    import onnx

    single: Any = None
    if {Precision.FP32, Precision.FP16, Precision.W8} & set(paths):
        single = _simplified(convert(network.fold("NHWC"), checkpoint), "fp32")
        enter_by_dequantizing(single)
    for precision, path in paths.items():
        if precision is Precision.FP16:
            model = with_half_weights(single)
        elif precision is Precision.W8:
            model = with_int8_weights(single, quantized[precision].weights())
        elif precision is Precision.W8A8:
            model = integers(convert(quantized[precision].graph(), checkpoint))
        else:
            model = onnx.ModelProto.FromString(single.SerializeToString())
        _without_traces(model)
        for key, value in sorted(header(checkpoint, precision, quantized).items()):
            model.metadata_props.add(key=key, value=value)
        model.ir_version = IR_VERSION
        model.producer_name, model.producer_version, model.doc_string = "imageqx-export", "", ""
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ConversionError("the checker refused the ONNX file", where=path, got=str(error)) from error
        path.write_bytes(model.SerializeToString(deterministic=True))


def with_half_weights(model: Any) -> Any:
    """Return a copy of a float32 graph whose weights after the early stages are float16, each with a Cast to float32.

    Float16 arithmetic too would save no time (371.7 against 391.5 million instructions on an emulated Cortex-A76), and
    ONNX Runtime's Arm kernels, which add in float16, moved a probability by 1.8e-2 there: parity allows 5e-3.

    Args:
        model: An ``onnx.ModelProto``, simplified already; not changed.
    """
    import numpy as np
    import onnx
    from onnx import numpy_helper as arrays

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    nodes = []
    for tensor in copy.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.name.startswith(HALVED):
            name, stored = tensor.name, f"{tensor.name}.half"
            tensor.CopyFrom(arrays.from_array(arrays.to_array(tensor).astype(np.float16), stored))
            nodes.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes += copy.graph.node
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def integers(model: Any, *, signed: bool = False) -> Any:
    """Return a converted graph with quantize and dequantize operations in the form that ONNX Runtime fuses.

    Args:
        model: What :func:`convert` gave for a quantized graph; not changed.
        signed: Whether activations stay int8, for comparison: on x86, ONNX Runtime then fuses 27 of 81 convolutions.
    """
    import onnx

    # onnxsim would compute the weights' DequantizeLinear, and with it undo what this is for.
    copy = onnx.ModelProto.FromString(model.SerializeToString()) if signed else with_unsigned_activations(model)
    if not signed:
        with_bytes_read(copy)
        with_pixels_in_fours(copy)
        dequantize_around_moves(copy)
    _without_traces(copy)
    with_wide_gates(copy)
    pooled_globally(copy)
    shortened(copy, [value.name for value in (*copy.graph.input, *copy.graph.output)])
    with_own_weights(copy)
    return copy


def convert(graph: Module, checkpoint: Checkpoint) -> Any:
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


def _simplified(model: Any, path: Path | str) -> Any:
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
