"""Check the Core ML evaluator against numpy and scipy, operation by operation, through saved packages."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import signal, special

from imageqx_export.errors import ArtifactError, UnavailableError, UnsupportedOpError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.runtimes.base import Runtime
from imageqx_export.runtimes.mil import runtime as mil

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ct = pytest.importorskip("coremltools")
    from coremltools.converters.mil import Builder as mb  # noqa: N813 - its usual name
    from coremltools.converters.mil.mil import Function, Program, types

Array = np.ndarray[Any, Any]
Build = Callable[..., Any]
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
RNG = np.random.default_rng(20)


def normal(*shape: int) -> Array:
    """Draw float32 numbers that float16 holds as well."""
    return RNG.standard_normal(shape).astype(np.float16).astype(np.float32)


def program(build: Build, *shapes: tuple[int, ...], dtype: Any = None, target: Any = None) -> Any:
    """Build a MIL program of inputs ``x0``, ``x1``… and outputs ``y0``, ``y1`` and so on."""
    target = target or ct.target.iOS16
    inputs = {f"x{i}": mb.placeholder(shape, dtype or types.fp32, True) for i, shape in enumerate(shapes)}
    result = Program()
    with Function(inputs, opset_version=target) as function:
        made = build(*function.inputs.values())
        made = made if isinstance(made, list | tuple) else [made]
        function.set_outputs([mb.identity(x=var, name=f"y{i}") for i, var in enumerate(made)])
        result.add_function("main", function)
    return result


def package(path: Path, made: Any, **options: Any) -> Path:
    """Save a MIL program or a traced network as ``path``, without graph passes where it is a program."""
    if isinstance(made, Program):
        options["pass_pipeline"] = ct.PassPipeline.EMPTY
    options.setdefault("minimum_deployment_target", ct.target.iOS16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options.setdefault("compute_precision", ct.precision.FLOAT32)
        model = ct.convert(made, convert_to="mlprogram", skip_model_load=True, **options)
        model.user_defined_metadata["spec"] = spec().model_dump_json()
        model.save(str(path))
    return path


def conv_golden(x: Array, w: Array, strides: Any, pads: Any, dilations: Any, groups: int) -> Array:
    """Correlate with scipy: pads per spatial dimension, a kernel with zeros put in between."""
    x = np.pad(x, [(0, 0), (0, 0), *pads])
    spread = np.zeros((*w.shape[:2], *[(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]))
    every: Any = (..., *[slice(None, None, d) for d in dilations])
    spread[every] = w
    part, outs = x.shape[1] // groups, w.shape[0] // groups
    step = tuple(slice(None, None, s) for s in strides)
    maps = [
        [signal.correlate(row[o // outs * part :][:part], spread[o], "valid")[0][step] for o in range(len(w))]
        for row in x
    ]
    return np.array(maps)


def windows(x: Array, sizes: Any, strides: Any) -> Array:
    """Return every window of the last dimensions, flattened: [N,C,*D,K]."""
    every: Any = (slice(None), slice(None), *[slice(None, None, s) for s in strides])
    view: Array = np.lib.stride_tricks.sliding_window_view(x, sizes, tuple(range(2, x.ndim)))[every]
    return view.reshape(*view.shape[: x.ndim], -1)


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "dilations", "groups", "pad_type", "pads"),
    [
        ((7, 9), (3, 3), (1, 1), (1, 1), 1, "valid", ((0, 0), (0, 0))),
        ((7, 9), (3, 2), (2, 3), (1, 1), 1, "custom", ((1, 1), (0, 0))),
        ((7, 9), (3, 3), (2, 2), (1, 1), 4, "custom", ((0, 1), (2, 1))),
        ((8, 8), (3, 3), (1, 1), (2, 2), 2, "custom", ((2, 2), (2, 2))),
        ((8, 8), (3, 3), (2, 2), (1, 1), 1, "same", ((0, 1), (0, 1))),
        ((8, 8), (3, 3), (2, 2), (1, 1), 1, "same_lower", ((1, 0), (1, 0))),
        ((7, 7), (2, 4), (1, 1), (1, 1), 2, "same", ((0, 1), (1, 2))),
        ((7, 7), (2, 4), (1, 1), (1, 1), 2, "same_lower", ((1, 0), (2, 1))),
        ((9,), (4,), (2,), (1,), 1, "custom", ((1, 2),)),
        ((4, 5, 6), (2, 3, 2), (1, 2, 1), (1, 1, 1), 2, "custom", ((0, 1), (1, 1), (0, 0))),
    ],
)
def test_conv_is_scipys_correlation(
    size: Any, kernel: Any, strides: Any, dilations: Any, groups: int, pad_type: str, pads: Any
) -> None:
    """With and without bias."""
    x, w, b = normal(2, 4, *size), normal(8, 4 // groups, *kernel), normal(8)
    given = {"pad": np.ravel(pads).astype(np.int32)} if pad_type == "custom" else {}
    made = program(
        lambda x: [
            mb.conv(
                x=x, weight=w, strides=strides, dilations=dilations, groups=groups, pad_type=pad_type, **given, **bias
            )
            for bias in ({}, {"bias": b})
        ],
        x.shape,
    )
    got = mil.evaluate(made, {"x0": x})
    golden = conv_golden(x, w, strides, pads, dilations, groups)
    np.testing.assert_allclose(got["y0"], golden, atol=2e-5)
    np.testing.assert_allclose(got["y1"], golden + b.reshape(-1, *[1] * len(size)), atol=2e-5)


POOLS = [
    ((7, 9), (3, 2), (2, 2), "valid", ((0, 0), (0, 0)), False),
    ((7, 9), (3, 3), (2, 3), "custom", ((1, 1), (0, 1)), False),
    ((8, 8), (3, 3), (2, 2), "same", ((0, 1), (0, 1)), False),
    ((8, 8), (3, 3), (2, 2), "same_lower", ((1, 0), (1, 0)), False),
    ((8, 8), (3, 3), (2, 2), "custom", ((1, 1), (1, 1)), True),
    ((8, 7), (3, 3), (2, 2), "valid", ((0, 0), (0, 0)), True),
    ((9,), (3,), (2,), "custom", ((1, 1),), False),
    ((4, 5, 6), (2, 2, 2), (2, 2, 2), "valid", ((0, 0),) * 3, False),
]


@pytest.mark.parametrize(("size", "kernel", "strides", "pad_type", "pads", "ceil"), POOLS)
def test_pools_are_means_and_maxima_of_windows(
    size: Any, kernel: Any, strides: Any, pad_type: str, pads: Any, ceil: bool
) -> None:
    """In ceil mode the windows reach past the padding, where nothing is counted."""
    x = normal(1, 2, *size)
    options = {"kernel_sizes": kernel, "strides": strides, "pad_type": pad_type, "ceil_mode": ceil}
    if pad_type == "custom":
        options["pad"] = np.ravel(pads).astype(np.int32)
    made = program(
        lambda x: [
            mb.max_pool(x=x, **options),
            mb.avg_pool(x=x, **options),
            mb.avg_pool(x=x, exclude_padding_from_average=True, **options),
        ],
        x.shape,
    )
    got = mil.evaluate(made, {"x0": x})

    def around(value: float) -> Array:
        wide = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=value)
        extra = [-(n - k) % s if ceil else 0 for n, k, s in zip(wide.shape[2:], kernel, strides, strict=True)]
        return np.pad(wide, [(0, 0), (0, 0), *((0, n) for n in extra)], constant_values=np.nan)

    np.testing.assert_array_equal(got["y0"], np.nanmax(windows(around(np.nan), kernel, strides), -1))
    np.testing.assert_allclose(got["y1"], np.nanmean(windows(around(0), kernel, strides), -1), atol=1e-6)
    np.testing.assert_allclose(got["y2"], np.nanmean(windows(around(np.nan), kernel, strides), -1), atol=1e-6)


X, Y = normal(2, 3, 4), normal(3, 1)
POSITIVE = np.abs(X) + 0.5
MATRIX = normal(5, 4)
IMAGE = normal(2, 3, 4, 5)
PER_CHANNEL = [np.abs(normal(3)) + 0.1 for _ in range(4)]


def _norm(x: Array, gamma: Any = 1.0, beta: Any = 0.0) -> Any:
    mean, variance = (a[:, None, None] for a in PER_CHANNEL[:2])
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


CASES: dict[str, tuple[Build, Build, tuple[Array, ...]]] = {
    "abs": (lambda x: mb.abs(x=x), np.abs, (X,)),
    "add": (lambda x, y: mb.add(x=x, y=y), np.add, (X, Y)),
    "batch_norm": (
        lambda x: mb.batch_norm(x=x, mean=PER_CHANNEL[0], variance=PER_CHANNEL[1], epsilon=1e-3),
        _norm,
        (IMAGE,),
    ),
    "batch_norm affine": (
        lambda x: mb.batch_norm(
            x=x, mean=PER_CHANNEL[0], variance=PER_CHANNEL[1], gamma=PER_CHANNEL[2], beta=PER_CHANNEL[3], epsilon=1e-3
        ),
        lambda x: _norm(x, *(a[:, None, None] for a in PER_CHANNEL[2:])),
        (IMAGE,),
    ),
    "cast": (lambda x: mb.cast(x=mb.cast(x=x, dtype="int32"), dtype="fp32"), np.trunc, (3 * X,)),
    "cast bool": (lambda x: mb.cast(x=mb.cast(x=x, dtype="bool"), dtype="fp32"), lambda x: x != 0, (np.trunc(X),)),
    "ceil": (lambda x: mb.ceil(x=x), np.ceil, (X,)),
    "clip": (lambda x: mb.clip(x=x, alpha=-0.3, beta=0.7), lambda x: np.clip(x, -0.3, 0.7), (X,)),
    "concat": (
        lambda x, y: mb.concat(values=[x, y, x], axis=-2),
        lambda x, y: np.concatenate([x, y, x], 1),
        (X, X + 1),
    ),
    "concat interleave": (
        lambda x, y: mb.concat(values=[x, y], axis=1, interleave=True),
        lambda x, y: np.stack([x, y], 2).reshape(2, 6, 4),
        (X, X + 1),
    ),
    "einsum": (
        lambda x, y: mb.einsum(values=(x, y), equation="nchw,nwhu->nchu"),
        lambda x, y: np.einsum("nchw,nwhu->nchu", x, y),
        (IMAGE, normal(2, 5, 4, 3)),
    ),
    "exp": (lambda x: mb.exp(x=x), np.exp, (X,)),
    "expand_dims": (lambda x: mb.expand_dims(x=x, axes=[-1, 1]), lambda x: x[:, None, :, :, None], (X,)),
    "floor": (lambda x: mb.floor(x=x), np.floor, (X,)),
    "gelu": (lambda x: mb.gelu(x=x), lambda x: x * special.ndtr(x), (X,)),
    "gelu sigmoid": (
        lambda x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        lambda x: x * special.expit(1.702 * x),
        (X,),
    ),
    "gelu tanh": (
        lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        (X,),
    ),
    "inverse": (lambda x: mb.inverse(x=x, epsilon=0.25), lambda x: 1 / (x + 0.25), (POSITIVE,)),
    "leaky_relu": (lambda x: mb.leaky_relu(x=x, alpha=0.1), lambda x: np.where(x < 0, 0.1 * x, x), (X,)),
    "linear": (lambda x: mb.linear(x=x, weight=MATRIX), lambda x: x @ MATRIX.T, (X,)),
    "linear bias": (
        lambda x: mb.linear(x=x, weight=MATRIX, bias=MATRIX[:, 0]),
        lambda x: x @ MATRIX.T + MATRIX[:, 0],
        (X,),
    ),
    "log": (lambda x: mb.log(x=x), np.log, (POSITIVE,)),
    "matmul": (lambda x, y: mb.matmul(x=x, y=y), np.matmul, (X, normal(2, 4, 5))),
    "matmul transposed": (
        lambda x, y: mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True),
        lambda x, y: np.swapaxes(x, 1, 2) @ y.T,
        (X, normal(5, 3)),
    ),
    "maximum": (lambda x, y: mb.maximum(x=x, y=y), np.maximum, (X, Y)),
    "minimum": (lambda x, y: mb.minimum(x=x, y=y), np.minimum, (X, Y)),
    "mul": (lambda x, y: mb.mul(x=x, y=y), np.multiply, (X, Y)),
    "pad": (
        lambda x: mb.pad(x=x, pad=[1, 2, 0, 3], constant_val=7.0),
        lambda x: np.pad(x, [(0, 0), (1, 2), (0, 3)], constant_values=7),
        (X,),
    ),
    "pad reflect": (
        lambda x: mb.pad(x=x, pad=[1, 2, 2, 1], mode="reflect"),
        lambda x: np.pad(x, [(0, 0), (1, 2), (2, 1)], mode="reflect"),
        (X,),
    ),
    "pad replicate": (
        lambda x: mb.pad(x=x, pad=[1, 0, 2, 3], mode="replicate"),
        lambda x: np.pad(x, [(0, 0), (1, 0), (2, 3)], mode="edge"),
        (X,),
    ),
    "pow": (lambda x, y: mb.pow(x=x, y=y), np.power, (POSITIVE, Y)),
    "real_div": (lambda x, y: mb.real_div(x=x, y=y), np.divide, (X, POSITIVE)),
    "reduce all": (lambda x: mb.reduce_sum(x=x), np.sum, (X,)),
    "reduce_max": (lambda x: mb.reduce_max(x=x, axes=[-1]), lambda x: x.max(-1), (X,)),
    "reduce_mean": (
        lambda x: mb.reduce_mean(x=x, axes=[2, 3], keep_dims=True),
        lambda x: x.mean((2, 3), keepdims=True),
        (IMAGE,),
    ),
    "reduce_min": (lambda x: mb.reduce_min(x=x, axes=[0, 2]), lambda x: x.min((0, 2)), (X,)),
    "reduce_sum": (lambda x: mb.reduce_sum(x=x, axes=[1]), lambda x: x.sum(1), (X,)),
    "relu": (lambda x: mb.relu(x=x), lambda x: np.maximum(x, 0), (X,)),
    "relu6": (lambda x: mb.relu6(x=x), lambda x: np.clip(x, 0, 6), (9 * X,)),
    "reshape": (lambda x: mb.reshape(x=x, shape=[4, -1]), lambda x: x.reshape(4, 6), (X,)),
    "reshape zero": (lambda x: mb.reshape(x=x, shape=[0, -1, 6]), lambda x: x.reshape(2, 2, 6), (X,)),
    "rsqrt": (lambda x: mb.rsqrt(x=x, epsilon=0.5), lambda x: (x + 0.5) ** -0.5, (POSITIVE,)),
    "sigmoid": (lambda x: mb.sigmoid(x=x), special.expit, (X,)),
    "sigmoid_hard": (lambda x: mb.sigmoid_hard(x=x, alpha=0.4, beta=0.3), lambda x: np.clip(0.4 * x + 0.3, 0, 1), (X,)),
    "silu": (lambda x: mb.silu(x=x), lambda x: x * special.expit(x), (X,)),
    "slice": (
        lambda x: mb.slice_by_index(x=x, begin=[1, -2, 0], end=[2, 3, -1], stride=[1, 1, 2]),
        lambda x: x[1:2, -2:3, 0:-1:2],
        (X,),
    ),
    "slice masks": (
        lambda x: mb.slice_by_index(
            x=x,
            begin=[1, 2, 1],
            end=[0, 0, 0],
            begin_mask=[False, True, False],
            end_mask=[False, True, True],
            squeeze_mask=[True, False, False],
        ),
        lambda x: x[1, :, 1:],
        (X,),
    ),
    "slice backwards": (
        lambda x: mb.slice_by_index(x=x, begin=[0, 2, 3], end=[2, 0, 0], stride=[1, -1, -2]),
        lambda x: x[:, 2:0:-1, 3:0:-2],
        (X,),
    ),
    "softmax": (lambda x: mb.softmax(x=x, axis=1), lambda x: special.softmax(x, 1), (X,)),
    "softplus": (lambda x: mb.softplus(x=x), lambda x: np.logaddexp(x, 0), (9 * X,)),
    "split": (lambda x: mb.split(x=x, num_splits=2, axis=2)[1], lambda x: x[:, :, 2:], (X,)),
    "split sizes": (lambda x: mb.split(x=x, split_sizes=[1, 2], axis=1)[1], lambda x: x[:, 1:], (X,)),
    "sqrt": (lambda x: mb.sqrt(x=x), np.sqrt, (POSITIVE,)),
    "square": (lambda x: mb.square(x=x), np.square, (X,)),
    "squeeze": (lambda x: mb.squeeze(x=x, axes=[-1]), lambda x: x[..., 0], (normal(1, 3, 1),)),
    "squeeze all": (lambda x: mb.squeeze(x=x), np.squeeze, (normal(1, 3, 1),)),
    "sub": (lambda x, y: mb.sub(x=x, y=y), np.subtract, (X, Y)),
    "tanh": (lambda x: mb.tanh(x=x), np.tanh, (X,)),
    "transpose": (lambda x: mb.transpose(x=x, perm=[2, 0, 1]), lambda x: x.transpose(2, 0, 1), (X,)),
}


def wanted(case: str) -> Array:
    """Compute a case's golden value in float64."""
    _, golden, inputs = CASES[case]
    return np.asarray(golden(*(x.astype(np.float64) for x in inputs)), np.float64)


