"""Parsers of models that end in native code: TFLite and the zip behind it, ONNX, Core ML, and libraries."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import ModelSpec, TensorSpec
from imageqx_export.model_spec import Preprocessing
from tests.fuzz.parsers import Parser, from_file

SHAPE = (1, 8, 8, 3)
SMALL = ModelSpec(
    name="small",
    inputs=(TensorSpec(name="image", shape=SHAPE, dtype="uint8"),),
    outputs=(TensorSpec(name="same", shape=SHAPE, dtype="float32"),),
    labels=("any",),
    reasons=(),
    thresholds={},
    hints={},
    preprocessing=Preprocessing(height=SHAPE[1], width=SHAPE[2]),
)
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint8).reshape(SHAPE)
PACKAGE = ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin")


def make_tflite(read: Callable[[Path], object], *, apart: bool = False) -> Parser:
    """Of a cast, and of what LiteRT's own writer makes of a small network."""
    from benchmarks.tiny_models import write_tflite

    path = write_tflite(Path(tempfile.mkdtemp()) / "seed.tflite", SHAPE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("spec.json", json.dumps({"spec": SMALL.model_dump_json()}))
    return Parser(from_file("a.tflite", read), (path.read_bytes(), write_convolution()), repair_zip, apart)


def write_convolution() -> bytes:
    """Return a TFLite file with a quantized convolution, a pool and a softmax, so that kernels read parameters.

    Long because the schema's objects are filled field by field.
    """
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: bytes, kind: int, shape: list[int], buffer: int = 0, scale: float | None = None) -> Any:
        made = schema.TensorT()
        made.name, made.type, made.shape, made.buffer = name, kind, shape, buffer
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [0]
        return made

    def operator(code: int, inputs: list[int], outputs: list[int], kind: int, options: Any) -> Any:
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
        made.builtinOptionsType, made.builtinOptions = kind, options
        return made

    codes = []
    for kind in (schema.BuiltinOperator.CAST, schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.RESHAPE):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
        codes.append(code)
    cast, conv, reshape = schema.CastOptionsT(), schema.Conv2DOptionsT(), schema.ReshapeOptionsT()
    cast.inDataType, cast.outDataType = schema.TensorType.UINT8, schema.TensorType.FLOAT32
    conv.strideW = conv.strideH = conv.dilationWFactor = conv.dilationHFactor = 1
    reshape.newShape = list(SHAPE)
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor(b"image", schema.TensorType.UINT8, list(SHAPE)),
        tensor(b"floats", schema.TensorType.FLOAT32, list(SHAPE)),
        tensor(b"weight", schema.TensorType.FLOAT32, [3, 3, 3, 3], 1),
        tensor(b"bias", schema.TensorType.FLOAT32, [3], 2),
        tensor(b"convolved", schema.TensorType.FLOAT32, list(SHAPE)),
        tensor(b"shape", schema.TensorType.INT32, [4], 3),
        tensor(b"same", schema.TensorType.FLOAT32, list(SHAPE)),
    ]
    graph.operators = [
        operator(0, [0], [1], schema.BuiltinOptions.CastOptions, cast),
        operator(1, [1, 2, 3], [4], schema.BuiltinOptions.Conv2DOptions, conv),
        operator(2, [4, 5], [6], schema.BuiltinOptions.ReshapeOptions, reshape),
    ]
    graph.inputs, graph.outputs, graph.name = [0], [6], b"main"
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex, signature.inputs, signature.outputs = b"serving_default", 0, [], []
    for places, name, index in ((signature.inputs, b"image", 0), (signature.outputs, b"same", 6)):
        place = schema.TensorMapT()
        place.name, place.tensorIndex = name, index
        places.append(place)
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.signatureDefs = 3, codes, [graph], [signature]
    model.buffers = []
    for content in (b"", np.ones(81, np.float32).tobytes(), bytes(12), np.array(SHAPE, np.int32).tobytes()):
        buffer = schema.BufferT()
        buffer.data = list(content) if content else None
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    file = io.BytesIO(bytes(builder.Output()))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("spec.json", json.dumps({"spec": SMALL.model_dump_json()}))
    return file.getvalue()


