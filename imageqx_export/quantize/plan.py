"""Make a recipe: which channels are rescaled, which range each tensor has, which operations stay float, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imageqx_export.data.images import CALIBRATION_IMAGES
from imageqx_export.errors import DatasetError
from imageqx_export.networks.base import EARLY
from imageqx_export.quantize.calibration.exact_scales import with_exact_steps
from imageqx_export.quantize.calibration.observe import kept, observe
from imageqx_export.quantize.calibration.observers import OBSERVERS, Histogram
from imageqx_export.quantize.calibration.ranges import activation_scale, pixel_scale, sigmoid_scale, weight_scales
from imageqx_export.quantize.calibration.refine import refined
from imageqx_export.quantize.graph.capture import HAS_WEIGHT, HEADS, capture, kind_of, tensors
from imageqx_export.quantize.recipe import (
    ActivationScale,
    CalibrationSet,
    ChannelScales,
    FloatOperation,
    Recipe,
    Rewrites,
    WeightScales,
)
from imageqx_export.quantize.rewrites.equalise import channel_scales, places
from imageqx_export.quantize.rewrites.excitation import constant_excitation, excitation_name, squeezes
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from imageqx_export.artifact import Pixels
    from imageqx_export.networks.base import Network

# A prime, so that all channels and columns are counted in turn.
EVERY = 13
# Sigmoid's output has steps of 1/256, so it is 0 below −6.24 and as large as it can be from 6.24 on; a quarter is for
# the rounding of its argument. What lies beyond may as well lie here, and all steps are narrower for it.
SATURATION = 6.5
# SiLU is least, −0.28, at −1.3: what lies below −1.5 gives nearly nothing, and is not worth levels of the rest.
NOTHING = 1.5
# The heads read one pooled vector and give the probabilities themselves, which 256 steps of a logit would coarsen.
HEADS_REASON = "a head: 0.01 % of the multiplications, and its integers would be steps in a probability"

# On 300 validation samples int8 weights move a label's probability by 0.0054, and by 0.0020 without those of these four
# stages (0.0059 and 0.0018 for a reason's); w8a8's integers begin at the first pixel, and are fine-tuned instead.
EARLY_REASON = "an early stage: all four have 1.5 % of the weights, and two thirds of what rounding them costs"

FIXED = {"input": pixel_scale, "sigmoid": sigmoid_scale}
OBSERVED = {"conv": "percentile", "mul": "percentile", "add": "percentile", "mean": "entropy"}
WEIGHTS = "minmax"
# The stem's SiLU and the first block's: their largest channel is 60 times the median one.
RESCALED = 2
# In 14 of the 16 blocks excitations vary by less than three steps of int8 between photos.
VARYING = 3.0
# Tensors whose ranges are chosen anew, and on how many images: what the next ones cost is noise.
NARROWED, NARROWED_ON = 16, 40


def w8_recipe(network: Network, checkpoint_sha256: str) -> Recipe:
    """Return the recipe with int8 weights alone.

    Args:
        network: The trained network, eval mode.
        checkpoint_sha256: Of its file.
    """
    program = capture(network, batch=None)
    return Recipe(
        precision="w8",
        checkpoint_sha256=checkpoint_sha256,
        weights=tuple(row for row in _weights(program, WEIGHTS) if not _is_early(row.tensor)),
        floats=_early(program) + _heads(program),
    )


def w8a8_recipe(
    network: Network,
    checkpoint_sha256: str,
    pixels: Pixels,
    source: str,
    *,
    observers: Mapping[str, str] | str = OBSERVED,
    weights: str = WEIGHTS,
    rescaled: int = RESCALED,
    varying: float = VARYING,
    narrowed: int = NARROWED,
    progress: Progress = silent,
) -> Recipe:
    """Return the recipe with int8 weights and activations.

    Args:
        network: The trained network, eval mode.
        checkpoint_sha256: Of its file.
        pixels: Calibration images, uint8 [N,224,224,3], N ≥ 256, from the distribution that it was trained on.
        source: Where they come from, in words.
        observers: One of :data:`OBSERVERS` for all tensors, or one per kind of operation.
        weights: ``"minmax"`` or ``"mse"``.
        rescaled: How many SiLUs, counted from the network's entry, have their channels rescaled.
        varying: Squeeze-and-excitation whose excitations vary by less than this many steps of int8 becomes constant.
        narrowed: How many tensors' ranges are then chosen by what the network answers.
        progress: Opens bars.

    Raises:
        DatasetError: There are too few images.
    """
    if len(pixels) < CALIBRATION_IMAGES:
        raise DatasetError(
            "too few photos to calibrate on",
            where=source,
            expected=f"at least {CALIBRATION_IMAGES}",
            got=str(len(pixels)),
        )
    rewrites = rewritten(network, pixels, rescaled=rescaled, varying=varying, progress=progress)
    seen = watched(network, pixels, rewrites, progress=progress)
    calibration = _calibration(pixels, source)
    recipe = decided(seen, checkpoint_sha256, calibration, observers=observers, weights=weights)
    return refined(seen.program, recipe, pixels[:NARROWED_ON], narrowed, progress=progress) if narrowed else recipe


def rewritten(
    network: Network,
    pixels: Pixels,
    *,
    rescaled: int = RESCALED,
    varying: float = VARYING,
    progress: Progress = silent,
) -> Rewrites:
    """Return what is changed in a network before its ranges are chosen; arguments as for :func:`w8a8_recipe`."""
    graph = network.fold("NHWC")
    silus = [place.path for place in places(graph)][:rescaled]
    blocks = [path for path, _ in squeezes(graph)] if varying else []
    wanted: dict[str, Callable[[Tensor], Tensor]] = {excitation_name(path): _whole for path in blocks}
    for path in silus:
        wanted |= {_conv_before(path): _lowest, f"{path}:mul": _highest}
    seen = kept(capture(network, batch=None), pixels, wanted, progress=progress) if wanted else {}
    constant = (constant_excitation(path, seen[excitation_name(path)], varying) for path in blocks)
    return Rewrites(
        tuple(_rescaled_channels(path, seen) for path in silus), tuple(row for row in constant if row is not None)
    )


def _whole(value: Tensor) -> Tensor:
    return value.flatten(1)


def _lowest(value: Tensor) -> Tensor:
    return value.amin((2, 3))


def _highest(value: Tensor) -> Tensor:
    return value.amax((2, 3))


def _rescaled_channels(silu: str, seen: Mapping[str, Tensor]) -> ChannelScales:
    """Return what a SiLU's channels are divided by, so that all come near the range of the largest."""
    # What counts is how large the product gets, and how far below 0 its argument still matters.
    below = (-seen[_conv_before(silu)].amin(0)).clamp(0, NOTHING)
    scales = channel_scales(torch.maximum(seen[f"{silu}:mul"].amax(0), below))
    return ChannelScales(module=silu, scales=tuple(scales))


