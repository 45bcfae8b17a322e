"""Operators outside what delegates publish that they take."""

from __future__ import annotations

from collections.abc import Iterator

from imageqx_export.lint.model import Graph, Rule

# ONNX Runtime's documentation of its QNN execution provider, Supported ONNX operators.
_QNN = """
Abs Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization Cast Clip Concat Conv ConvTranspose Cos DepthToSpace
DequantizeLinear Div Elu Equal Exp Expand Flatten Floor Gather Gelu Gemm GlobalAveragePool Greater GreaterOrEqual
GridSample HardSwish InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
LpNormalization MatMul Max MaxPool Min Mul Neg Not Or PRelu Pad Pow QuantizeLinear ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum Relu Reshape Resize Round Sigmoid Sign Sin Slice Softmax SpaceToDepth Split Sqrt Squeeze Sub Tanh
Tile TopK Transpose Unsqueeze Where Constant Identity
"""
# LiteRT's documentation of its GPU delegate; the last line is what imageqx compat --target gpu saw it take besides.
_GPU = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXP FULLY_CONNECTED LOGICAL_AND LOGISTIC LSTM MAX_POOL_2D
MAXIMUM MINIMUM MUL PAD PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX STRIDED_SLICE SUB TRANSPOSE_CONV
DEQUANTIZE QUANTIZE MEAN TRANSPOSE CAST
"""
QNN, GPU = frozenset(_QNN.split()), frozenset(_GPU.split())


def find_unlisted_onnx(graph: Graph) -> Iterator[str]:
    """Yield kinds that ONNX Runtime's QNN provider does not list."""
    for operator in graph.operators:
        if operator.domain not in ("", "ai.onnx"):
            yield f"{operator.domain}:{operator.kind}"
        elif operator.kind not in QNN:
            yield operator.kind


def find_unlisted_tflite(graph: Graph) -> Iterator[str]:
    """Yield kinds that LiteRT's GPU delegate does not list."""
    for operator in graph.operators:
        if operator.kind not in GPU:
            yield operator.kind


RULES = (
    Rule(
        "outside-qnn-list",
        "warning",
        ("onnx",),
        reason="an operator that ONNX Runtime's QNN provider does not list runs on the CPU, and splits the graph",
        source="ONNX Runtime's documentation of its QNN execution provider, Supported ONNX operators",
        mend="write it with listed operators, or measure what the split costs",
        find=find_unlisted_onnx,
    ),
    Rule(
        "outside-gpu-list",
        "warning",
        ("tflite",),
        reason="an operator that LiteRT's GPU delegate does not list runs on the CPU, and splits the graph",
        source="LiteRT's documentation of its GPU delegate; imageqx compat --target gpu",
        mend="write it with listed operators, or measure what the split costs",
        find=find_unlisted_tflite,
    ),
)
