"""How a network is quantized: one frozen value, JSON that a person can review and diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, ValidationError, model_validator

from imageqx_export.errors import ArtifactError
from imageqx_export.support.files import write_aside
from imageqx_export.support.frozen import Frozen, find_problem

ACTIVATION_LEVELS = (-128, 127)
# −128 is left out, so that the scheme is symmetric and every format's kernels take it.
WEIGHT_LEVELS = (-127, 127)
LEVELS = 256
# What TFLite's specification fixes for LOGISTIC, and every recipe has.
SIGMOID_STEP = 1 / LEVELS


class ActivationScale(Frozen):
    """The scale of one tensor between two operations: real = scale · (integer − zero_point), int8.

    Args:
        tensor: The module's path, a colon, and the operation.
        scale: The step between two integers.
        zero_point: The integer that stands for 0, in [−128, 127].
        observer: What chose the range, or ``"fixed"`` where the operation's own range is known (sigmoid: 0…1).
    """

    tensor: str
    scale: float = Field(gt=0, allow_inf_nan=False)
    zero_point: int = Field(ge=-128, le=127)
    observer: str

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest real value that it holds."""
        low, high = ACTIVATION_LEVELS
        return (low - self.zero_point) * self.scale, (high - self.zero_point) * self.scale


class WeightScales(Frozen):
    """The scales of one operation's weight: int8 in [−127, 127], per output channel, zero point 0.

    Args:
        tensor: The operation's name.
        scales: One step an output channel.
        observer: What chose them.
    """

    tensor: str
    scales: tuple[float, ...]
    observer: str


class ChannelScales(Frozen):
    """What the channels in front of one SiLU are divided by, so that one step fits them all.

    Args:
        module: The SiLU's path.
        scales: One a channel, in (0, 1].
    """

    module: str
    scales: tuple[float, ...]


class ConstantExcitation(Frozen):
    """What a squeeze-and-excitation block multiplies its channels by, where that hardly varies between photos.

    Args:
        module: The block's path.
        values: One a channel, in (0, 1]: the mean over the calibration images.
    """

    module: str
    values: tuple[float, ...]


class Rewrites(NamedTuple):
    """The changes to the float network before anything is rounded; see the fields of :class:`Recipe`."""

    channels: tuple[ChannelScales, ...] = ()
    excitations: tuple[ConstantExcitation, ...] = ()


class FloatOperation(Frozen):
    """An operation that stays float32, and why."""

    tensor: str
    reason: str


class CalibrationSet(Frozen):
    """The images that ranges come from.

    Args:
        images: How many.
        sha256: Digest of their pixels, uint8 [N,224,224,3] in order, hexadecimal.
        source: Where they come from, in words.
    """

    images: int
    sha256: str
    source: str


class FineTunedWeights(Frozen):
    """The weights that a recipe is for, where the checkpoint's were fine-tuned to be quantized.

    Args:
        weights: Name of their file, which lies beside the checkpoint.
        sha256: Of that file, hexadecimal.
        how: On what, and for how long, in words.
    """

    weights: str
    sha256: str
    how: str


class Recipe(Frozen):
    """Everything that quantization decides about one checkpoint.

    Args:
        schema_version: Of this record.
        precision: ``w8`` (int8 weights, float activations) or ``w8a8`` (int8 activations too).
        checkpoint_sha256: Of the weights that it is for.
        calibration: Which images ranges come from; None where there was none.
        channels: Which SiLUs' channels are rescaled; the float network is the same.
        excitations: Which squeeze-and-excitation blocks are constants that the next convolution's weight takes in.
        weights: Every operation with an int8 weight, in the graph's order.
        activations: Every tensor that is held as int8, likewise; empty for ``w8``.
        floats: Every operation that stays float32, and why.
        finetuned: Which weights are quantized in the place of the checkpoint's; None for the checkpoint's own.
    """

    schema_version: Literal[1] = 1
    precision: Literal["w8", "w8a8"]
    checkpoint_sha256: str
    calibration: CalibrationSet | None = None
    channels: tuple[ChannelScales, ...] = ()
    excitations: tuple[ConstantExcitation, ...] = ()
    weights: tuple[WeightScales, ...]
    activations: tuple[ActivationScale, ...] = ()
    floats: tuple[FloatOperation, ...] = ()
    finetuned: FineTunedWeights | None = None

    @property
    def rewrites(self) -> Rewrites:
        """What is changed in the float network before anything is rounded."""
        return Rewrites(self.channels, self.excitations)

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if (self.precision == "w8a8") != bool(self.activations):
            raise ValueError(f"{self.precision} with {len(self.activations)} int8 activations")
        for field in ("weights", "activations", "floats"):
            names = [row.tensor for row in getattr(self, field)]
            if len(set(names)) != len(names):
                raise ValueError(f"{field} names a tensor twice")
        if not all(0 < scale <= 1 for row in self.channels for scale in row.scales):
            raise ValueError("what channels are divided by must lie in (0, 1]")
        if not all(0 < value <= 1 for row in self.excitations for value in row.values):
            raise ValueError("constant excitations must lie in (0, 1]")
        return self


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe as JSON that a person can review and diff: a line a tensor, the shortest digits of each float32.

    Args:
        path: The file; an older one is replaced in one step.
        recipe: What to write.
    """
    with write_aside(path) as aside:
        aside.write_text(format_recipe(recipe), encoding="utf-8")


def format_recipe(recipe: Recipe) -> str:
    """Return the text that :func:`write_recipe` writes."""
    lines = []
    for name, value in recipe.model_dump(mode="json").items():
        if isinstance(value, list) and value:
            rows = ",\n".join(f"    {_format_value(row)}" for row in value)
            lines.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(name)}: {_format_value(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_recipe(path: Path) -> Recipe:
    """Read what :func:`write_recipe` wrote; the same value comes back.

    Raises:
        ArtifactError: The file is missing, is not JSON, or is not a recipe.
    """
    try:
        return Recipe.model_validate(json.loads(path.read_bytes(), parse_float=_parse_float32))
    except FileNotFoundError as error:
        raise ArtifactError("no such recipe", where=path, remedy=f"imageqx quantize --out {path}") from error
    except ValidationError as error:
        problem = find_problem(error)
        raise ArtifactError(
            "not a recipe",
            where=f"{path}: {problem.place}",
            expected=problem.message,
            got=problem.value,
            remedy=f"imageqx quantize --out {path}",
        ) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            "not JSON",
            where=path,
            expected="a recipe that imageqx quantize wrote",
            got=str(error),
            remedy=f"imageqx quantize --out {path}",
        ) from error


def check_checkpoint(recipe: Recipe, path: Path, sha256: str, remedy: str) -> None:
    """Refuse a recipe that is for other weights.

    Args:
        recipe: What was read.
        path: From where, for the message.
        sha256: Of the checkpoint that it must be for.
        remedy: The next command.

    Raises:
        ArtifactError: It is for others.
    """
    if recipe.checkpoint_sha256 != sha256:
        raise ArtifactError(
            "a recipe for another checkpoint", where=path, expected=sha256, got=recipe.checkpoint_sha256, remedy=remedy
        )


def _parse_float32(text: str) -> float:
    # Every runtime holds scales as float32, so a recipe has no others, and its digits need not tell doubles apart.
    return float(np.float32(text))


def _format_value(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)}: {_format_value(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(_format_value(v) for v in value) + "]"
        case float():
            return str(np.float32(value))
        case _:
            return json.dumps(value, ensure_ascii=False)
