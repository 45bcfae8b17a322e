"""Check the Core ML evaluator's operations against numpy and scipy, one by one and through a saved package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from imageqx_export.runtimes.mil import runtime as mil
from tests.runtimes.mil.programs import MATRIX, Array, Build, mb, normal, package, program
from tests.runtimes.mil.test_windows import conv_golden

X, Y = normal(2, 3, 4), normal(3, 1)
POSITIVE = np.abs(X) + 0.5

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
