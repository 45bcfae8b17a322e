"""What every runtime offers, and the ModelSpec that every artifact carries in its own metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, TensorSpec
from imageqx_export.errors import ArtifactError
from imageqx_export.input_form import InputForm, read_form
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.untrusted import describe, name_error, parse_model


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
        """Return every output for uint8 [N,H,W,3] RGB: float32, the batch first, by name."""
        ...


@dataclass(frozen=True)
class Feed:
    """The one input of a file: its name, and what it is fed."""

    name: str
    form: InputForm

    def run(self, pixels: Pixels, infer: Callable[[NDArray[Any]], Mapping[str, NDArray[Any]]]) -> Outputs:
        """Return every output for photos, whatever the file takes at a time.

        Args:
            pixels: uint8 [N,H,W,3].
            infer: Runs the file once, on what it takes; the outputs are copied from it by name.
        """
        rows = [infer(batch) for batch in self.form.feed(pixels)]
        return {name: np.concatenate([row[name] for row in rows])[: len(pixels)] for name in rows[0]}


def read_input(spec: ModelSpec, path: Path) -> Feed:
    """Return a model's one input, and how it takes photos.

    Raises:
        ArtifactError: It has none, or several, or one that is not of photos.
    """
    try:
        return Feed(spec.inputs[0].name if spec.inputs else "", read_form(spec))
    except ValueError as error:
        names = ", ".join(tensor.name for tensor in spec.inputs)[:200] or "none"
        raise ArtifactError(
            "not a model of one photo",
            where=path,
            expected="one input in the ModelSpec, of photos as its preprocessing says",
            got=f"{names}: {error}" if spec.inputs else names,
            remedy="export it again",
        ) from error


def declare_output(path: Path, name: str, shape: object, dtype: str) -> TensorSpec:
    """Return an output as a file declares it.

    Args:
        path: The file, for the message.
        name: The output's.
        shape: Its sizes; an artifact has numbers alone, −1 for a batch of any size.
        dtype: Its type's name, as NumPy's.

    Raises:
        ArtifactError: It is no tensor that an artifact has.
    """
    try:
        return TensorSpec.model_validate({"name": name, "shape": shape, "dtype": dtype})
    except ValidationError as error:
        raise ArtifactError(
            "an output that an artifact does not have",
            where=f"{path}: {name}",
            expected="uint8 or float32, of a fixed shape",
            got=describe(error),
            remedy="imageqx export",
        ) from error


@contextmanager
def explain_failed_load(what: str, path: Path) -> Iterator[None]:
    """Turn whatever a runtime raises in the block about a file into one error with the first line of it.

    Args:
        what: What it cannot do, in a clause.
        path: The file.

    Raises:
        ArtifactError: Something was raised.
    """

    def make(error: Exception) -> ArtifactError:
        return ArtifactError(what, where=path, got=name_error(error), remedy="imageqx export")

    with translate_errors(make):
        yield


@contextmanager
def explain_failed_run(path: Path) -> Iterator[None]:
    """Likewise, of a file that was opened and that the block runs.

    Raises:
        ArtifactError: Something was raised.
    """

    def make(error: Exception) -> ArtifactError:
        return ArtifactError(
            "the file cannot be run", where=path, got=name_error(error), remedy="imageqx parity with its folder"
        )

    with translate_errors(make):
        yield


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
        return parse_model(ModelSpec, metadata["spec"])
    except ValueError as error:
        raise ArtifactError(
            "the ModelSpec in the file's metadata is not valid",
            where=path,
            got=describe(error),
            remedy="export it again",
        ) from error