@pytest.mark.parametrize("case", CASES)
def test_operation_is_numpys(case: str) -> None:
    """In memory, one operation at a time."""
    build, _, inputs = CASES[case]
    made = program(build, *(x.shape for x in inputs))
    got = mil.evaluate(made, {f"x{i}": x for i, x in enumerate(inputs)})["y0"]
    assert got.dtype == np.float32 and got.shape == wanted(case).shape
    np.testing.assert_allclose(got, wanted(case), rtol=2e-6, atol=2e-6)


def test_saved_operations_are_numpys(tmp_path: Path) -> None:
    """All operations through one file, with convolutions for weights."""
    feed, counts = [x for _, _, inputs in CASES.values() for x in inputs], [len(c[2]) for c in CASES.values()]
    w = normal(6, 1, 3, 3)

    def build(*inputs: Any) -> list[Any]:
        rest = iter(inputs)
        made = [c[0](*(next(rest) for _ in range(n))) for c, n in zip(CASES.values(), counts, strict=True)]
        return [*made, mb.conv(x=next(rest), weight=w, groups=3, pad_type="same")]

    shapes = [x.shape for x in (*feed, IMAGE)]
    saved = package(tmp_path / "a.mlpackage", program(build, *shapes))
    got = mil.evaluate(saved, {f"x{i}": x for i, x in enumerate((*feed, IMAGE))})
    assert list(got) == [f"y{i}" for i in range(len(CASES) + 1)]
    for (name, value), case in zip(got.items(), CASES, strict=False):
        np.testing.assert_allclose(value, wanted(case), rtol=2e-6, atol=2e-6, err_msg=f"{name}: {case}")
    conv = conv_golden(IMAGE, w, (1, 1), ((1, 1), (1, 1)), (1, 1), 3)
    np.testing.assert_allclose(got[f"y{len(CASES)}"], conv, atol=2e-5)


