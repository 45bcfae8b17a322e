"""Whether an installed runtime is too old for a file, by the file's own ``min_runtime``."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import ArtifactError

RUNTIMES = {"onnxruntime": "onnxruntime", "ai-edge-litert": "litert", "tflite-runtime": "tflite-runtime"}
"""What ``min_runtime`` calls a distribution."""


def refuse_older(spec: ModelSpec, distribution: str, path: Path) -> None:
    """Refuse a file for which the installed runtime is too old: it may open it and give other numbers.

    Args:
        spec: The file's own.
        distribution: The runtime's, such as ``"ai-edge-litert"``.
        path: The file, for the message.

    Raises:
        ArtifactError: It is too old.
    """
    installed = version(distribution)
    problem = explain_older(spec, distribution, installed)
    if problem is not None:
        raise ArtifactError(
            "the runtime is too old for the file",
            where=path,
            expected=problem,
            got=f"{distribution} {installed}",
            remedy="make setup",
        )


def explain_older(spec: ModelSpec, distribution: str, installed: str) -> str | None:
    """Return what a file needs in place of a version of a runtime; None where it will do, or nothing is known.

    >>> from imageqx_export import networks
    >>> file = networks.spec("imageqx").model_copy(update={"min_runtime": {"litert": "1.4.0", "tflite-runtime": None}})
    >>> explain_older(file, "ai-edge-litert", "1.2.0")
    'litert 1.4.0 or newer'
    >>> explain_older(file, "ai-edge-litert", "2.3.0") is None
    True
    >>> explain_older(file, "tflite-runtime", "2.14.0")
    'litert 1.4.0 or newer; no version of tflite-runtime gives the right numbers'
    """
    name = RUNTIMES.get(distribution, distribution)
    if name not in spec.min_runtime:
        return None
    needed = spec.min_runtime[name]
    if needed is None:
        others = [f"{other} {oldest} or newer" for other, oldest in spec.min_runtime.items() if oldest is not None]
        return "; ".join([*others, f"no version of {name} gives the right numbers"])
    return f"{name} {needed} or newer" if _parse(installed) < _parse(needed) else None


def _parse(text: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with; of ``2.3.0.dev1`` and ``2.3.0+cpu`` 2, 3, 0."""
    found = re.match(r"[0-9]{1,9}(\.[0-9]{1,9})*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
