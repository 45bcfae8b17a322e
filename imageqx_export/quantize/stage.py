"""The quantization stage: a network and images in, a recipe out; and the recipe's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ValidationError

from imageqx_export.errors import ArtifactError
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.support.files import written_aside
from imageqx_export.support.frozen import find_problem
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from imageqx_export.artifact import Pixels
    from imageqx_export.networks.base import Network


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
        pixels: Calibration images, uint8 [N,224,224,3], N ≥ 256; ``"w8"`` has no ranges and does not look at them.
        source: Where they come from, in words.
        progress: Opens bars.

    Raises:
        DatasetError: There are too few images.
    """
    from imageqx_export.quantize.plan import w8_recipe, w8a8_recipe

    if precision == "w8":
        return w8_recipe(network, checkpoint_sha256)
    return w8a8_recipe(network, checkpoint_sha256, pixels, source, progress=progress)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe as JSON that a person can review and diff: a line a tensor, the shortest digits of each float32.

    Args:
        path: The file; an older one is replaced in one step.
        recipe: What to write.
    """
    with written_aside(path) as aside:
        aside.write_text(recipe_json(recipe), encoding="utf-8")


def recipe_json(recipe: Recipe) -> str:
    """Return the text that :func:`write_recipe` writes."""
    lines = []
    for name, value in recipe.model_dump(mode="json").items():
        if isinstance(value, list) and value:
            rows = ",\n".join(f"    {_line(row)}" for row in value)
            lines.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(name)}: {_line(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_recipe(path: Path) -> Recipe:
    """Read what :func:`write_recipe` wrote; the same value comes back.

    Raises:
        ArtifactError: The file is missing, is not JSON, or is not a recipe.
    """
    try:
        return Recipe.model_validate(json.loads(path.read_bytes(), parse_float=_float32))
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


def _float32(text: str) -> float:
    # Every runtime holds scales as float32, so a recipe has no others, and its digits need not tell doubles apart.
    return float(np.float32(text))


def _line(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)}: {_line(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(_line(v) for v in value) + "]"
        case float():
            return str(np.float32(value))
        case _:
            return json.dumps(value, ensure_ascii=False)
