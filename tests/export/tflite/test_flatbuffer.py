"""TFLite flatbuffers: read, written again, and opened by LiteRT."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from imageqx_export.errors import ConversionError
from imageqx_export.export.tflite import flatbuffer
from imageqx_export.export.tflite.passes import store_int8_weights, write_exact_integers
from imageqx_export.quantize.graph.integers import IntegerWeight

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
RNG = np.random.default_rng(0)
# PyTorch's layouts: a convolution [out,in,h,w], and a depthwise one [C,1,h,w].
CONV = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
DEPTHWISE = RNG.normal(size=(4, 1, 3, 3)).astype(np.float32)


def tensor(model: object, name: str, shape: tuple[int, ...], data: np.ndarray | None) -> int:
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    made, buffer = schema.TensorT(), schema.BufferT()
    made.name, made.shape, made.type, made.hasRank = name.encode(), np.array(shape, np.int32), 0, True
    if data is not None:
        buffer.data = np.ascontiguousarray(data).view(np.uint8).ravel()
        made.buffer = len(model.buffers)  # type: ignore[attr-defined]
        model.buffers.append(buffer)  # type: ignore[attr-defined]
    graph.tensors.append(made)
    return len(graph.tensors) - 1


def small_model() -> object:
    """Return conv 3 → 4 and a depthwise one on [1,8,8,3], biases 0, as TFLite holds them."""
    model = schema.ModelT()
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT()], [schema.SubGraphT()]
    graph = model.subgraphs[0]
    graph.tensors, graph.operators, model.operatorCodes = [], [], []
    value = tensor(model, "image", (1, 8, 8, 3), None)
    graph.inputs = np.array([value], np.int32)
    for code, options, kind, weight, order in (
        (schema.BuiltinOperator.CONV_2D, schema.Conv2DOptionsT(), 1, CONV, (0, 2, 3, 1)),
        (schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT(), 2, DEPTHWISE, (1, 2, 3, 0)),
    ):
        options.strideW = options.strideH = 1
        if kind == 2:
            options.depthMultiplier = 1
        operator, opcode = schema.OperatorT(), schema.OperatorCodeT()
        opcode.builtinCode = opcode.deprecatedBuiltinCode = code
        opcode.version = 1
        stored = weight.transpose(order)
        operator.opcodeIndex, operator.builtinOptions, operator.builtinOptionsType = kind - 1, options, kind
        operator.inputs = np.array(
            [
                value,
                tensor(model, f"a.b.Conv_{kind};", stored.shape, stored),
                tensor(model, f"bias{kind}", (4,), np.zeros(4, np.float32)),
            ],
            np.int32,
        )
        value = tensor(model, f"out{kind}", (1, 8, 8, 4), None)
        operator.outputs = np.array([value], np.int32)
        model.operatorCodes.append(opcode)
        graph.operators.append(operator)
    graph.outputs = np.array([value], np.int32)
    return model


def run(content: bytes, image: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def integer_weight(name: str, values: np.ndarray) -> IntegerWeight:
    scales = (np.abs(values).reshape(len(values), -1).max(1) / 127).astype(np.float32)
    return IntegerWeight(name, values, np.rint(values / scales[:, None, None, None]).astype(np.int8), scales)


def rounded(weight: IntegerWeight) -> np.ndarray:
    return weight.integers * weight.scales[:, None, None, None]


def test_int8_weights_give_what_torch_gives_with_the_rounded_ones() -> None:
    import torch
    from torch.nn.functional import conv2d

    weights = [integer_weight("one", CONV), integer_weight("two", DEPTHWISE)]
    model = small_model()
    store_int8_weights(model, weights)
    image = RNG.normal(size=(1, 8, 8, 3)).astype(np.float32)
    first = conv2d(torch.tensor(image).permute(0, 3, 1, 2), torch.tensor(rounded(weights[0])), padding=1)
    want = conv2d(first, torch.tensor(rounded(weights[1])), padding=1, groups=4).permute(0, 2, 3, 1).numpy()
    got = run(flatbuffer.write(model), image)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    assert np.abs(got - run(flatbuffer.write(small_model()), image)).max() > 1e-3, "nothing was rounded"


def test_a_weight_that_is_not_there_is_refused_by_its_name() -> None:
    with pytest.raises(ConversionError, match="late9:conv"):
        store_int8_weights(small_model(), [integer_weight("late9:conv", CONV + np.float32(1e-3))])


def int8_model(weight: IntegerWeight, stored: np.ndarray, bias: np.ndarray) -> object:
    """Return the small model's first convolution with an int8 weight and an int32 bias."""
    model = small_model()
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    del graph.operators[1]
    for index, values, kind in (
        (1, stored.transpose(0, 2, 3, 1), schema.TensorType.INT8),
        (2, bias, schema.TensorType.INT32),
    ):
        made = graph.tensors[graph.operators[0].inputs[index]]
        made.type, made.quantization = kind, schema.QuantizationParametersT()
        made.quantization.scale = weight.scales.copy()
        model.buffers[made.buffer].data = np.ascontiguousarray(values).view(np.uint8).ravel()  # type: ignore[attr-defined]
    return model


def held(model: object, index: int, dtype: type) -> list[int]:
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    made = graph.tensors[graph.operators[0].inputs[index]]
    return model.buffers[made.buffer].data.view(dtype).tolist()  # type: ignore[attr-defined,no-any-return]