def make_onnx(read: Callable[[Path], object], *, apart: bool = False) -> Parser:
    """Of a convolution and a reshape."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weight", "bias"], ["convolved"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["convolved"], ["back"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["back", "shape"], ["same"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE)],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, SHAPE)],
        [
            numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "weight"),
            numpy_helper.from_array(np.zeros(3, np.float32), "bias"),
            numpy_helper.from_array(np.array(SHAPE, np.int64), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"spec": SMALL.model_dump_json()})
    onnx.checker.check_model(model)
    return Parser(from_file("a.onnx", read), (model.SerializeToString(),), apart=apart)


def make_library() -> Parser:
    """Of an ELF file with one segment."""
    from imageqx_export.lint.readers import library

    head = b"\x7fELF\2\1\1" + bytes(25) + (64).to_bytes(8, "little") + bytes(14) + b"\x38\0\1\0" + bytes(6)
    segment = (1).to_bytes(4, "little") + bytes(44) + (16384).to_bytes(8, "little")
    return Parser(from_file("a.so", library.read), (head + segment,), apart=True)


@cache
def _write_package() -> dict[str, bytes]:
    """Return the files of a Core ML package with a quantized convolution, as coremltools writes it."""
    from imageqx_export.runtimes.mil.runtime import _silence_imports

    with _silence_imports():
        import coremltools as ct
        from coremltools.converters.mil import Builder as mb  # noqa: N813 - its usual name
        from coremltools.converters.mil.mil import Function, Program, types

    control = np.random.default_rng(0)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # bars, and a warning of its own insides
        warnings.simplefilter("ignore")
        program = Program()
        inputs = {"image": mb.placeholder((1, 3, *SHAPE[1:3]), types.fp32, True)}
        with Function(inputs, opset_version=ct.target.iOS17) as function:
            weight = control.standard_normal((3, 3, 3, 3)).astype(np.float32)
            made = mb.conv(x=function.inputs["image"], weight=weight, pad_type="same")
            made = mb.quantize(input=made, scale=np.float32(0.5), zero_point=np.int8(3), output_dtype="int8")
            made = mb.dequantize(input=made, scale=np.float32(0.5), zero_point=np.int8(3))
            made = mb.avg_pool(x=made, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid")
            made = mb.reshape(x=mb.transpose(x=made, perm=[0, 2, 3, 1]), shape=[1, 48])
            function.set_outputs([mb.softmax(x=made, axis=-1, name="same")])
            program.add_function("main", function)
        model = ct.convert(
            program,
            convert_to="mlprogram",
            skip_model_load=True,
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
            inputs=[ct.ImageType(name="image", shape=(1, 3, *SHAPE[1:3]))],
        )
        model.user_defined_metadata["spec"] = SMALL.model_dump_json()
        path = Path(tempfile.mkdtemp()) / "seed.mlpackage"
        model.save(str(path))
    return {name: (path / name).read_bytes() for name in PACKAGE}


def make_coreml(at: int, read: Callable[[Path], object], *, apart: bool = False) -> Parser:
    """One of a package's three files is changed."""
    files, path = _write_package(), Path(tempfile.mkdtemp()) / "a.mlpackage"
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)

    def parse(data: bytes) -> object:
        (path / PACKAGE[at]).write_bytes(data)
        return read(path)

    return Parser(parse, (files[PACKAGE[at]],), apart=apart)


def make_zip() -> Parser:
    """Behind next to nothing, as only the zip is read."""
    from imageqx_export.runtimes.tflite import read_metadata

    file = io.BytesIO(b"\x1c\0\0\0TFL3" + bytes(24))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("spec.json", json.dumps({"spec": "{}"}))
    return Parser(from_file("a.tflite", read_metadata), (file.getvalue(),), repair_zip)


def repair_zip(data: bytes) -> bytes:
    """Return a zip whose entries have the checksum of what they hold, where that can be told."""
    made = bytearray(data)
    at = made.find(b"PK\x03\x04")
    while at >= 0 and at + 30 <= len(made):
        method, size, *names = struct.unpack_from("<8xH8xI4xHH", made, at)
        start = at + 30 + sum(names)
        body = bytes(made[start : start + size])
        try:
            body = zlib.decompressobj(-15).decompress(body, 2**20) if method == 8 else body
        except zlib.error:
            body = b""
        checksum, old = zlib.crc32(body).to_bytes(4, "little"), bytes(made[at + 14 : at + 18])
        made = made.replace(old, checksum) if old != bytes(4) else made
        at = made.find(b"PK\x03\x04", at + 30)
    return bytes(made)
