"""Integer arithmetic against NumPy's int64, operation by operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imageqx_export.quantize.calibration.ranges import choose_weight_scales
from imageqx_export.quantize.graph.capture import find_tensors, trace
from imageqx_export.quantize.graph.integers import IntegerInterpreter, compute_integer_weights
from imageqx_export.quantize.recipe import ActivationScale, Recipe
from imageqx_export.quantize.rewrites.equalise import GATE_STEP

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
Ints = NDArray[np.int64]
RNG = np.random.default_rng(5)
STEPS = {
    "heads:input": (0.031, -5),
    "one:conv": (0.043, 12),
    "heads:mul": (0.05, 3),
    "heads:sigmoid": (1 / 256, -128),
    "heads:mul2": (0.029, -77),
    "two:conv": (0.029, 40),
    "heads:add": (0.029, 0),
    "heads:mean": (0.0121, 9),
}

OUTPUTS = ("quality", "explanations", "attention")


class Small(nn.Module):
    """Every operation that has a kernel: one of each, on [N,3,6,6]."""

    gate: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.register_buffer("gate", (torch.tensor([4.0, 255, 80, 17]) * GATE_STEP)[None, :, None, None])

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return every tensor that is held as int8."""
        x = pixels.float().permute(0, 3, 1, 2) / 64
        a = self.one(x)
        gated = a * self.gate
        soft = gated.sigmoid()
        swish = a * soft
        b = self.two(swish)
        total = swish + b
        return x, a, gated, soft, swish, b, total, total.mean((2, 3), keepdim=True)


@pytest.fixture(scope="module")
def small() -> tuple[Any, Recipe]:
    torch.manual_seed(3)
    program = trace(Small().eval(), torch.zeros(2, 6, 6, 3, dtype=torch.uint8), OUTPUTS, any_batch=True)
    assert list(find_tensors(program)) == list(STEPS)
    held = dict(program.named_parameters())
    return program, Recipe(
        precision="w8a8",
        checkpoint_sha256="ab" * 32,
        weights=tuple(choose_weight_scales(f"{n}:conv", held[f"{n}.weight"]) for n in ("one", "two")),
        activations=tuple(
            ActivationScale(tensor=name, scale=float(np.float32(scale)), zero_point=zero, observer="minmax")
            for name, (scale, zero) in STEPS.items()
        ),
    )


def requantized(total: Ints, factor: Any, name: str) -> Ints:
    """Multiply in float32, round half to even, clip, in NumPy; less the zero point."""
    zero = STEPS[name][1]
    product = total.astype(np.float32) * np.asarray(factor, np.float32)
    return np.clip(np.rint(product), -128 - zero, 127 - zero).astype(np.int64)


def step(name: str) -> np.float32:
    return np.float32(STEPS[name][0])


def convolved(x: Ints, weight: Ints, groups: int) -> Ints:
    """Convolve 3×3 with padding 1, written out."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    size, each = x.shape[2], x.shape[1] // groups
    out = np.zeros((len(x), len(weight), size, size), np.int64)
    for channel in range(len(weight)):
        first = channel * groups // len(weight) * each
        for i in range(size):
            for j in range(size):
                window = padded[:, first : first + each, i : i + 3, j : j + 3]
                out[:, channel, i, j] = (window * weight[channel]).sum((1, 2, 3))
    return out


def test_every_kernel_gives_numpys_integers(small: tuple[Any, Recipe]) -> None:
    program, recipe = small
    pixels = RNG.integers(0, 256, (3, 6, 6, 3), np.uint8)
    with torch.inference_mode():
        got = IntegerInterpreter(program, recipe).run(torch.from_numpy(pixels))
    found = {
        name: np.rint(real.numpy().astype(np.float64) / step(name)).astype(np.int64)
        for name, real in zip(STEPS, got, strict=True)
    }
    x = np.rint(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 64 / step("heads:input"))
    x = np.clip(x, -128 + 5, 127 + 5).astype(np.int64)
    np.testing.assert_array_equal(found["heads:input"], x)

    weights = {weight.tensor: weight for weight in compute_integer_weights(program, recipe)}
    for name, source, groups in (("one:conv", "heads:input", 1), ("two:conv", "heads:mul2", 4)):
        weight = weights[name]
        assert weight.bias is not None
        total = convolved(found[source], weight.integers.astype(np.int64), groups)
        total += weight.bias.astype(np.int64)[:, None, None]
        factors = (step(source) * weight.scales / step(name))[:, None, None]
        np.testing.assert_array_equal(found[name], requantized(total, factors, name), name)
        real = dict(program.named_parameters())[name.replace(":conv", ".bias")].detach().numpy()
        np.testing.assert_allclose(weight.bias * step(source) * weight.scales, real, atol=float(step(source)) * 0.01)

    a, soft, swish = found["one:conv"], found["heads:sigmoid"], found["heads:mul2"]
    gates = np.array([4, 255, 80, 17])[:, None, None]
    factor = step("one:conv") * np.float32(2**-8) / step("heads:mul")
    np.testing.assert_array_equal(found["heads:mul"], requantized(a * gates, factor, "heads:mul"))
    exact = 1 / (1 + np.exp(-found["heads:mul"] * float(step("heads:mul"))))
    assert np.abs(soft - exact * 256).max() <= 0.5001 or soft.max() == 255
    factor = step("one:conv") * step("heads:sigmoid") / step("heads:mul2")
    np.testing.assert_array_equal(swish, requantized(a * soft, factor, "heads:mul2"))
    total = np.clip(swish + found["two:conv"], -128, 127)
    np.testing.assert_array_equal(found["heads:add"], total)
    factor = step("heads:add") / step("heads:mean") / np.float32(36)
    np.testing.assert_array_equal(
        found["heads:mean"], requantized(total.sum((2, 3), keepdims=True), factor, "heads:mean")
    )
    for name, values in found.items():
        assert len(np.unique(values)) > (3 if name == "heads:mean" else 20), f"{name} says nothing"


def test_a_tensor_that_is_float_makes_what_reads_it_float(small: tuple[Any, Recipe]) -> None:
    """Its own rounding is gone, and the next int8 tensor rounds the float result."""
    program, recipe = small
    rows = tuple(row for row in recipe.activations if row.tensor not in ("one:conv", "heads:mul", "heads:sigmoid"))
    floats = recipe.model_copy(update={"activations": rows})
    pixels = torch.from_numpy(RNG.integers(0, 256, (2, 6, 6, 3), np.uint8))
    with torch.inference_mode():
        x, a, gated, soft, swish, *_ = IntegerInterpreter(program, floats).run(pixels)
        (weight,) = [w for w in compute_integer_weights(program, floats) if w.tensor == "one:conv"]
        assert weight.bias is None
        rounded = torch.from_numpy(weight.integers * weight.scales[:, None, None, None])
        want = torch.nn.functional.conv2d(x, rounded, program.get_parameter("one.bias"), padding=1)
    torch.testing.assert_close(a, want)
    torch.testing.assert_close(soft, (a * program.get_buffer("gate")).sigmoid())
    torch.testing.assert_close(gated, a * program.get_buffer("gate"))
    levels = swish / float(step("heads:mul2"))
    assert (levels - levels.round()).abs().max() < 1e-4
    assert ((swish - a * soft).abs() <= 0.5001 * float(step("heads:mul2"))).float().mean() > 0.9
