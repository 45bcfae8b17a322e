"""A network of four layers, and a recipe that ruins one of them: what an analysis must find is known."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.quantize.calibration.observe import collect_histograms
from imageqx_export.quantize.calibration.observers import minmax
from imageqx_export.quantize.calibration.ranges import choose_weight_scales, make_activation_scale
from imageqx_export.quantize.graph.capture import HAS_WEIGHT, Swish, find_tensors, kind_of, trace
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.quantize.sensitivity.cache import Cache
from imageqx_export.quantize.sensitivity.layers import Subject, measure_layers

if TYPE_CHECKING:
    from torch.fx import GraphModule

RUINED = "one:conv"
LAYERS = ("early:input", RUINED, "two:conv", "three.block.0:conv", "three.block.1:conv")
PHOTOS = 400

OUTPUTS = ("quality", "explanations", "attention")


class Tiny(nn.Module):
    """Map pixels to outputs of ImageQX's shapes."""

    centre: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.early = _Scaled()
        self.one = nn.Conv2d(3, 6, 3, stride=4)
        self.two = nn.Conv2d(6, 6, 3, padding=1)
        self.act = Swish()
        self.three = nn.Module()
        self.three.block = nn.Sequential(nn.Conv2d(6, 8, 1), nn.Conv2d(8, 9, 1))
        self.register_buffer("centre", torch.zeros(9))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return quality [N,4], explanations [N,5] and attention."""
        x = self.act(self.one(self.early(image.float().permute(0, 3, 1, 2))))
        y: Tensor = self.three.block(self.two(x))  # type: ignore[operator]
        z = 80 * (y.mean((2, 3)) - self.centre)
        return z[:, :4].softmax(1), z[:, 4:].sigmoid(), y


class _Scaled(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels / 255


@dataclass(frozen=True)
class TinySubject(Subject):
    """A subject whose network is four layers, in the place of ImageQX."""

    exact: bool = False

    def capture_program(self) -> GraphModule:
        """Return the captured graph."""
        return program(exact=self.exact)


def program(*, exact: bool = False) -> GraphModule:
    """Capture the network; always the same weights, or what int8 makes of them."""
    torch.manual_seed(0)
    made = Tiny().eval()
    for layer in made.modules():
        if exact and isinstance(layer, nn.Conv2d):
            step = layer.weight.data.abs().amax((1, 2, 3), keepdim=True) / 127
            layer.weight.data = step * (layer.weight.data / step).round()
    with torch.inference_mode():  # so that photos are of several labels
        made.centre.copy_(made(torch.from_numpy(noise(_side(exact))))[2].mean((0, 2, 3)))
    return trace(made, torch.zeros(2, _side(exact), _side(exact), 3, dtype=torch.uint8), OUTPUTS, any_batch=True)


def _side(exact: bool) -> int:
    return 64 if exact else 16


def noise(side: int = 16) -> Pixels:
    """Return photos of noise, each around a colour of its own."""
    rng = np.random.default_rng(0)
    colours, grain = rng.integers(0, 128, (PHOTOS, 1, 1, 3)), rng.integers(0, 128, (PHOTOS, side, side, 3))
    return (colours + grain).astype(np.uint8)


def subject(*, exact: bool = False) -> TinySubject:
    """Return the network, photos that it labels rightly, and a recipe with a step of one layer far too wide.

    Args:
        exact: Whether its weights are int8's already and photos large, so that the other layers cost next to nothing.
    """
    graph, pixels = program(exact=exact), noise(_side(exact))
    sure = np.flatnonzero(_margins(simulate(graph, None, pixels)) > 0.05)  # so that small errors change no decision
    pixels = pixels[sure]
    outputs = simulate(graph, None, pixels)
    limits = np.array([spec().thresholds[name] for name in spec().reasons], np.float32)
    photos = LabelledPhotos(
        pixels=pixels,
        quality=outputs["quality"].argmax(1).astype(np.int64),
        reasons=(outputs["explanations"] >= limits).astype(np.float32),
        fitzpatrick=np.zeros(len(pixels), np.int64),
        names=tuple(map(str, range(len(pixels)))),
        source="tiny noise",
    )
    return TinySubject(None, _recipe(graph, pixels), photos, spec(), exact)  # type: ignore[arg-type]


def _margins(outputs: Outputs) -> NDArray[np.float32]:
    ranked = np.sort(outputs["quality"], axis=1)
    limits = np.array([spec().thresholds[name] for name in spec().reasons], np.float32)
    nearest: NDArray[np.float32] = np.abs(outputs["explanations"] - limits).min(1)
    return np.asarray(np.minimum(nearest, ranked[:, -1] - ranked[:, -2]), np.float32)


def _recipe(graph: GraphModule, pixels: Pixels) -> Recipe:
    seen = collect_histograms(graph, pixels)
    parameters = dict(graph.named_parameters())
    names = [name for name in find_tensors(graph) if not name.startswith("heads")]
    rows = [make_activation_scale(name, minmax(seen[name]), "minmax") for name in names]
    ruined = [row.model_copy(update={"scale": 200 * row.scale}) if row.tensor == RUINED else row for row in rows]
    weights = [
        choose_weight_scales(name, parameters[str(node.args[1].target)])  # type: ignore[union-attr]
        for name, node in find_tensors(graph).items()
        if kind_of(node) in HAS_WEIGHT
    ]
    return Recipe(precision="w8a8", checkpoint_sha256="ab" * 32, weights=tuple(weights), activations=tuple(ruined))


@contextmanager
def slow(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Say on standard output that a layer is done, and wait, so that somebody can stop this process there."""

    def advance() -> None:
        print("done", flush=True)
        time.sleep(30)

    yield advance


if __name__ == "__main__":
    measure_layers(subject(), cache=Cache(Path(sys.argv[1])), jobs=2, progress=slow)
