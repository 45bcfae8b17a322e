"""Check the evaluator's integers against coremltools' own value inference, PyTorch's and numpy's arithmetic."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.errors import UnsupportedOpError
from imageqx_export.runtimes.mil import runtime as mil

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ct = pytest.importorskip("coremltools")
    from coremltools.converters.mil import Builder as mb  # noqa: N813 - its usual name
    from coremltools.converters.mil.mil import Function, Program, types

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(21)
INTEGERS = {"int8": np.int8, "uint8": np.uint8}


def program(build: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Build an iOS 17 program of one input ``x`` and outputs ``y0``, ``y1`` and so on, float32 or float16."""
    made = Program()
    inputs = {"x": mb.placeholder(shape, dtype or types.fp32, True)}
    with Function(inputs, opset_version=ct.target.iOS17) as function:
        results = build(function.inputs["x"])
        results = results if isinstance(results, list) else [results]
        function.set_outputs([mb.identity(x=result, name=f"y{i}") for i, result in enumerate(results)])
        made.add_function("main", function)
    return made


def there_and_back(x: Any, kind: str, scale: Any, zero: Any = None, axis: int | None = None) -> Any:
    """Quantize and dequantize with the same numbers."""
    given: dict[str, Any] = {"scale": scale}
    if zero is not None:
        given["zero_point"] = INTEGERS[kind](zero)
    if axis is not None:
        given["axis"] = axis
    return mb.dequantize(input=mb.quantize(input=x, output_dtype=kind, **given), **given)


def integers(x: Array, kind: str, scale: float, zero: int) -> Array:
    """Ask for the integers: a step of one and no zero point turn them into floats."""
    made = program(
        lambda v: mb.dequantize(
            input=mb.quantize(input=v, output_dtype=kind, scale=np.float32(scale), zero_point=INTEGERS[kind](zero)),
            scale=np.float32(1),
        ),
        x.shape,
    )
    got: Array = mil.evaluate(made, {"x": x})["y0"]
    return got


def test_halves_go_to_the_even_integer() -> None:
    """Both ways, and the zero point is added after rounding."""
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999, 0.50001], np.float32)
    assert integers(x, "int8", 1.0, 0).tolist() == [-2, -2, 0, 0, 2, 2, 0, 1]
    assert integers(x, "int8", 1.0, 1).tolist() == [-1, -1, 1, 1, 3, 3, 1, 2]
    assert integers(x / 4, "uint8", 0.25, 128).tolist() == [126, 126, 128, 128, 130, 130, 128, 129]


def test_what_does_not_fit_is_the_nearest_that_does() -> None:
    """Far beyond an integer's own range too."""
    x = np.array([-np.inf, -1e30, -129.0, -127.6, 126.4, 127.5, 1e30, np.inf], np.float32)
    assert integers(x, "int8", 1.0, 0).tolist() == [-128, -128, -128, -128, 126, 127, 127, 127]
    assert integers(x, "uint8", 1.0, 128).tolist() == [0, 0, 0, 0, 254, 255, 255, 255]
    assert integers(x, "int8", 1.0, -128).tolist() == [-128, -128, -128, -128, -2, 0, 127, 127]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20),
    st.sampled_from(sorted(INTEGERS)),
    st.floats(2**-10, 50, width=32),
    st.integers(0, 255),
)
def test_integers_are_those_of_coremltools_value_inference(
    values: list[float], kind: str, scale: float, level: int
) -> None:
    """Given a constant, coremltools computes the operation itself, with numpy."""
    x, info = np.array(values, np.float32), np.iinfo(INTEGERS[kind])
    zero = level + int(info.min)
    with Function({}, opset_version=ct.target.iOS17):
        constant = mb.quantize(input=x, output_dtype=kind, scale=np.float32(scale), zero_point=INTEGERS[kind](zero))
    np.testing.assert_array_equal(integers(x, kind, scale, zero), constant.val.astype(np.float32))
    exact = np.clip(np.rint(x.astype(np.float64) / np.float64(np.float32(scale))) + zero, info.min, info.max)
    assert np.abs(integers(x, kind, scale, zero) - exact).max() <= 1  # float32's quotient, beside a half


