"""An artifacts folder's names, and its manifest."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from imageqx_export.artifact import (
    Manifest,
    Precision,
)
from imageqx_export.errors import (
    ParityError,
)

PARITY_FILE = "parity.json"
MANIFEST_FILE = "manifest.json"
RECIPES = "quantization"


def recipe_name(model: str, precision: Precision) -> str:
    """Return the name of a recipe's file in an artifacts folder's ``quantization/``."""
    return f"{model}_{precision}.json"


def read_manifest(folder: Path) -> Manifest:
    """Read ``<folder>/manifest.json``.

    Raises:
        ParityError: It is missing or not valid.
    """
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ParityError("no manifest", where=path, remedy="imageqx export, then pass artifacts/<model>") from error
    except (ValidationError, OSError, json.JSONDecodeError) as error:
        raise ParityError("the manifest is not valid", where=path, got=str(error), remedy="imageqx export") from error
