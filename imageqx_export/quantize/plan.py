"""Make a recipe: which channels are rescaled, which range each tensor has, which operations stay float, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imageqx_export.errors import DatasetError
from imageqx_export.export.graph import PhoneGraph
from imageqx_export.progress import Progress, silent
from imageqx_export.quantize.calibrate import extremes, observe
from imageqx_export.quantize.capture import HAS_WEIGHT, capture, kind_of, tensors
from imageqx_export.quantize.equalise import channel_scales, places
from imageqx_export.quantize.observers import OBSERVERS, Histogram
from imageqx_export.quantize.ranges import activation_scale, sigmoid_scale, weight_scales
from imageqx_export.quantize.recipe import (
    ActivationScale,
    CalibrationSet,
    ChannelScales,
    FloatOperation,
    Recipe,
    WeightScales,
)

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from imageqx_export.networks.imageqx import ImageQX
    from imageqx_export.runtimes import Pixels

MINIMUM_IMAGES = 256
# SiLU is −0.0027 at −8 and goes to 0: what lies below may as well lie there, and a gate beyond ±8 is 0 or 1 in 8 bits.
SATURATION = 8.0
# The heads read one pooled vector and give the probabilities themselves, which 256 steps of a logit would coarsen.
HEADS = ("explanations", "quality", "reasons_to_quality", "attention")
HEADS_REASON = "a head: 0.01 % of the multiplications, and its integers would be steps in a probability"


def w8_recipe(network: ImageQX, checkpoint_sha256: str) -> Recipe:
    """Return the recipe with int8 weights alone; it needs no images.

    Args:
        network: The trained network, eval mode.
        checkpoint_sha256: Of its file.
    """
    program = capture(network)
    return Recipe(
        precision="w8",
        checkpoint_sha256=checkpoint_sha256,
        weights=_weights(program),
        floats=tuple(FloatOperation(tensor=n, reason=HEADS_REASON) for n in tensors(program) if _in_head(n)),
    )


def w8a8_recipe(
    network: ImageQX,
    checkpoint_sha256: str,
    pixels: Pixels,
    source: str,
    *,
    observers: Mapping[str, str] | str = "mse",
    rescaled: int = 10,
    progress: Progress = silent,
) -> Recipe:
    """Return the recipe with int8 weights and activations.

    Args:
        network: The trained network, eval mode.
        checkpoint_sha256: Of its file.
        pixels: Calibration images, uint8 [N,224,224,3], N ≥ 256, from the distribution that it was trained on.
        source: Where they come from, in words.
        observers: One of :data:`OBSERVERS` for all tensors, or one per kind of operation.
        rescaled: How many SiLUs, counted from the network's entry, have their channels rescaled.
        progress: Opens bars.

    Raises:
        DatasetError: There are too few images.
    """
    if len(pixels) < MINIMUM_IMAGES:
        raise DatasetError(
            "too few photos to calibrate on", where=source, expected=f"at least {MINIMUM_IMAGES}", got=str(len(pixels))
        )
    channels = _channels(network, pixels, rescaled)
    program = capture(network, batch=None, channels=channels)
    seen = observe(program, pixels, _floors(program, channels), progress=progress)
    return Recipe(
        precision="w8a8",
        checkpoint_sha256=checkpoint_sha256,
        calibration=CalibrationSet(
            images=len(pixels), sha256=hashlib.sha256(pixels.tobytes()).hexdigest(), source=source
        ),
        channels=tuple(ChannelScales(module=path, scales=scales) for path, scales in channels.items()),
        weights=_weights(program),
        activations=_activations(program, seen, observers),
        floats=tuple(FloatOperation(tensor=n, reason=HEADS_REASON) for n in tensors(program) if _in_head(n)),
    )


def _channels(network: ImageQX, pixels: Pixels, count: int) -> dict[str, tuple[float, ...]]:
    paths = [place.path for place in places(PhoneGraph(network, "NHWC"))][:count]
    names = {path: (_conv_before(path), f"{path}:mul") for path in paths}
    seen = extremes(capture(network, batch=None), pixels, {name for pair in names.values() for name in pair})
    found = {}
    for path, (before, after) in names.items():
        # What counts is how large the product gets, and how far below 0 its argument still matters.
        below = (-seen[before][0]).clamp(0, SATURATION)
        found[path] = tuple(channel_scales(torch.maximum(seen[after][1], below)))
    return found


def _conv_before(silu: str) -> str:
    return f"{silu.removesuffix('.1')}.0:conv"


def _floors(program: GraphModule, channels: Mapping[str, tuple[float, ...]]) -> dict[str, Tensor]:
    """Return, per convolution in front of a SiLU, below which value the SiLU gives nothing."""
    floors = {}
    for name, node in tensors(program).items():
        if kind_of(node) == "conv" and _feeds_a_swish(node):
            scales = channels.get(name.removesuffix("0:conv") + "1", (1.0,))
            floors[name] = (-SATURATION / torch.tensor(scales))[None, :, None, None]
    return floors


def _feeds_a_swish(node: Node) -> bool:
    """Whether a tensor is multiplied with its own sigmoid, gated or not."""
    kinds = [kind_of(user) for user in node.users]
    return kinds.count("mul") == 2 or ("mul" in kinds and "sigmoid" in kinds)


def _in_head(name: str) -> bool:
    return name.split(":")[0] in HEADS or (name.startswith("heads:") and name != "heads:mean")


def _weights(program: GraphModule) -> tuple[WeightScales, ...]:
    parameters = dict(program.named_parameters()) | dict(program.named_buffers())
    return tuple(
        weight_scales(name, parameters[node.args[1].target])  # type: ignore[union-attr,index]
        for name, node in tensors(program).items()
        if kind_of(node) in HAS_WEIGHT and not _in_head(name)
    )


def _activations(
    program: GraphModule, seen: Mapping[str, Histogram], observers: Mapping[str, str] | str
) -> tuple[ActivationScale, ...]:
    rows = []
    for name, node in tensors(program).items():
        kind = kind_of(node)
        if _in_head(name) or kind is None:
            continue
        if kind == "sigmoid":
            rows.append(sigmoid_scale(name))
            continue
        observer = observers if isinstance(observers, str) else observers[kind]
        low, high = OBSERVERS[observer](seen[name])
        if [kind_of(user) for user in node.users] == ["sigmoid"]:
            low, high = max(low, -SATURATION), min(high, SATURATION)
        rows.append(activation_scale(name, (low, high), observer))
    return tuple(rows)
