"""Make a recipe: which channels are rescaled, which range each tensor has, which operations stay float, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from imageqx_export.data.images import CALIBRATION_IMAGES, count_photos
from imageqx_export.errors import DatasetError
from imageqx_export.quantize.calibration.choose_rewrites import RESCALED, SWISH_FLOOR, VARYING, choose_rewrites
from imageqx_export.quantize.calibration.exact_scales import make_steps_exact
from imageqx_export.quantize.calibration.observe import collect_histograms
from imageqx_export.quantize.calibration.observers import OBSERVERS, Histogram
from imageqx_export.quantize.calibration.ranges import (
    choose_weight_scales,
    make_activation_scale,
    make_pixel_scale,
    make_room_for_biases,
    make_sigmoid_scale,
)
from imageqx_export.quantize.calibration.refine import refine_ranges
from imageqx_export.quantize.floats import is_early, is_in_head, list_early, list_heads
from imageqx_export.quantize.graph.capture import HAS_WEIGHT, KEEPS_SCALE, capture, find_tensors, kind_of
from imageqx_export.quantize.recipe import (
    ActivationScale,
    CalibrationSet,
    ChannelScales,
    Recipe,
    Rewrites,
    WeightScales,
)
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

FIXED_SCALES = {"input": make_pixel_scale, "sigmoid": make_sigmoid_scale}
OBSERVER_OF_KIND = {"conv": "percentile", "mul": "percentile", "add": "percentile", "mean": "entropy"}
WEIGHT_OBSERVER = "minmax"
# Tensors whose ranges are chosen anew, and on how many images: what the next ones cost is noise.
NARROWED, NARROWED_ON = 16, 40


def make_recipe(
    network: Network,
    checkpoint_sha256: str,
    precision: Literal["w8", "w8a8"],
    pixels: Pixels,
    source: str,
    *,
    progress: Progress = silent,
) -> Recipe:
    """Return the recipe that measurement has chosen for a precision.

    Args:
        network: The trained network, eval mode.
        checkpoint_sha256: Of its file.
        precision: ``"w8"`` or ``"w8a8"``.
        pixels: Calibration images, uint8 [N,H,W,3], which make 256 pictures or more; ``"w8"`` has no ranges and
            does not look at them.
        source: Where they come from, in words.
        progress: Opens bars.

    Raises:
        DatasetError: There are too few images.
    """
    if precision == "w8":
        return make_w8_recipe(network, checkpoint_sha256)
    # Narrowing helps SiLUs; what has no such blocks has ReLUs, which give no level away below 0, and runs are dear.
    narrowed = NARROWED if any(network.fold("NHWC").blocks()) else 0
    return make_w8a8_recipe(network, checkpoint_sha256, pixels, source, narrowed=narrowed, progress=progress)


def make_w8_recipe(network: Network, checkpoint_sha256: str) -> Recipe:
    """Return the recipe with int8 weights alone.

    Args:
        network: The trained network, eval mode.
        checkpoint_sha256: Of its file.
    """
    program = capture(network, batch=None)
    return Recipe(
        precision="w8",
        checkpoint_sha256=checkpoint_sha256,
        weights=tuple(row for row in _choose_weight_scales(program, WEIGHT_OBSERVER) if not is_early(row.tensor)),
        floats=list_early(program) + list_heads(program),
    )


def make_w8a8_recipe(
    network: Network,
    checkpoint_sha256: str,
    pixels: Pixels,
    source: str,
    *,
    observers: Mapping[str, str] | str = OBSERVER_OF_KIND,
    weights: str = WEIGHT_OBSERVER,
    rescaled: int = RESCALED,
    varying: float = VARYING,
    narrowed: int = NARROWED,
    progress: Progress = silent,
) -> Recipe:
    """Return the recipe with int8 weights and activations.

    Args:
        network: The trained network, eval mode.
        checkpoint_sha256: Of its file.
        pixels: Calibration images, uint8 [N,H,W,3], which make 256 pictures or more, from the distribution that it
            was trained on.
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
    if len(pixels) < (least := count_photos(CALIBRATION_IMAGES, network.spec)):
        raise DatasetError(
            "too few photos to calibrate on",
            where=source,
            expected=f"at least {least}",
            got=str(len(pixels)),
        )
    rewrites = choose_rewrites(network, pixels, rescaled=rescaled, varying=varying, progress=progress)
    seen = observe(network, pixels, rewrites, progress=progress)
    calibration = _describe_calibration(pixels, source)
    recipe = choose_scales(seen, checkpoint_sha256, calibration, observers=observers, weights=weights)
    if not narrowed:
        return recipe
    few = pixels[: count_photos(NARROWED_ON, network.spec)]
    return refine_ranges(seen.program, recipe, few, narrowed, progress=progress)