def test_integers_that_were_rounded_the_other_way_are_written_over() -> None:
    right = np.array([5, -7, 0, 12345], np.int32)
    weight = dataclasses.replace(integer_weight("one", CONV), bias=right)
    stored, bias = weight.integers.copy(), right + np.array([0, 1, 0, -1], np.int32)
    stored[0, 1, 2, 0] -= 1
    model = int8_model(weight, stored, bias)
    write_exact_integers(model, [weight])
    assert held(model, 2, np.int32) == [5, -7, 0, 12345]
    assert held(model, 1, np.int8) == weight.integers.transpose(0, 2, 3, 1).ravel().tolist()


@pytest.mark.parametrize("what", ["integers", "bias", "scales", "shape", "count"])
def test_a_convolution_of_another_network_is_refused(what: str) -> None:
    weight = dataclasses.replace(integer_weight("one", CONV), bias=np.zeros(4, np.int32))
    model = int8_model(weight, weight.integers, np.zeros(4, np.int32))
    given = [weight]
    if what == "integers":
        other = weight.integers.copy()
        other[0, 0, 0, 0] = -other[0, 0, 0, 0]
        given = [dataclasses.replace(weight, integers=other)]
    elif what == "bias":
        given = [dataclasses.replace(weight, bias=np.array([0, 0, 2, 0], np.int32))]
    elif what == "scales":
        given = [dataclasses.replace(weight, scales=weight.scales * np.float32(1.01))]
    elif what == "shape":
        given = [dataclasses.replace(weight, integers=weight.integers[:, :, :1])]
    else:
        given = []
    with pytest.raises(ConversionError, match="not the quantized network"):
        write_exact_integers(model, given)


def test_equal_vectors_are_written_once_and_buffers_stay_aligned() -> None:
    model = small_model()
    store_int8_weights(model, [integer_weight("one", CONV), integer_weight("two", DEPTHWISE)])
    for made in model.subgraphs[0].tensors:  # type: ignore[attr-defined]
        if made.quantization is not None:  # as long as a real layer's
            made.quantization.zeroPoint = np.zeros(10_000, np.int64)
            made.quantization.scale = np.full(10_000, 0.5, np.float32)
    content = flatbuffer.write(model)
    assert 120_000 < len(content) < 135_000, "two tensors share 80,000 bytes of zero points and 40,000 of scales"
    view = schema.Model.GetRootAs(bytearray(content), 0)
    starts = [np.frombuffer(content, np.uint8).ctypes.data]
    for index in range(view.BuffersLength()):
        data = view.Buffers(index).DataAsNumpy()
        if not isinstance(data, int):
            starts.append(data.ctypes.data - np.frombuffer(view._tab.Bytes, np.uint8).ctypes.data)
    assert len(starts) == 5 and all(start % 16 == 0 for start in starts[1:])


def test_what_is_read_is_what_was_written() -> None:
    content = flatbuffer.write(small_model())
    assert flatbuffer.write(flatbuffer.read(content)) == content
    assert content[4:8] == b"TFL3"


def test_names_become_the_modules_own() -> None:
    model = small_model()
    long = b"x.y._named.<locals>.Named/a.b.Graph_inner/c._Early_early/d.Sequential_stages/e.Linear_to_be;1;;f.G_h;"
    model.subgraphs[0].tensors[0].name = long  # type: ignore[attr-defined]
    flatbuffer.shorten_names(model)
    names = [made.name for made in model.subgraphs[0].tensors]  # type: ignore[attr-defined]
    assert names == [b"early/stages/to_be;1", b"1", b"bias1", b"out1", b"2", b"bias2", b"out2"]


def test_names_stay_different_and_are_never_empty() -> None:
    model = small_model()
    tensors = model.subgraphs[0].tensors  # type: ignore[attr-defined]
    tensors[0].name, tensors[1].name, tensors[2].name = b"x.y.A_b", b"p.q.C_b", b"x.y.Graph_inner"
    flatbuffer.shorten_names(model)
    assert [made.name for made in tensors[:3]] == [b"b", b"b~2", b"_"]
    flatbuffer.shorten_names(model)
    assert len({made.name for made in tensors}) == len(tensors)


def test_bytes_behind_the_flatbuffer_are_taken_in() -> None:
    """Large files have them there, and ai-edge-quantizer writes them so."""
    model, image = small_model(), RNG.normal(size=(1, 8, 8, 3)).astype(np.float32)
    want = run(flatbuffer.write(model), image)
    kept = [b.data for b in model.buffers]  # type: ignore[attr-defined]
    content = tail = b""
    for _ in range(2):  # offsets are known once the flatbuffer's own size is
        place, tail = -(-len(content) // 16) * 16, b""
        for buffer, data in zip(model.buffers, kept, strict=True):  # type: ignore[attr-defined]
            if data is not None:
                buffer.data, buffer.offset, buffer.size = None, place + len(tail) or 16, len(data)
                tail += data.tobytes() + b"\0" * (-len(data) % 16)
        content = flatbuffer.write(model)
    whole = content + b"\0" * (-len(content) % 16) + tail
    assert len(flatbuffer.write(flatbuffer.read(whole))) < len(whole) + 200
    np.testing.assert_array_equal(run(flatbuffer.write(flatbuffer.read(whole)), image), want)
