"""Hand the quantized network to coremltools, in the form that each of its two frontends takes.

Weights alone (w8) travel as coremltools' compression metadata on a traced graph, so that everything else is the float
artifact's graph, with SiLU as one operation. Integers throughout (w8a8) travel as the PT2E graph itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Node

from imageqx_export.artifact import ModelSpec
from imageqx_export.export.coreml.entry import make_inputs, wrap_graph
from imageqx_export.export.form import count_photos
from imageqx_export.networks.base import EARLY, PhoneGraph

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.quantize.graph.integers import IntegerWeight
    from imageqx_export.quantize.model import QuantizedModel

_QUANTIZATION = 3  # coremltools' CompressionType.QUANTIZATION
_PER_TENSOR = "quantized_decomposed.dequantize_per_tensor.default"


def compress(quantized: QuantizedModel) -> PhoneGraph:
    """Return the float graph whose int8 weights carry what coremltools needs to store them as integers.

    Args:
        quantized: With int8 weights alone.
    """
    graph = quantized.network.fold("NCHW")
    _register(graph, quantized.weights())
    return graph


def _register(graph: PhoneGraph, weights: Iterable[IntegerWeight]) -> None:
    """Put each weight on its grid, and its scales beside it.

    coremltools divides the one by the other and rounds, which gives the same integers back.

    Source: the buffers that ``coremltools.optimize.torch`` registers (``CompressionMetadata``).
    """
    graph.register_buffer("_COREML_/metadata_version", torch.tensor(1))
    for weight in weights:
        module: Any = graph.get_submodule(weight.tensor.partition(":")[0])
        integers, scales = torch.from_numpy(weight.integers), torch.from_numpy(weight.scales)[:, None]
        module.weight.data = integers * scales.reshape(-1, *[1] * (integers.dim() - 1))
        module.register_buffer("_COREML_/weight/compression_type", torch.tensor([_QUANTIZATION]))
        module.register_buffer("_COREML_/weight/quantization_n_bits", torch.tensor(8))
        module.register_buffer("_COREML_/weight/quantization_scale", scales)


def export_program(quantized: QuantizedModel, spec: ModelSpec) -> Any:
    """Return the graph with integers throughout as a ``torch.export.ExportedProgram`` in the ATen dialect.

    Args:
        quantized: With int8 weights and activations.
        spec: The package's.
    """
    graph = quantized.graph(layout="NCHW", batch=count_photos(spec), biases=False)
    _unpack(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of how it reads its own graphs
        program = torch.export.export(wrap_graph(graph, spec), (make_inputs(spec),))
        return program.run_decompositions({})


def find_late(quantized: QuantizedModel) -> Callable[[Any], bool]:
    """Return a function of a MIL operation of :func:`exported`: whether it computes in float16.

    Those that the first late convolution's integers come from do not, as in the fp16 artifact.
    """
    recipe = quantized.recipe
    names = [row.tensor for row in recipe.weights] + [row.tensor for row in recipe.floats]
    count = sum(name.startswith(f"{EARLY}.") and name.endswith(":conv") for name in names)
    before: set[str] = set()

    def is_late(operation: Any) -> bool:
        if not before:  # the first question comes before anything is changed
            convolutions = [op for op in operation.enclosing_block.operations if op.op_type == "conv"]
            before.update(_list_upstream(convolutions[count].x.op.input.op))
        return operation.name not in before

    return is_late


def _list_upstream(operation: Any) -> set[str]:
    """Return the names of a MIL operation and of all that it is computed from."""
    found: set[str] = set()
    waiting = [operation]
    while waiting:
        op = waiting.pop()
        if op is not None and op.name not in found:
            found.add(op.name)
            variables = [v for v in op.inputs.values() if v is not None]
            waiting += [v.op for item in variables for v in (item if isinstance(item, list | tuple) else [item])]
    return found


def _unpack(graph: GraphModule) -> None:
    """Make every gate float again, in place, at the same value.

    What coremltools makes of a gate, ``constexpr_affine_dequantize``, is for weights.
    """
    for node in list(graph.graph.nodes):
        stored = _find_stored(graph, node)
        if stored is None:
            continue
        name = f"{node.name}_float"
        graph.register_buffer(name, node.target(*stored))
        with graph.graph.inserting_before(node):
            node.replace_all_uses_with(graph.graph.get_attr(name))
        graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()


def _find_stored(graph: GraphModule, node: Node) -> list[Any] | None:
    """Return the arguments of a dequantize operation on a gate; None for all other nodes."""
    if str(node.target) != _PER_TENSOR:  # weights have a scale per channel
        return None
    constants = [getattr(graph, str(a.target)) if isinstance(a, Node) and a.op == "get_attr" else a for a in node.args]
    return constants if isinstance(constants[0], torch.Tensor) else None
