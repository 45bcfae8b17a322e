"""Which operators of w8a8.tflite round otherwise in TFLite's built-in kernels than in XNNPACK, and if MEAN matters.

``python -m benchmarks.bench_rounding`` reads artifacts/imageqx. Each operator is a file of its own that is fed with
XNNPACK's integers, so that nothing adds up; then the whole file runs on both, as it is and with every MEAN in float32.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from imageqx_export.bundle.golden import load_golden_pixels
from imageqx_export.export.tflite import flatbuffer

FOLDER = Path("artifacts/imageqx")
FILE = FOLDER / "imageqx_w8a8.tflite"
KERNELS = {
    "built-in": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
PICTURES = 2
"""Whose integers single operators are fed with."""
KINDS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
Values = dict[int, NDArray[Any]]


def main() -> None:
    """Print, per kind of operator, the share of integers that differ, and how far the network's outputs are apart."""
    pixels = load_golden_pixels(FOLDER)
    for kind, name, differ, count in count_steps([read_values(one) for one in pixels[:PICTURES]]):
        print(f"{kind}, {name}: {differ / count:.2%} of {count:,} integers differ")
    for what, model in (("as it is", read()), ("MEAN in float32", mean_in_float32())):
        content = flatbuffer.write(model)
        right = [run(content, [one[None]], OpResolverType.AUTO) for one in pixels]
        for name, kernels in KERNELS.items():
            outputs = [run(content, [one[None]], kernels) for one in pixels]
            pairs = [pair for x, y in zip(right, outputs, strict=True) for pair in zip(x, y, strict=True)]
            worst = max(float(np.abs(x - y).max()) for x, y in pairs)
            print(f"{what}, {name}: max |Δ| {worst:.3f} from XNNPACK on {len(pixels)} golden pictures")


def count_steps(pictures: list[Values]) -> list[tuple[str, str, int, int]]:
    """Return, per kind of operator and kernels, how many integers are other than XNNPACK's, and of how many."""
    seen: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for index in range(len(read().subgraphs[0].operators)):
        kind, content, order = cut_out(index)
        for name, kernels in KERNELS.items():
            for values in pictures:
                got = run(content, [values[tensor] for tensor in order[:-1]], kernels)[0]
                if got.dtype == np.int8:
                    seen[kind, name][0] += int((got != values[order[-1]]).sum())
                    seen[kind, name][1] += got.size
    return [(*key, differ, count) for key, (differ, count) in seen.items()]


def read() -> Any:
    """Return the file as a ``ModelT``."""
    return flatbuffer.read(FILE.read_bytes())


def run(content: bytes, inputs: list[NDArray[Any]], kernels: OpResolverType) -> list[NDArray[Any]]:
    """Return the outputs of a flatbuffer."""
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(detail["index"])) for detail in interpreter.get_output_details()]


def read_values(picture: NDArray[np.uint8]) -> Values:
    """Return every computed tensor of the file with XNNPACK, by its index."""
    model = read()
    graph, model.signatureDefs = model.subgraphs[0], None
    graph.outputs = np.array([operator.outputs[0] for operator in graph.operators], np.int32)
    found = run(flatbuffer.write(model), [picture[None]], OpResolverType.AUTO)
    return {int(graph.inputs[0]): picture[None], **dict(zip(map(int, graph.outputs), found, strict=True))}


def cut_out(index: int) -> tuple[str, bytes, list[int]]:
    """Return an operator's kind, a file of it alone, and which tensors it reads and, last, gives."""
    model = read()
    graph = model.subgraphs[0]
    operator, model.signatureDefs, model.metadata = graph.operators[index], None, None
    computed = [int(i) for i in operator.inputs if i >= 0 and model.buffers[graph.tensors[i].buffer].data is None]
    order = [*dict.fromkeys(computed), int(operator.outputs[0])]
    graph.operators, graph.inputs = [operator], np.array(order[:-1], np.int32)
    graph.outputs = np.array(order[-1:], np.int32)
    used = {int(i) for i in (*operator.inputs, *operator.outputs)}
    for tensor in (tensor for at, tensor in enumerate(graph.tensors) if at not in used):
        tensor.buffer = 0
    kept = {graph.tensors[i].buffer for i in used if i >= 0}
    for buffer in (buffer for at, buffer in enumerate(model.buffers) if at not in kept):
        buffer.data = None
    return KINDS[model.operatorCodes[operator.opcodeIndex].builtinCode], flatbuffer.write(model), order


def mean_in_float32() -> Any:
    """Return the file with a DEQUANTIZE before each MEAN, and a QUANTIZE behind it."""
    model = read()
    graph = model.subgraphs[0]
    codes = {}
    for kind, version in (("DEQUANTIZE", 2), ("QUANTIZE", 1)):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = version
        model.operatorCodes.append(code)
        codes[kind] = len(model.operatorCodes) - 1
    means = [one for one in graph.operators if KINDS[model.operatorCodes[one.opcodeIndex].builtinCode] == "MEAN"]
    for mean in means:
        given, read_from = int(mean.outputs[0]), int(mean.inputs[0])
        floats = []
        for like in (read_from, given):
            tensor = copy.copy(graph.tensors[like])
            tensor.type, tensor.quantization, tensor.buffer = schema.TensorType.FLOAT32, None, 0
            graph.tensors.append(tensor)
            floats.append(len(graph.tensors) - 1)
        mean.inputs, mean.outputs = np.array([floats[0], mean.inputs[1]], np.int32), np.array(floats[1:], np.int32)
        at = graph.operators.index(mean)
        for kind, source, target in (("DEQUANTIZE", read_from, floats[0]), ("QUANTIZE", floats[1], given)):
            step = schema.OperatorT()
            step.opcodeIndex = codes[kind]
            step.inputs, step.outputs = np.array([source], np.int32), np.array([target], np.int32)
            graph.operators.insert(at if kind == "DEQUANTIZE" else at + 2, step)
    return model


if __name__ == "__main__":
    main()
