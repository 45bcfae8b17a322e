"""The parsers that end in native code: models, tensors and tables; photos have a file of their own."""

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
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import ModelSpec, TensorSpec
from imageqx_export.networks.imageqx.spec import spec
from tests.fuzz.parsers import RATINGS, Parser, from_file
from tests.fuzz.photos import PHOTOS, make_photos
from tests.fuzz.releases import list_signed_parsers

SHAPE = (1, 8, 8, 3)
SMALL = ModelSpec(
    name="small",
    inputs=(TensorSpec(name="image", shape=SHAPE, dtype="uint8"),),
    outputs=(TensorSpec(name="same", shape=SHAPE, dtype="float32"),),
    labels=("any",),
    reasons=(),
    thresholds={},
    hints={},
)
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint8).reshape(SHAPE)
PACKAGE = ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin")


def list_native_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser, by name."""
    return {
        "checkpoint": make_checkpoint,
        "another's checkpoint": make_foreign_checkpoint,
        "training state": make_state,
        "arrays of a runner": make_arrays,
        "ratings in Parquet": make_parquet,
        "zip behind TFLite": make_zip,
        "TFLite, sizes": lambda: make_tflite(read_sizes_of),
        "TFLite, lint": lambda: make_tflite(lambda path: lint("tflite", path), apart=True),
        "TFLite, run": lambda: make_tflite(run, apart=True),
        "ONNX, sizes": lambda: make_onnx(read_sizes_of),
        "ONNX, lint": lambda: make_onnx(lambda path: lint("onnx", path), apart=True),
        "ONNX, run": lambda: make_onnx(run, apart=True),
        "native library, lint": make_library,
        "Core ML manifest, sizes": lambda: make_coreml(0, read_sizes_of),
        "Core ML program, sizes": lambda: make_coreml(1, read_sizes_of),
        "Core ML weights, sizes": lambda: make_coreml(2, read_sizes_of),
        "Core ML program, lint": lambda: make_coreml(1, lambda path: lint("mlpackage", path), apart=True),
        "Core ML manifest, run": lambda: make_coreml(0, run, apart=True),
        "Core ML program, run": lambda: make_coreml(1, run, apart=True),
        "Core ML weights, run": lambda: make_coreml(2, run, apart=True),
        **{f"{name} photo": partial(make_photos, name) for name in PHOTOS},
        **list_signed_parsers(),
    }


def read_sizes_of(path: Path) -> object:
    """Say where the bytes of a file are, as the report does."""
    from imageqx_export.report.sizes.readers import read_sizes

    return read_sizes(path)


def lint(kind: str, path: Path) -> object:
    """Read a file as lint does, but in this process, and put the rules to it."""
    import importlib

    from imageqx_export.lint.stage import check_graph

    return check_graph(path, importlib.import_module(f"imageqx_export.lint.readers.{kind}").read(path))


def run(path: Path) -> object:
    """Open a file and run it on a picture, as parity does; its numbers are compared there, so they may be any."""
    from imageqx_export.runtimes import load_runtime

    runtime = load_runtime(path)
    return sorted(runtime.run(PIXELS)), runtime.signature


def make_checkpoint() -> Parser:
    """Of two tensors; that they are not the network's is found later."""
    import torch
    from safetensors.torch import save

    from imageqx_export.checkpoint import _HEADER_KEY, read_safetensors

    tensors = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.zeros(3, dtype=torch.float16)}
    header = json.dumps({"spec": spec().model_dump(mode="json"), "metrics": {}, "provenance": {}})
    seeds = save(tensors, {_HEADER_KEY: header}), save(tensors, {_HEADER_KEY: "{}"})
    return Parser(from_file("a.safetensors", lambda path: list(read_safetensors(path))), seeds)


def make_foreign_checkpoint() -> Parser:
    """As torch.save writes it, the weights alone or below a key."""
    import torch

    from imageqx_export.checkpoint_import import find_state, read, rename, unwrap

    tensors = {f"module.{name}": torch.ones(3) for name in ("conv_stem.weight", "blocks.0.0.conv_dw.weight")}
    seeds = []
    for value in (tensors, {"epoch": 3, "state_dict": tensors}):
        file = io.BytesIO()
        torch.save(value, file)
        seeds.append(file.getvalue())

    def load(path: Path) -> object:
        wrappers, found = unwrap(find_state(path, read(path), None)[1], set())
        return wrappers, rename(found)[0]

    return Parser(from_file("a.pt", load), tuple(seeds), repair_zip)


def make_state() -> Parser:
    """Of a run with one layer."""
    import torch

    from imageqx_export.training.config import TrainingConfig
    from imageqx_export.training.state import load_state, save_state

    config, layer = TrainingConfig(epochs=2), torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    path = Path(tempfile.mkdtemp()) / "seed.state"
    with save_state(path, config, "ab", 1, [{"epoch": 1, "loss": 0.5}], [layer, optimizer]):
        pass

    def read(path: Path) -> object:
        fresh = torch.nn.Linear(2, 2)
        return load_state(path, config, "ab", [fresh, torch.optim.AdamW(fresh.parameters())])

    return Parser(from_file("a.state", read), (path.read_bytes(),), repair_zip)


def make_arrays() -> Parser:
    """As a runner writes its outputs."""
    from imageqx_export.support.arrays import read_arrays

    plain, packed = io.BytesIO(), io.BytesIO()
    arrays: dict[str, Any] = {"quality": np.ones((2, 4), np.float32), "attention": np.ones((2, 5, 7, 7), np.float32)}
    np.savez(plain, **arrays)
    np.savez_compressed(packed, **arrays)

    def read(data: bytes) -> object:
        return sorted(read_arrays(data, "a"))

    return Parser(read, (plain.getvalue(), packed.getvalue()), repair_zip)


def make_parquet() -> Parser:
    """In several of its encodings."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from imageqx_export.data.annotations import read_ratings

    rows = [line.split(",") for line in RATINGS.decode().splitlines()]
    table = pa.table({name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])})
    seeds = []
    for options in ({}, {"compression": "NONE", "use_dictionary": False}, {"compression": "ZSTD"}):
        file = io.BytesIO()
        pq.write_table(table, file, **options)
        seeds.append(file.getvalue())
    return Parser(from_file("a.parquet", read_ratings), tuple(seeds))


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


def make_tflite(read: Callable[[Path], object], *, apart: bool = False) -> Parser:
    """Of a cast, and of what LiteRT's own writer makes of a small network."""
    from benchmarks.tiny_models import write_tflite

    path = write_tflite(Path(tempfile.mkdtemp()) / "seed.tflite", SHAPE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("spec.json", json.dumps({"spec": SMALL.model_dump_json()}))
    return Parser(from_file("a.tflite", read), (path.read_bytes(), write_convolution()), repair_zip, apart)


def write_convolution() -> bytes:
    """Return a TFLite file with a quantized convolution, a pool and a softmax, so that kernels read parameters."""
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
