"""How integers become numbers: casts of bytes, moves of integers, weights with a scale a channel."""

from __future__ import annotations

from collections.abc import Iterator

from imageqx_export.lint.model import Graph, Operator, Rule

SIMULATOR = "Qualcomm's x86 simulator, QNN 2.51 (imageqx compat --target qualcomm); no phone has confirmed it"
_SMALL = ("int8", "uint8", "int16", "uint16")
_MOVING = "Concat Expand Flatten Gather Pad Reshape Slice Split Squeeze Transpose Unsqueeze"


def find_casts(graph: Graph) -> Iterator[str]:
    """Yield casts from uint8 to a float."""
    for operator in graph.operators:
        if operator.kind.lower() == "cast" and operator.inputs and operator.outputs:
            source, target = operator.inputs[0], operator.outputs[0]
            if source.dtype == "uint8" and target.dtype.startswith("float") and not source.constant:
                yield f"{operator.kind} of {source.name}"


def find_moves(graph: Graph) -> Iterator[str]:
    """Yield operations that move quantized integers, as the operations around them do not say which."""
    for operator in graph.operators:
        if operator.kind in _MOVING.split() and operator.inputs and operator.outputs:
            data = [value for value in operator.inputs if value.dtype in _SMALL]
            if data and operator.outputs[0].dtype in _SMALL:
                yield f"{operator.kind} of {data[-1].name}"


def find_channel_dequantize(graph: Graph) -> Iterator[str]:
    """Yield DEQUANTIZE operations of weights that have a scale a channel."""
    for operator in graph.operators:
        if operator.kind == "DEQUANTIZE" and operator.inputs and operator.inputs[0].scales > 1:
            yield f"DEQUANTIZE (version {operator.version}) of {operator.inputs[0].name}"


def find_transposed_means(graph: Graph) -> Iterator[str]:
    """Yield means of what a TRANSPOSE gives."""
    turned = {value.name for operator in graph.operators if operator.kind == "TRANSPOSE" for value in operator.outputs}
    for operator in graph.operators:
        if operator.kind == "MEAN" and operator.inputs and operator.inputs[0].name in turned:
            yield f"MEAN of {operator.inputs[0].name}"


def find_float_operations(graph: Graph) -> Iterator[str]:
    """Yield operations of float32 in a program that otherwise computes in float16."""

    def of(kind: str) -> list[Operator]:
        return [o for o in graph.operators if o.kind != "cast" and o.outputs and o.outputs[0].dtype == kind]

    if of("float16"):
        for operator in of("float32"):
            yield f"{operator.kind} {operator.outputs[0].name}"


RULES = (
    Rule(
        "cast-from-uint8",
        "error",
        ("onnx", "tflite"),
        reason="on SM8450 to SM8850 the compiler makes of it what gives 1 for every byte but 0, and calls the graph "
        "fully accelerated",
        source=SIMULATOR,
        mend="let pixels enter by DequantizeLinear / DEQUANTIZE with scale 1 and zero point 0: the same numbers",
        find=find_casts,
    ),
    Rule(
        "integers-moved-outside-qdq",
        "error",
        ("onnx",),
        reason="a moved integer between operations that are no dequantize and quantize has no scale to the compiler, "
        "which refuses it, and without fallback the file",
        source=SIMULATOR,
        mend="put DequantizeLinear before it and QuantizeLinear after it, with its own scale; ONNX Runtime drops the "
        "pair on a CPU",
        find=find_moves,
    ),
    Rule(
        "per-channel-dequantize",
        "warning",
        ("tflite",),
        reason="LiteRT's GPU accelerator takes DEQUANTIZE up to version 3, and this is 5; Qualcomm's compiler accepts "
        "it, and then fails",
        source="imageqx compat --target gpu, --target qualcomm",
        mend="say that the file is for the CPU; for accelerators take fp16, or w8a8",
        find=find_channel_dequantize,
    ),
    Rule(
        "mean-of-transposed",
        "error",
        ("tflite",),
        reason="TensorFlow Lite's GPU delegate takes the graph whole, and gives other numbers than the CPU",
        source="TensorFlow Lite 2.16.1's GPU delegate on a CPU's OpenCL (make test-android ONLY=gpu); no phone has "
        "confirmed it",
        mend="take the mean before the TRANSPOSE, over the axes as they lie there",
        find=find_transposed_means,
    ),
    Rule(
        "float32-among-float16",
        "warning",
        ("mlpackage",),
        reason="the Neural Engine computes in float16 alone: what is float32 runs on the CPU or GPU, and data go back "
        "and forth",
        source="coremltools' guide, Typed Execution",
        mend="keep those operations in float32 only where float16 costs accuracy, and say how many they are",
        find=find_float_operations,
    ),
)
