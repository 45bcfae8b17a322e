"""How a network is quantized: one frozen value, JSON that a person can review and diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, ValidationError, model_validator

from imageqx_export.errors import ArtifactError
from imageqx_export.support.files import write_aside
from imageqx_export.support.frozen import Frozen, describe_problems
from imageqx_export.support.untrusted import describe, read_json

ACTIVATION_LEVELS = (-128, 127)
# −128 is left out, so that the scheme is symmetric and every format's kernels take it.
WEIGHT_LEVELS = (-127, 127)
LEVELS = 256
# What TFLite's specification fixes for LOGISTIC, and every recipe has.
SIGMOID_STEP = 1 / LEVELS
# Far beyond any tensor, and 256 of it still are a float32.
LARGEST_STEP = 1e30


Step = Annotated[float, Field(gt=0, lt=LARGEST_STEP)]
Share = Annotated[float, Field(gt=0, le=1)]


class ActivationScale(Frozen):
    """The scale of one tensor between two operations: real = scale · (integer − zero_point), int8.

    Args:
        tensor: The module's path, a colon, and the operation.
        scale: The step between two integers.
        zero_point: The integer that stands for 0, in [−128, 127].
        observer: What chose the range, or ``"fixed"`` where the operation's own range is known (sigmoid: 0…1).
    """

    tensor: str
    scale: Step
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
    scales: tuple[Step, ...] = Field(min_length=1)
    observer: str


class ChannelScales(Frozen):
    """What the channels in front of one SiLU are divided by, so that one step fits them all.

    Args:
        module: The SiLU's path.
        scales: One a channel, in (0, 1].
    """

    module: str
    scales: tuple[Share, ...] = Field(min_length=1)


class ConstantExcitation(Frozen):
    """What a squeeze-and-excitation block multiplies its channels by, where that hardly varies between photos.

    Args:
        module: The block's path.
        values: One a channel, in (0, 1]: the mean over the calibration images.
    """

    module: str
    values: tuple[Share, ...] = Field(min_length=1)


class RectifiedSwish(Frozen):
    """A SiLU that is a ReLU in the quantized network, whose weights are fine-tuned for it.

    Args:
        module: The SiLU's path.
    """

    module: str


class Rewrites(NamedTuple):
    """The changes to the float network before anything is rounded; see the fields of :class:`Recipe`."""

    channels: tuple[ChannelScales, ...] = ()
    excitations: tuple[ConstantExcitation, ...] = ()
    relus: tuple[RectifiedSwish, ...] = ()


class FloatOperation(Frozen):
    """An operation that stays float32, and why."""

    tensor: str
    reason: str


class CalibrationSet(Frozen):
    """The images that ranges come from.

    Args:
        images: How many.
        sha256: Digest of their pixels, uint8 [N,H,W,3] in order, hexadecimal.
        source: Where they come from, in words.
    """

    images: int = Field(ge=0)
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


ROWS = ("weights", "activations", "floats", "channels", "excitations", "relus")
"""The lists of a recipe; a row of the first three is of a tensor, of the others of a module."""


class Recipe(Frozen):
    """Everything that quantization decides about one checkpoint.

    Args:
        schema_version: Of this record.
        precision: ``w8`` (int8 weights, float activations) or ``w8a8`` (int8 activations too).
        checkpoint_sha256: Of the weights that it is for.
        calibration: Which images ranges come from; None where there was none.
        channels: Which SiLUs' channels are rescaled; the float network is the same.
        excitations: Which squeeze-and-excitation blocks are constants that the next convolution's weight takes in.
        relus: Which SiLUs are ReLUs, for which weights are fine-tuned; left out of the file where there are none.
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
    relus: tuple[RectifiedSwish, ...] = ()
    weights: tuple[WeightScales, ...] = Field(min_length=1)
    activations: tuple[ActivationScale, ...] = ()
    floats: tuple[FloatOperation, ...] = ()
    finetuned: FineTunedWeights | None = None

    @property
    def rewrites(self) -> Rewrites:
        """What is changed in the float network before anything is rounded."""
        return Rewrites(self.channels, self.excitations, self.relus)

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if (self.precision == "w8a8") != bool(self.activations):
            raise ValueError(f"{self.precision} with {len(self.activations)} int8 activations")
        for field, key in (*((name, "tensor") for name in ROWS[:3]), *((name, "module") for name in ROWS[3:])):
            names = [getattr(row, key) for row in getattr(self, field)]
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise ValueError(f"{field} names a {key} twice: {twice[:80]}")
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
        if name == "relus" and not value:  # as recipes were written before there were any
            continue
        if isinstance(value, list) and value:
            rows = ",\n".join(f"    {_format_value(row)}" for row in value)
            lines.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(name)}: {_format_value(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_recipe(path: Path, remedy: str | None = None) -> Recipe:
    """Read what :func:`write_recipe` wrote; the same value comes back.

    Args:
        path: The file.
        remedy: The next command where it is not one, which names the checkpoint; None where the usual one is meant.

    Raises:
        ArtifactError: The file is missing, is not JSON, or is not a recipe.
    """
    body: object = None
    remedy = remedy or f"imageqx quantize --out {path}"
    try:
        body = read_json(path, parse_float=_parse_float32)
        return Recipe.model_validate(body)
    except FileNotFoundError as error:
        raise ArtifactError("no such recipe", where=path, remedy=remedy) from error
    except ValidationError as error:
        raise ArtifactError(
            "not a recipe",
            where=path,
            got=describe_problems(error, lambda place: _name_row(body, place)),
            remedy=remedy,
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactError(
            "a recipe that cannot be read",
            where=path,
            expected="what imageqx quantize wrote",
            got=describe(error),
            remedy=remedy,
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


def _name_row(body: object, place: str) -> str:
    """Return in brackets which tensor or module a place is of, "" where it is of none."""
    field, _, rest = place.partition(".")
    index = rest.partition(".")[0]
    rows = body.get(field) if isinstance(body, dict) and field in ROWS else None
    row = rows[int(index)] if isinstance(rows, list) and index.isascii() and index.isdigit() else None
    name = row.get("tensor", row.get("module")) if isinstance(row, dict) else None
    return f" ({name[:80]})" if isinstance(name, str) else ""


def _parse_float32(text: str) -> float:
    # Every runtime holds scales as float32, so a recipe has no others, and its digits need not tell doubles apart.
    with np.errstate(over="ignore"):  # infinite then, which is refused
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
