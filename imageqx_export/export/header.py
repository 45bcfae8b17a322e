"""What every artifact says about itself, as the key–value pairs that all three formats can hold."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from imageqx_export.artifact import Checkpoint, ModelSpec, Precision

AUTHOR = "imageqx-export"
LICENSE = "Apache-2.0"
DESCRIPTION = "ImageQX: is this skin photo good enough for a dermatologist, and if not, why. Not a medical device."


def versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Return the installed version of each of ``distributions``; ``"missing"`` where there is none."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def header(checkpoint: Checkpoint, precision: Precision) -> dict[str, str]:
    """Return the metadata of one artifact; the key ``spec`` holds the ModelSpec as JSON.

    Args:
        checkpoint: What it is made from.
        precision: The numeric scheme.
    """
    spec: ModelSpec = checkpoint.spec
    return {
        "author": AUTHOR,
        "checkpoint_sha256": checkpoint.sha256,
        "description": DESCRIPTION,
        "labels": ",".join(spec.labels),
        "license": LICENSE,
        "precision": precision.value,
        "reasons": ",".join(spec.reasons),
        "spec": spec.model_dump_json(),
    }