@dataclass(frozen=True)
class Seen:
    """Hold what calibration images showed: all that ranges are chosen from.

    Args:
        program: The captured graph.
        rewrites: What was changed in the network before.
        tensors: A histogram a tensor.
    """

    program: GraphModule
    rewrites: Rewrites
    tensors: Mapping[str, Histogram]


def watched(
    network: Network,
    pixels: Pixels,
    rewrites: Rewrites,
    *,
    progress: Progress = silent,
) -> Seen:
    """Run the float network over calibration images and keep what its tensors held.

    Args:
        network: The trained network, eval mode.
        pixels: uint8 [N,224,224,3].
        rewrites: What is changed in the network before.
        progress: Opens a bar.
    """
    program = capture(network, batch=None, rewrites=rewrites)
    floors, known = _floors(program, rewrites.channels), _known(program)
    return Seen(program, rewrites, observe(program, pixels, floors, every=EVERY, skip=known, progress=progress))


def decided(
    seen: Seen,
    checkpoint_sha256: str,
    calibration: CalibrationSet,
    *,
    observers: Mapping[str, str] | str = OBSERVED,
    weights: str = WEIGHTS,
) -> Recipe:
    """Choose every scale from what was seen; arguments as for :func:`w8a8_recipe`."""
    return Recipe(
        precision="w8a8",
        checkpoint_sha256=checkpoint_sha256,
        calibration=calibration,
        channels=seen.rewrites.channels,
        excitations=seen.rewrites.excitations,
        weights=_weights(seen.program, weights),
        activations=with_exact_steps(seen.program, _activations(seen.program, seen.tensors, observers)),
        floats=_heads(seen.program),
    )