@dataclass(frozen=True)
class Observations:
    """What calibration images showed: all that ranges are chosen from.

    Args:
        program: The captured graph.
        rewrites: What was changed in the network before.
        tensors: A histogram a tensor.
    """

    program: GraphModule
    rewrites: Rewrites
    tensors: Mapping[str, Histogram]


def observe(
    network: Network,
    pixels: Pixels,
    rewrites: Rewrites,
    *,
    progress: Progress = silent,
) -> Observations:
    """Run the float network over calibration images and keep what its tensors held.

    Args:
        network: The trained network, eval mode.
        pixels: uint8 [N,H,W,3].
        rewrites: What is changed in the network before.
        progress: Opens a bar.
    """
    program = capture(network, batch=None, rewrites=rewrites)
    floors, known = _find_floors(program, rewrites.channels), _find_fixed(program)
    return Observations(
        program, rewrites, collect_histograms(program, pixels, floors, every=EVERY, skip=known, progress=progress)
    )


def choose_scales(
    seen: Observations,
    checkpoint_sha256: str,
    calibration: CalibrationSet,
    *,
    observers: Mapping[str, str] | str = OBSERVER_OF_KIND,
    weights: str = WEIGHT_OBSERVER,
) -> Recipe:
    """Choose every scale from what was seen; arguments as for :func:`make_w8a8_recipe`."""
    activations = make_steps_exact(seen.program, _choose_activation_scales(seen.program, seen.tensors, observers))
    return Recipe(
        precision="w8a8",
        checkpoint_sha256=checkpoint_sha256,
        calibration=calibration,
        channels=seen.rewrites.channels,
        excitations=seen.rewrites.excitations,
        weights=make_room_for_biases(seen.program, _choose_weight_scales(seen.program, weights), activations),
        activations=activations,
        floats=list_heads(seen.program),
    )


def _find_fixed(program: GraphModule) -> set[str]:
    """Return the tensors whose scale does not depend on what they held."""
    return {
        name
        for name, node in find_tensors(program).items()
        if is_in_head(program, name) or kind_of(node) in (*FIXED_SCALES, *KEEPS_SCALE)
    }


def _find_floors(program: GraphModule, channels: Iterable[ChannelScales]) -> dict[str, Tensor]:
    """Return, per convolution in front of a SiLU, below which value the SiLU gives nothing."""
    floors, rescaled = {}, {row.module: row.scales for row in channels}
    for name, node in find_tensors(program).items():
        if kind_of(node) == "conv" and _feeds_swish(node):
            scales = rescaled.get(name.removesuffix("0:conv") + "1")
            floor = -SATURATION if scales is None else -SWISH_FLOOR / torch.tensor(scales)
            floors[name] = torch.as_tensor(floor).reshape(1, -1, 1, 1)
    return floors


def _feeds_swish(node: Node) -> bool:
    """Whether a tensor is multiplied with its own sigmoid, gated or not."""
    kinds = [kind_of(user) for user in node.users]
    return kinds.count("mul") == 2 or ("mul" in kinds and "sigmoid" in kinds)


def _describe_calibration(pixels: Pixels, source: str) -> CalibrationSet:
    return CalibrationSet(images=len(pixels), sha256=hashlib.sha256(pixels.tobytes()).hexdigest(), source=source)


def _choose_weight_scales(program: GraphModule, observer: str) -> tuple[WeightScales, ...]:
    parameters = dict(program.named_parameters()) | dict(program.named_buffers())
    return tuple(
        choose_weight_scales(name, parameters[node.args[1].target], observer)  # type: ignore[union-attr,index]
        for name, node in find_tensors(program).items()
        if kind_of(node) in HAS_WEIGHT and not is_in_head(program, name)
    )


def _choose_activation_scales(
    program: GraphModule, seen: Mapping[str, Histogram], observers: Mapping[str, str] | str
) -> tuple[ActivationScale, ...]:
    rows: dict[str, ActivationScale] = {}
    for name, node in find_tensors(program).items():
        kind = kind_of(node)
        if is_in_head(program, name) or kind is None:
            continue
        if kind in FIXED_SCALES:
            rows[name] = FIXED_SCALES[kind](name)
            continue
        if kind in KEEPS_SCALE:
            rows[name] = rows[node.all_input_nodes[0].meta["tensor"]].model_copy(update={"tensor": name})
            continue
        observer = observers if isinstance(observers, str) else observers[kind]
        low, high = OBSERVERS[observer](seen[name])
        users = [kind_of(user) for user in node.users]
        if users == ["sigmoid"]:
            low, high = max(low, -SATURATION), min(high, SATURATION)
        elif users == ["relu"]:  # which then has nothing left to do: int8's lowest level is 0
            low = 0.0
        rows[name] = make_activation_scale(name, (low, high), observer)
    return tuple(rows.values())
