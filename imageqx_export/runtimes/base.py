"""What every runtime offers, and the ModelSpec that every artifact carries in its own metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, TensorSpec
from imageqx_export.errors import ArtifactError


class Runtime(Protocol):
    """A program that runs one file."""

    @property
    def spec(self) -> ModelSpec:
        """The ModelSpec in the file's own metadata."""
        ...

    @property
    def signature(self) -> tuple[TensorSpec, ...]:
        """The outputs as the file itself declares them, in its own order; shapes are () where it has none."""
        ...

    def run(self, pixels: Pixels) -> Outputs:
        """Return every output for uint8 [N,224,224,3] RGB: float32, the batch first, by name."""
        ...


def read_spec(metadata: Mapping[str, str], path: Path) -> ModelSpec:
    """Parse the ModelSpec in a file's metadata.

    Args:
        metadata: The file's own key–value pairs.
        path: The file, for the message.

    Raises:
        ArtifactError: There is none, or it is not valid.
    """
    if "spec" not in metadata:
        raise ArtifactError(
            "no ModelSpec in the file's metadata", where=path, expected="a key 'spec'", remedy="export it again"
        )
    try:
        return ModelSpec.model_validate(json.loads(metadata["spec"]))
    except (ValidationError, ValueError) as error:
        raise ArtifactError("the ModelSpec in the file's metadata is not valid", where=path, got=str(error)) from error
