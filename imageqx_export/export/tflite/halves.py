"""Store a float32 TFLite graph's weights as float16, in the form that every release of LiteRT takes whole."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from imageqx_export.networks.base import EARLY


def cast_weights(flatbuffer: bytes) -> bytes:
    """Return another flatbuffer, whose weights after the early stages are float16: the bare library call.

    Depthwise weights stay float32, 4 % of the file: LiteRT 1.1.2 to 1.3.0 refuse a file that has them in float16
    (findings/litert-float16-depthwise.sh).
    """
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    recipe, operations = quantizer.Quantizer(flatbuffer), qtyping.TFLOperationName
    recipe.update_quantization_recipe(
        regex=".*",
        operation_name=operations.ALL_SUPPORTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    early = f".*_{EARLY}/.*"  # an operation's scope is its output's name, which has the modules' names in it
    for scope, kept in ((early, operations.ALL_SUPPORTED), (".*", operations.DEPTHWISE_CONV_2D)):
        recipe.update_quantization_recipe(
            regex=scope, operation_name=kept, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
        )
    return bytes(recipe.quantize().quantized_model)


def halve_biases(model: Any) -> int:
    """Store as float16, too, the bias of every operation whose weight is, in place.

    LiteRT 1.4.0 to 2.1.6 hand a product to XNNPACK only where both are: with a float32 bias, each convolution became
    a piece of its own, and the graph fell into 54 (findings/litert-float16-bias.sh).

    Args:
        model: A ``ModelT`` with a DEQUANTIZE of each float16 weight.

    Returns:
        How many biases are float16 now.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = model.subgraphs[0], schema.TensorType
    unpacked = {
        int(operator.outputs[0]): operator
        for operator in graph.operators
        if graph.tensors[operator.inputs[0]].type == kinds.FLOAT16
    }
    halved: dict[int, Any] = {}
    for operator in graph.operators:
        if len(operator.inputs) < 3 or int(operator.inputs[1]) not in unpacked:
            continue
        index = int(operator.inputs[2])
        if index < 0 or index in halved:
            continue
        bias, step = graph.tensors[index], copy.copy(unpacked[int(operator.inputs[1])])
        stored, buffer = copy.copy(bias), model.buffers[bias.buffer]
        buffer.data = buffer.data.view(np.float32).astype(np.float16).view(np.uint8)
        stored.type = kinds.FLOAT16
        bias.buffer = 0  # by the schema, the buffer of whatever is computed
        graph.tensors.append(stored)
        step.inputs, step.outputs = np.array([len(graph.tensors) - 1], np.int32), np.array([index], np.int32)
        halved[index] = step
    graph.operators[:0] = halved.values()
    return len(halved)