def test_real_values_are_pytorchs_quantized_tensors() -> None:
    """PyTorch multiplies with 1 / scale, which a power of two makes exact."""
    x = (3 * RNG.standard_normal((2, 5, 4, 3))).astype(np.float32)
    scales, zeros = [0.25, 0.125, 0.0625, 0.5, 1.0], [0, -128, 127, 5, -7]
    made = program(
        lambda v: [
            there_and_back(v, "int8", np.float32(0.0625), -11),
            there_and_back(v, "uint8", np.float32(0.0625), 100),
            there_and_back(v, "int8", np.float32(0.25)),
            there_and_back(v, "int8", np.array(scales, np.float32), np.array(zeros), axis=1),
            there_and_back(v, "int8", np.array(scales, np.float32), axis=-3),
        ],
        x.shape,
    )
    tensor = torch.from_numpy(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch announces the end of its quantized tensors
        channels = torch.tensor(scales)
        wanted = [
            torch.quantize_per_tensor(tensor, 0.0625, -11, torch.qint8),
            torch.quantize_per_tensor(tensor, 0.0625, 100, torch.quint8),
            torch.quantize_per_tensor(tensor, 0.25, 0, torch.qint8),
            torch.quantize_per_channel(tensor, channels, torch.tensor(zeros), 1, torch.qint8),
            torch.quantize_per_channel(tensor, channels, torch.zeros(5, dtype=torch.int64), 1, torch.qint8),
        ]
    for got, want in zip(mil.evaluate(made, {"x": x}).values(), wanted, strict=True):
        np.testing.assert_array_equal(got, want.dequantize().numpy())


def test_float16_rounds_what_comes_out() -> None:
    """The step is float16 as the program holds it; only the product is rounded."""
    x = (2 * RNG.standard_normal(400)).astype(np.float16)
    scale, zero = np.float16(0.0217), np.int8(-9)
    made = program(lambda v: there_and_back(v, "int8", scale, zero), x.shape, types.fp16)
    steps = np.clip(np.rint(x.astype(np.float64) / np.float64(scale)) + int(zero), -128, 127) - int(zero)
    wanted = (steps * np.float64(scale)).astype(np.float16)
    got = mil.evaluate(made, {"x": x.astype(np.float32)})["y0"]
    np.testing.assert_array_equal(got, wanted.astype(np.float32))
    assert (steps * np.float64(scale) != got).any(), "the rounding must be visible"


@pytest.mark.parametrize("kind", sorted(INTEGERS))
def test_the_integers_themselves_move_through_a_program(kind: str) -> None:
    """Reshaped and turned between the one operation and the other."""
    x = RNG.standard_normal((2, 3, 4)).astype(np.float32)
    made = program(
        lambda v: mb.dequantize(
            input=mb.transpose(
                x=mb.reshape(x=mb.quantize(input=v, output_dtype=kind, scale=np.float32(0.03125)), shape=[6, 4]),
                perm=[1, 0],
            ),
            scale=np.float32(0.03125),
        ),
        x.shape,
    )
    low, high = np.iinfo(INTEGERS[kind]).min, np.iinfo(INTEGERS[kind]).max
    wanted = np.clip(np.rint(x / 0.03125), low, high).reshape(6, 4).T * 0.03125
    np.testing.assert_array_equal(mil.evaluate(made, {"x": x})["y0"], wanted)


def test_integers_go_in_and_out_of_a_saved_package(tmp_path: Path) -> None:
    """As bytes in the file: quantized activations, and a weight per channel and one step for all."""
    w = RNG.integers(-127, 128, (4, 3, 1, 1), np.int8)
    scales = (RNG.random(4) + 0.1).astype(np.float32)
    made = program(
        lambda v: there_and_back(
            mb.conv(
                x=there_and_back(v, "uint8", np.float32(0.5), 128),
                weight=mb.constexpr_affine_dequantize(
                    quantized_data=w, zero_point=np.zeros(4, np.int8), scale=scales, axis=0
                ),
            ),
            "int8",
            np.float32(2.0),
            -3,
        ),
        (1, 3, 5, 5),
    )
    path = tmp_path / "a.mlpackage"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ct.convert(
            made,
            convert_to="mlprogram",
            skip_model_load=True,
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
        ).save(str(path))
    x = np.round(20 * RNG.standard_normal((1, 3, 5, 5))).astype(np.float32) / 2
    held = np.clip(x / 0.5 + 128, 0, 255) * 0.5 - 64
    sums = np.einsum("oi,nihw->nohw", w[:, :, 0, 0] * scales[:, None].astype(np.float64), held)
    wanted = (np.clip(np.rint(sums / 2) - 3, -128, 127) + 3) * 2
    np.testing.assert_array_equal(mil.evaluate(path, {"x": x})["y0"], wanted)


def test_a_wrong_scale_and_a_wrong_zero_point_change_the_answer() -> None:
    """The negative control: both numbers are read."""
    x = RNG.standard_normal(100).astype(np.float32)
    answers = [
        mil.evaluate(program(lambda v, s=s, z=z: there_and_back(v, "int8", np.float32(s), z), x.shape), {"x": x})["y0"]
        for s, z in ((0.05, 0), (0.051, 0), (0.05, 100))
    ]
    assert np.abs(answers[0] - x).max() <= 0.0251
    assert np.abs(answers[1] - answers[0]).max() > 0.01 and np.abs(answers[2] - answers[0]).max() > 0.5


def test_other_operations_on_bytes_are_refused() -> None:
    """Such as one that iOS 17 has for floats alone."""
    made = program(
        lambda v: mb.dequantize(
            input=mb.concat(values=[mb.quantize(input=v, output_dtype="int8", scale=np.float32(1))] * 2, axis=0),
            scale=np.float32(1),
        ),
        (3,),
    )
    with pytest.raises(UnsupportedOpError, match="type of operation 'concat'"):
        mil.evaluate(made, {})