def _known(program: GraphModule) -> set[str]:
    """Return the tensors whose scale does not depend on what they held."""
    return {name for name, node in tensors(program).items() if _in_head(program, name) or kind_of(node) in FIXED}


def _conv_before(silu: str) -> str:
    return f"{silu.removesuffix('.1')}.0:conv"


def _floors(program: GraphModule, channels: Iterable[ChannelScales]) -> dict[str, Tensor]:
    """Return, per convolution in front of a SiLU, below which value the SiLU gives nothing."""
    floors, given = {}, {row.module: row.scales for row in channels}
    for name, node in tensors(program).items():
        if kind_of(node) == "conv" and _feeds_a_swish(node):
            scales = given.get(name.removesuffix("0:conv") + "1")
            floor = -SATURATION if scales is None else -NOTHING / torch.tensor(scales)
            floors[name] = torch.as_tensor(floor).reshape(1, -1, 1, 1)
    return floors


def _feeds_a_swish(node: Node) -> bool:
    """Whether a tensor is multiplied with its own sigmoid, gated or not."""
    kinds = [kind_of(user) for user in node.users]
    return kinds.count("mul") == 2 or ("mul" in kinds and "sigmoid" in kinds)


def _in_head(program: GraphModule, name: str) -> bool:
    return name.split(":")[0] in program.meta[HEADS] or (name.startswith("heads:") and name != "heads:mean")


def _calibration(pixels: Pixels, source: str) -> CalibrationSet:
    return CalibrationSet(images=len(pixels), sha256=hashlib.sha256(pixels.tobytes()).hexdigest(), source=source)


def _heads(program: GraphModule) -> tuple[FloatOperation, ...]:
    return tuple(
        FloatOperation(tensor=name, reason=HEADS_REASON) for name in tensors(program) if _in_head(program, name)
    )


def _is_early(tensor: str) -> bool:
    return tensor.startswith(f"{EARLY}.")


def _early(program: GraphModule) -> tuple[FloatOperation, ...]:
    """Return the early stages' operations with a weight."""
    return tuple(
        FloatOperation(tensor=name, reason=EARLY_REASON)
        for name, node in tensors(program).items()
        if kind_of(node) in HAS_WEIGHT and _is_early(name)
    )


def _weights(program: GraphModule, observer: str) -> tuple[WeightScales, ...]:
    parameters = dict(program.named_parameters()) | dict(program.named_buffers())
    return tuple(
        weight_scales(name, parameters[node.args[1].target], observer)  # type: ignore[union-attr,index]
        for name, node in tensors(program).items()
        if kind_of(node) in HAS_WEIGHT and not _in_head(program, name)
    )


def _activations(
    program: GraphModule, seen: Mapping[str, Histogram], observers: Mapping[str, str] | str
) -> tuple[ActivationScale, ...]:
    rows = []
    for name, node in tensors(program).items():
        kind = kind_of(node)
        if _in_head(program, name) or kind is None:
            continue
        if kind in FIXED:
            rows.append(FIXED[kind](name))
            continue
        observer = observers if isinstance(observers, str) else observers[kind]
        low, high = OBSERVERS[observer](seen[name])
        if [kind_of(user) for user in node.users] == ["sigmoid"]:
            low, high = max(low, -SATURATION), min(high, SATURATION)
        rows.append(activation_scale(name, (low, high), observer))
    return tuple(rows)
