"""Run TFLite files with LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import Outputs, Pixels, TensorSpec
from imageqx_export.errors import ArtifactError
from imageqx_export.runtimes.base import (
    declare_output,
    explain_failed_load,
    explain_failed_run,
    read_input,
    read_spec,
)
from imageqx_export.runtimes.minimum import refuse_older
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import describe, parse_json
from imageqx_export.support.zipped import read_zipped

DISTRIBUTION = "ai-edge-litert"
SIGNATURE = "serving_default"
# The appended zip's one entry; Android reads it with java.util.zip, iOS with any zip reader.
SPEC_ENTRY = "spec.json"


class LiteRtRuntime:
    """A ``.tflite`` file that is run through its signature, on one thread with XNNPACK.

    Args:
        path: The file.
        interpreter: An ``ai_edge_litert`` Interpreter of it.
    """

    def __init__(self, path: Path, interpreter: Any) -> None:
        if SIGNATURE not in interpreter.get_signature_list():
            raise ArtifactError(
                "the signature is missing", where=path, expected=SIGNATURE, got=str(interpreter.get_signature_list())
            )
        self._interpreter = interpreter  # the runner does not keep it alive
        self._runner = interpreter.get_signature_runner(SIGNATURE)
        self.spec = read_spec(read_metadata(path), path)
        self._path, self._input = path, read_input(self.spec, path)
        self.signature = _read_signature(path, interpreter, self._runner)

    def run(self, pixels: Pixels) -> Outputs:
        """Return every output for uint8 [N,H,W,3] RGB."""
        feed = self._input
        # A runner's arrays are views of the interpreter's memory, overwritten by the next run.
        with explain_failed_run(self._path):
            found = feed.run(pixels, lambda batch: {k: v.copy() for k, v in self._runner(**{feed.name: batch}).items()})
            return {output.name: found[output.name] for output in self.signature}


def read_metadata(path: Path) -> dict[str, str]:
    """Read the key–value pairs in the zip that is appended to a ``.tflite`` file; empty if there is none.

    Raises:
        ArtifactError: There is a zip, and what it says of the file cannot be read.
    """
    try:
        content = read_zipped(path, SPEC_ENTRY)
        metadata = {} if content is None else parse_json(content)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            "the metadata behind the TFLite file cannot be read",
            where=f"{path}: {SPEC_ENTRY}",
            got=describe(error),
            remedy="imageqx export",
        ) from error
    return {str(k): str(v) for k, v in metadata.items()} if isinstance(metadata, dict) else {}


def _read_signature(path: Path, interpreter: Any, runner: Any) -> tuple[TensorSpec, ...]:
    order = {detail["index"]: position for position, detail in enumerate(interpreter.get_output_details())}
    details = sorted(runner.get_output_details().items(), key=lambda item: order[item[1]["index"]])
    return tuple(
        declare_output(path, name, tuple(int(n) for n in detail["shape"]), np.dtype(detail["dtype"]).name)
        for name, detail in details
    )


def load(path: Path) -> LiteRtRuntime:
    """Open a ``.tflite`` file.

    Raises:
        UnavailableError: ai-edge-litert is not installed.
        ArtifactError: The file cannot be read, or this LiteRT is too old for it.
    """
    require("ai_edge_litert")
    with explain_failed_load("the file cannot be read", path), path.open("rb") as file:
        if file.read(8)[4:] != b"TFL3":  # LiteRT itself can crash on other bytes
            raise ArtifactError(
                "not a TFLite flatbuffer", where=path, expected="the identifier TFL3", remedy="imageqx export"
            )
    from ai_edge_litert.interpreter import Interpreter

    if metadata := read_metadata(path):
        refuse_older(read_spec(metadata, path), DISTRIBUTION, path)
    with explain_failed_load("LiteRT cannot read the file", path):
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        return LiteRtRuntime(path, interpreter)