def test_float16_rounds_after_every_operation(tmp_path: Path) -> None:
    """NumPy's float16 computes in float32 and rounds each result, which is the rounding model."""
    x, y, z = (10 * normal(50, 4) for _ in range(3))
    made = program(
        lambda x, y, z: [
            mb.add(x=mb.mul(x=x, y=y), y=z),
            mb.real_div(x=mb.sub(x=x, y=z), y=y),
            mb.sqrt(x=mb.abs(x=z)),
            mb.relu(x=mb.mul(x=x, y=np.float16(0.1))),
            mb.add(x=mb.cast(x=x, dtype="fp32"), y=np.float32(1e-3)),
            mb.mul(x=x, y=np.float16(60000)),
        ],
        *[(50, 4)] * 3,
        dtype=types.fp16,
    )
    got = mil.evaluate(package(tmp_path / "a.mlpackage", made), {"x0": x + 1e-5, "x1": y, "x2": z})
    a, b, c = ((v.astype(np.float32)).astype(np.float16) for v in (x + 1e-5, y, z))
    with np.errstate(over="ignore"):
        want = [
            a * b + c,
            (a - c) / b,
            np.sqrt(np.abs(c)),
            np.maximum(a * np.float16(0.1), 0),
            a.astype(np.float32) + np.float32(1e-3),
            a * np.float16(60000),
        ]
    for value, golden in zip(got.values(), want, strict=True):
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, golden.astype(np.float32))
    assert np.abs(got["y0"] - (x * y + z)).max() > 1e-3, "the rounding must be visible"


