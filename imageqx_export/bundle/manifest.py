"""The names of what lies in an artifacts folder, and its manifest."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from imageqx_export.artifact import QUANTIZED, Manifest, Precision
from imageqx_export.errors import ParityError

MANIFEST_FILE = "manifest.json"
PARITY_FILE = "parity.json"
BUDGETS_FILE = "budgets.json"
GOLDEN_FOLDER = "golden"
RECIPES_FOLDER = "quantization"


def name_golden_outputs(precision: Precision) -> str:
    """Return the name, in ``golden/``, of PyTorch's outputs that a file of this precision should give.

    >>> name_golden_outputs(Precision.FP16), name_golden_outputs(Precision.W8A8)
    ('expected.json', 'expected_w8a8.json')
    """
    return f"expected_{precision}.json" if precision in QUANTIZED else "expected.json"


def name_recipe(model: str, precision: Precision) -> str:
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
