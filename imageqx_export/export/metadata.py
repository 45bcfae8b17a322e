"""What every artifact says about itself, as the key–value pairs that all three formats can hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from imageqx_export.artifact import Checkpoint, Format, ModelSpec, Precision
from imageqx_export.export.minimum import state_minimum

if TYPE_CHECKING:
    from imageqx_export.quantize.model import QuantizedModel

AUTHOR = "imageqx-export"
LICENSE = "Apache-2.0"
DESCRIPTION = "ImageQX: is this skin photo good enough for a dermatologist, and if not, why. Not a medical device."
_BINARY = "{}: is this skin photo good enough for a dermatologist, and if not, where. Not a medical device."


def describe_model(spec: ModelSpec) -> str:
    """Return what a model is, in a sentence or two."""
    return DESCRIPTION if spec.binary is None else _BINARY.format(spec.name)


def versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Return the installed version of each of ``distributions``; ``"missing"`` where there is none."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def header(
    checkpoint: Checkpoint,
    format: Format,
    precision: Precision,
    quantized: Mapping[Precision, QuantizedModel] | None = None,
    ios: str | None = None,
) -> dict[str, str]:
    """Return the metadata of one artifact; the key ``spec`` holds the ModelSpec as JSON.

    Args:
        checkpoint: What it is made from.
        format: The file format.
        precision: The numeric scheme.
        quantized: The quantized model of each quantized precision; the key ``recipe_sha256`` is the digest of its
            recipe's file.
        ios: The oldest iOS that opens it; None where it is no Core ML package.
    """
    spec: ModelSpec = state_minimum(checkpoint, format, precision, ios)
    metadata = {
        "author": AUTHOR,
        "checkpoint_sha256": checkpoint.sha256,
        "description": describe_model(checkpoint.spec),
        "labels": ",".join(spec.labels),
        "license": LICENSE,
        "precision": precision.value,
        "reasons": ",".join(spec.reasons),
        "spec": spec.model_dump_json(),
    }
    if quantized is not None and precision in quantized:
        from imageqx_export.quantize.recipe import format_recipe

        text = format_recipe(quantized[precision].recipe)
        metadata["recipe_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return metadata