def test_float16_sums_in_float32() -> None:
    """A convolution and a mean accumulate in float32 and round once."""
    x, w = normal(1, 64, 6, 6), normal(4, 64, 3, 3)
    made = program(
        lambda x: [mb.conv(x=x, weight=w.astype(np.float16)), mb.reduce_mean(x=x, axes=[1, 2, 3])],
        x.shape,
        dtype=types.fp16,
    )
    got = mil.evaluate(made, {"x0": x})
    exact = conv_golden(x.astype(np.float64), w, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    np.testing.assert_array_equal(got["y0"], got["y0"].astype(np.float16))
    np.testing.assert_allclose(got["y0"], exact, rtol=2**-11, atol=1e-4)
    np.testing.assert_array_equal(got["y1"], x.mean((1, 2, 3), dtype=np.float64).astype(np.float16))


def test_integers_and_booleans() -> None:
    """Keep their dtype."""
    made = program(lambda x: [mb.add(x=mb.cast(x=x, dtype="int32"), y=np.int32(2)), mb.cast(x=x, dtype="bool")], (2,))
    got = mil.evaluate(made, {"x0": np.array([3.9, 0.0], np.float32)})
    assert got["y0"].dtype == np.int32 and got["y0"].tolist() == [5, 2]
    assert got["y1"].dtype == np.bool_ and got["y1"].tolist() == [True, False]


@pytest.mark.parametrize("half", [False, True])
def test_compressed_weights(tmp_path: Path, half: bool) -> None:
    """Affine per channel and per tensor, and look-up tables of 1, 2, 4, 6 and 8 bits."""
    floats = np.float16 if half else np.float32
    q, zero = RNG.integers(-128, 128, (3, 4), np.int8), np.array([-3, 0, 127, 9], np.int8)
    scale = (RNG.random(4) + 0.1).astype(floats)
    tables = {bits: normal(2**bits).astype(floats) for bits in (1, 2, 4, 6, 8)}
    keys = {bits: RNG.integers(0, 2**bits, 15) for bits in tables}

    def packed(bits: int) -> Array:
        digits = np.array([[key >> i & 1 for i in range(bits)] for key in keys[bits]], np.uint8)
        return np.packbits(digits.ravel(), bitorder="little")

    saved = package(
        tmp_path / "a.mlpackage",
        program(
            lambda x: [
                mb.add(x=x, y=mb.constexpr_affine_dequantize(quantized_data=q, zero_point=zero, scale=scale, axis=1)),
                mb.add(
                    x=x,
                    y=mb.constexpr_affine_dequantize(quantized_data=q, zero_point=np.int8(5), scale=scale[0], axis=0),
                ),
                *(
                    mb.constexpr_lut_to_dense(indices=packed(bits), lut=table, shape=np.array([3, 5], np.uint32))
                    for bits, table in tables.items()
                ),
            ],
            (3, 4),
            dtype=types.fp16 if half else types.fp32,
        ),
    )
    got = mil.evaluate(saved, {"x0": np.zeros((3, 4), np.float32)})
    wide, factors = q.astype(np.float64), scale.astype(np.float64)
    goldens = [(wide - zero) * factors, (wide - 5) * factors[0]]
    for value, golden in zip(got.values(), goldens, strict=False):
        np.testing.assert_allclose(value, golden.astype(floats), rtol=0 if half else 1e-6)
    for (bits, table), i in zip(tables.items(), range(2, 7), strict=True):
        np.testing.assert_array_equal(got[f"y{i}"], table[keys[bits]].reshape(3, 5))


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change a saved package's ``Model`` message in place."""
    model = ct.proto.Model_pb2.Model()
    model.ParseFromString((path / MODEL).read_bytes())
    change(model)
    (path / MODEL).write_bytes(model.SerializeToString())


def operations(model: Any) -> Any:
    """Return the operations of ``main``."""
    main = model.mlProgram.functions["main"]
    return main.block_specializations[main.opset].operations


def test_unknown_operations_are_named_all_at_once(tmp_path: Path) -> None:
    """Before anything is computed or a weight is read."""
    made = program(
        lambda x: [mb.erf(x=x, name="bump"), *mb.topk(x=mb.erf(x=x), k=2), mb.relu(x=x), mb.linear(x=x, weight=MATRIX)],
        (3, 4),
    )
    with pytest.raises(UnsupportedOpError, match=r"erf \(bump, \w+\); topk \(\w+\)"):
        mil.evaluate(made, {})
    saved = package(tmp_path / "a.mlpackage", made)

    def rename(model: Any) -> None:
        next(op for op in operations(model) if op.type == "relu").type = "flux_capacitor"

    edit(saved, rename)
    (saved / WEIGHTS).unlink()
    with pytest.raises(UnsupportedOpError) as caught:
        mil.evaluate(saved, {})
    words = ("erf (bump", "topk", "flux_capacitor", str(saved), "mil/ops.py")
    assert all(word in str(caught.value) for word in words)


def test_unknown_word_is_refused(tmp_path: Path) -> None:
    """A pad_type that MIL does not have."""
    w = normal(1, 1, 3, 3)
    made = program(lambda x: mb.conv(x=x, weight=w, pad_type="same", name="first"), (1, 1, 5, 5))
    saved = package(tmp_path / "a.mlpackage", made)

    def change(model: Any) -> None:
        for op in operations(model):
            words = op.attributes["val"].immediateValue.tensor.strings.values if op.type == "const" else []
            if list(words) == ["same"]:
                words[0] = "circular"

    edit(saved, change)
    with pytest.raises(UnsupportedOpError, match="pad_type of operation 'conv'") as caught:
        mil.evaluate(saved, {})
    assert "first" in str(caught.value) and "circular" in str(caught.value)


REFUSED: dict[str, tuple[Build, tuple[int, ...]]] = {
    "pad of": (lambda x: mb.conv(x=x, weight=normal(1, 1, 3, 3), pad_type="valid", pad=[1, 1, 1, 1]), (1, 1, 5, 5)),
    "ceil_mode of": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2], pad_type="same_lower", ceil_mode=True),
        (1, 1, 5, 5),
    ),
    "type of operation 'real_div'": (lambda x: mb.real_div(x=mb.cast(x=x, dtype="int32"), y=np.int32(2)), (3,)),
    "begin of": (
        lambda x: mb.slice_by_index(x=x, begin=mb.cast(x=x, dtype="int32"), end=[3], squeeze_mask=[True]),
        (1,),
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_parameters_are_never_ignored(message: str) -> None:
    """Known operations with a value that has no meaning here."""
    build, shape = REFUSED[message]
    with pytest.raises(UnsupportedOpError, match=message):
        mil.evaluate(program(build, shape), {})


def test_a_parameter_that_nobody_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that a later opset adds."""
    from imageqx_export.runtimes.mil import ops

    monkeypatch.setitem(ops.OPS, "leaky_relu", ops.OPS["relu"])
    with pytest.raises(UnsupportedOpError, match="alpha of operation 'leaky_relu'"):
        mil.evaluate(program(lambda x: mb.leaky_relu(x=x, alpha=0.5), (3,)), {})


class Net(torch.nn.Module):
    """A small convolutional network that normalises its pixels and has two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.stem = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3, 2, 1),
            torch.nn.BatchNorm2d(16),
            torch.nn.SiLU(),
            torch.nn.Conv2d(16, 16, 3, 1, 1, groups=16),
            torch.nn.SiLU(),
        )
        self.head = torch.nn.Linear(16, 4)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probabilities [N,4] and a map [N,16,8,8]."""
        maps = self.stem(3 * (pixels / 255 - 0.45) / 0.225)
        maps = maps * maps.mean((2, 3), keepdim=True).sigmoid()
        return self.head(maps.mean((2, 3))).mul(4).softmax(1), maps.relu()


PIXELS = RNG.integers(0, 256, (3, 16, 12, 3), np.uint8)
NET = Net().eval()


def answers(pixels: Array) -> list[Array]:
    """Ask PyTorch itself."""
    with torch.no_grad():
        return [out.numpy() for out in NET(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float())]


def exported(path: Path, precision: str, layout: str = "RGB") -> Path:
    """Export the small network with an image input."""
    channels = 1 if layout == "GRAYSCALE" else 3
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), NET) if channels == 1 else NET
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(net, torch.rand(1, channels, 16, 12), check_trace=False)  # type: ignore[no-untyped-call]
    image = ct.ImageType(name="image", shape=(1, channels, 16, 12), color_layout=ct.colorlayout[layout])
    outputs = [ct.TensorType(name="quality"), ct.TensorType(name="maps")]
    return package(path, traced, inputs=[image], outputs=outputs, compute_precision=ct.precision[precision])


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export once."""
    return exported(tmp_path_factory.mktemp("fp32") / "net.mlpackage", "FLOAT32")


