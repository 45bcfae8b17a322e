"""Write ONNX: torch's dynamo exporter, onnxsim, the checker, metadata_props."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.artifact import Checkpoint, Format, Precision
from imageqx_export.errors import ConversionError
from imageqx_export.export.form import count_photos, explain_cut, make_example
from imageqx_export.export.metadata import header
from imageqx_export.export.onnx.accelerators import dequantize_around_moves, enter_by_dequantizing
from imageqx_export.export.onnx.entry import take_form
from imageqx_export.export.onnx.passes import (
    make_activations_unsigned,
    pool_globally,
    shorten_names,
    store_int8_weights,
    unshare_weights,
    widen_gates,
)
from imageqx_export.export.onnx.stem import group_pixels, read_pixels_as_bytes
from imageqx_export.input_form import InputForm, read_form
from imageqx_export.networks.base import Network

if TYPE_CHECKING:
    from torch.nn import Module

    from imageqx_export.quantize.model import QuantizedModel

# The dynamo exporter's own level: older opsets are reached by a version converter, newer ones are not on every phone.
OPSET = 18
# The oldest that has opset 18; the exporter says 10, which ONNX Runtime before 1.18 refuses.
IR_VERSION = 8


def explain_refused(form: InputForm, network: Network) -> str | None:
    """Return why no file takes its photos so, or None: any does, but for an open batch of what cuts photos."""
    return explain_cut(network.fold("NHWC")) if form.batch is None else None


def write(
    network: Network,
    checkpoint: Checkpoint,
    paths: Mapping[Precision, Path],
    quantized: Mapping[Precision, QuantizedModel],
) -> None:
    """Write one ``.onnx`` file per precision.

    The input is uint8, which a DequantizeLinear of step 1 makes float32 where pixels are not read as integers, unless
    the checkpoint's ModelSpec names another; the outputs are float32 in all. fp16 is fp32 with float16 weights after
    the early stages, w8 with int8 ones; a session makes them float32 when it opens the file. w8a8 has a QuantizeLinear
    and a DequantizeLinear around what is integer: uint8 activations, the pixels first, int8 weights, int32 biases.

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
    graph = network.fold("NHWC")
    if {Precision.FP32, Precision.FP16, Precision.W8} & set(paths):
        single = _simplify(convert(graph, checkpoint), "fp32")
        enter_by_dequantizing(single)
    for precision, path in paths.items():
        if precision is Precision.W8A8:
            model = convert(quantized[precision].graph(batch=count_photos(checkpoint.spec)), checkpoint)
            arrange_integers(model)
        else:
            model = onnx.ModelProto.FromString(single.SerializeToString())
        if precision is Precision.FP16:
            halve_weights(model, ("late", *graph.HEADS))
        elif precision is Precision.W8:
            store_int8_weights(model, quantized[precision].weights())
        form = read_form(checkpoint.spec)
        take_form(model, form, checkpoint.spec, integers=precision is Precision.W8A8)
        _drop_traces(model)
        for key, value in sorted(header(checkpoint, Format.ONNX, precision, quantized).items()):
            model.metadata_props.add(key=key, value=value)
        model.ir_version = IR_VERSION
        model.producer_name, model.producer_version, model.doc_string = "imageqx-export", "", ""
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ConversionError("the checker refused the ONNX file", where=path, got=str(error)) from error
        path.write_bytes(model.SerializeToString(deterministic=True))


def halve_weights(model: Any, modules: Iterable[str]) -> int:
    """Make the weights after the early stages float16, each with a Cast to float32; in place.

    Float16 arithmetic too would save no time (371.7 against 391.5 million instructions on an emulated Cortex-A76), and
    ONNX Runtime's Arm kernels, which add in float16, moved a probability by 1.8e-2 there: parity allows 5e-3.

    Args:
        model: An ``onnx.ModelProto``, simplified already.
        modules: The graph's, whose weights' names begin with theirs; the others are of the early stages.

    Returns:
        How many weights are float16 now.
    """
    import numpy as np
    import onnx
    from onnx import numpy_helper as arrays

    nodes, beginnings = [], tuple(f"{module}." for module in modules)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.name.startswith(beginnings):
            name, stored = tensor.name, f"{tensor.name}.half"
            tensor.CopyFrom(arrays.from_array(arrays.to_array(tensor).astype(np.float16), stored))
            nodes.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    halved = len(nodes)
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return halved


def arrange_integers(model: Any, *, signed: bool = False) -> int:
    """Bring quantize and dequantize operations into the form that ONNX Runtime fuses, in place.

    Args:
        model: What :func:`convert` gave for a quantized graph.
        signed: Whether activations stay int8, for comparison: on x86, ONNX Runtime then fuses 27 of 81 convolutions.

    Returns:
        How many places were changed; 0 for a graph without integers.
    """
    # onnxsim would compute the weights' DequantizeLinear, and with it undo what this is for.
    edits = 0
    if not signed:
        edits += make_activations_unsigned(model) + read_pixels_as_bytes(model) + group_pixels(model)
        edits += dequantize_around_moves(model)
    _drop_traces(model)
    edits += widen_gates(model) + pool_globally(model)
    edits += shorten_names(model, [value.name for value in (*model.graph.input, *model.graph.output)])
    return edits + unshare_weights(model)


def convert(graph: Module, checkpoint: Checkpoint) -> Any:
    """Return ``graph`` as an ``onnx.ModelProto``: the bare library call."""
    import torch

    spec = checkpoint.spec
    program = torch.onnx.export(
        graph,
        (make_example(spec),),
        dynamo=True,
        opset_version=OPSET,
        input_names=[tensor.name for tensor in spec.inputs],
        output_names=[tensor.name for tensor in spec.outputs],
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def _simplify(model: Any, path: Path | str) -> Any:
    import onnxsim

    simple, equal = onnxsim.simplify(model)
    if not equal:
        raise ConversionError("onnxsim changed what the graph computes", where=path, remedy="report this network")
    return simple


def _drop_traces(model: Any) -> None:
    """Drop the exporter's notes: they hold the paths of the machine that exported."""
    graph = model.graph
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph):
        del item.metadata_props[:]
        item.doc_string = ""
    del model.metadata_props[:]
