"""Write models that do next to nothing, so that what is left is the harness."""

from __future__ import annotations

from pathlib import Path

SHAPE = (1, 4, 4, 3)


def write_onnx(path: Path, shape: tuple[int, ...] = SHAPE) -> Path:
    """Write an ONNX file that casts its uint8 input ``image`` to the float32 output ``same``."""
    from onnx import TensorProto, helper, save

    node = helper.make_node("Cast", ["image"], ["same"], to=TensorProto.FLOAT, name="cast")
    graph = helper.make_graph(
        [node],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, shape)],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def write_tflite(path: Path, shape: tuple[int, ...] = SHAPE) -> Path:
    """Write a TFLite file that casts its uint8 input ``image`` to the float32 output ``same``."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CAST
    code.version = 1
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = schema.TensorType.UINT8, schema.TensorType.FLOAT32
    cast = schema.OperatorT()
    cast.opcodeIndex, cast.inputs, cast.outputs = 0, [0], [1]
    cast.builtinOptionsType, cast.builtinOptions = schema.BuiltinOptions.CastOptions, options
    graph = schema.SubGraphT()
    graph.tensors = [
        _make_tensor(b"image", schema.TensorType.UINT8, shape),
        _make_tensor(b"same", options.outDataType, shape),
    ]
    graph.inputs, graph.outputs, graph.operators, graph.name = [0], [1], [cast], b"main"
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs, signature.outputs = [_name_tensor(b"image", 0)], [_name_tensor(b"same", 1)]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers, model.signatureDefs = [schema.BufferT()], [signature]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _make_tensor(name: bytes, kind: int, shape: tuple[int, ...]):  # type: ignore[no-untyped-def]  # a generated class
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape, tensor.buffer = name, kind, list(shape), 0
    return tensor


def _name_tensor(name: bytes, index: int):  # type: ignore[no-untyped-def]  # a generated class
    from ai_edge_litert import schema_py_generated as schema

    found = schema.TensorMapT()
    found.name, found.tensorIndex = name, index
    return found