@pytest.fixture(scope="module")
def fp16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export once."""
    return exported(tmp_path_factory.mktemp("fp16") / "net.mlpackage", "FLOAT16")


@pytest.fixture
def copy(fp32: Path, tmp_path: Path) -> Path:
    """Give a copy to break."""
    return Path(shutil.copytree(fp32, tmp_path / "copy.mlpackage"))


def test_exported_network_is_pytorch(fp32: Path, fp16: Path) -> None:
    """And float16 differs from float32, a little."""
    full, half = mil.load(fp32).run(PIXELS), mil.load(fp16).run(PIXELS)
    assert list(full) == list(half) == ["quality", "maps"]
    for name, golden in zip(full, answers(PIXELS), strict=True):
        assert full[name].dtype == half[name].dtype == np.float32
        np.testing.assert_allclose(full[name], golden, atol=1e-5)
        np.testing.assert_allclose(half[name], golden, atol=5e-3, rtol=5e-3)
        assert np.abs(half[name] - golden).max() > 1e-5
    assert np.ptp(full["quality"], axis=0).max() > 1e-3, "the photos must get different answers"


def test_bgr_input_is_flipped(tmp_path: Path) -> None:
    """A BGR program gets its channels in its own order."""
    got = mil.load(exported(tmp_path / "a.mlpackage", "FLOAT32", "BGR")).run(PIXELS)
    np.testing.assert_allclose(got["quality"], answers(PIXELS[..., ::-1])[0], atol=1e-5)


def test_batches(fp32: Path) -> None:
    """A photo's answer does not depend on its batch; no photos, no answers."""
    runtime: Runtime = mil.load(fp32)
    assert runtime.spec == spec() and [s.shape for s in runtime.signature] == [(1, 4), (1, 16, 8, 6)]
    np.testing.assert_array_equal(runtime.run(PIXELS)["maps"][1:2], runtime.run(PIXELS[1:2])["maps"])
    assert {name: value.shape for name, value in runtime.run(PIXELS[:0]).items()} == {
        "quality": (0, 4),
        "maps": (0, 16, 8, 6),
    }


def test_changed_weights_change_the_answer(copy: Path) -> None:
    """The negative control: the evaluator reads the file's weights."""
    before = mil.load(copy).run(PIXELS)["quality"]
    data = np.frombuffer((copy / WEIGHTS).read_bytes(), np.float32).copy()
    kernel = NET.head.weight.detach().numpy().ravel()
    place = next(i for i in range(len(data) - 64) if np.allclose(data[i : i + 64], kernel))
    data[place] += 0.5
    (copy / WEIGHTS).write_bytes(data.tobytes())
    assert np.abs(mil.load(copy).run(PIXELS)["quality"] - before).max() > 1e-3


@pytest.mark.parametrize("wrong", [PIXELS[0], PIXELS[:, :8], PIXELS.astype(np.float32)])
def test_pixels_that_do_not_fit(fp32: Path, wrong: Array) -> None:
    """Rank, size and dtype."""
    with pytest.raises(ArtifactError, match=r"expected: uint8 \[N,16,12,3\]"):
        mil.load(fp32).run(wrong)


def test_inputs_that_do_not_fit(fp32: Path) -> None:
    """Names and shapes."""
    with pytest.raises(ArtifactError, match="not the program's inputs"):
        mil.evaluate(fp32, {"photo": PIXELS})
    with pytest.raises(ArtifactError, match="wrong shape"):
        mil.evaluate(fp32, {"image": PIXELS})


def _no_spec(path: Path) -> None:
    edit(path, lambda model: model.description.metadata.userDefined.clear())


def _neural_network(path: Path) -> None:
    edit(path, lambda model: model.neuralNetwork.SetInParent())


def _two_functions(path: Path) -> None:
    edit(path, lambda model: model.mlProgram.functions["other"].CopyFrom(model.mlProgram.functions["main"]))


def _no_model(path: Path) -> None:
    manifest = json.loads((path / "Manifest.json").read_text())
    manifest["rootModelIdentifier"] = "nobody"
    (path / "Manifest.json").write_text(json.dumps(manifest))


def _cut(name: str, keep: float) -> Callable[[Path], None]:
    def cut(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: int(len(data) * keep)])

    return cut


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (shutil.rmtree, "got:      nothing"),
    "no manifest": (lambda path: (path / "Manifest.json").unlink(), "a folder without Manifest.json"),
    "manifest cut": (_cut("Manifest.json", 0.5), "cannot read"),
    "manifest of nobody": (_no_model, "cannot read"),
    "no specification": (lambda path: (path / MODEL).unlink(), "cannot read"),
    "specification cut": (_cut(MODEL, 0.7), "cannot read"),
    "no weights": (lambda path: (path / WEIGHTS).unlink(), "cannot read"),
    "weights cut": (_cut(WEIGHTS, 0.6), "cannot read"),
    "weights empty": (_cut(WEIGHTS, 0), "cannot read"),
    "weights zero": (lambda path: (path / WEIGHTS).write_bytes(bytes(9000)), "cannot read"),
    "neural network": (_neural_network, "not an ML Program"),
    "no ModelSpec": (_no_spec, "no ModelSpec"),
    "two functions": (_two_functions, "one function"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_packages_are_artifact_errors(copy: Path, how: str) -> None:
    """That name the file and the reason."""
    breaks, message = BROKEN[how]
    breaks(copy)
    with pytest.raises(ArtifactError, match=message) as caught:
        mil.load(copy)
    assert str(copy) in str(caught.value)


def test_not_a_folder(tmp_path: Path) -> None:
    """A file is no package."""
    (tmp_path / "a.mlpackage").write_bytes(b"hello")
    with pytest.raises(ArtifactError, match="a file"):
        mil.load(tmp_path / "a.mlpackage")


def test_inputs_that_are_no_photo(tmp_path: Path) -> None:
    """Tensors, and grey pictures."""
    saved = package(tmp_path / "a.mlpackage", program(lambda x: mb.relu(x=x), (2,)))
    with pytest.raises(ArtifactError, match="one image input"):
        mil.load(saved)
    with pytest.raises(ArtifactError, match="GRAYSCALE"):
        mil.load(exported(tmp_path / "b.mlpackage", "FLOAT32", "GRAYSCALE"))


def test_missing_coremltools(fp32: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said so."""
    monkeypatch.setitem(sys.modules, "coremltools.models", None)
    with pytest.raises(UnavailableError, match="coremltools is not installed"):
        mil.load(fp32)


def test_only_known_noise_is_silenced(caplog: pytest.LogCaptureFixture) -> None:
    """A real warning of coremltools still comes through."""
    logger = logging.getLogger("coremltools")
    with mil._silence_imports():
        logger.warning("Failed to load _MLModelProxy: No module named 'coremltools.libcoremlpython'")
        logger.warning("Fail to import BlobReader from libmilstoragepython.")
    logger.warning("Failed to load _MLModelProxy")
    assert [m.split(" ")[0] for m in caplog.messages] == ["Fail", "Failed"]
