"""Run ONNX files with ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import Outputs, Pixels, TensorSpec
from imageqx_export.errors import ArtifactError
from imageqx_export.input_form import ANY
from imageqx_export.runtimes.base import (
    declare_output,
    explain_failed_load,
    explain_failed_run,
    read_input,
    read_spec,
)
from imageqx_export.runtimes.minimum import refuse_older
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.libraries import require

DISTRIBUTION = "onnxruntime"
# MatMulInteger of an uint8 [1,4] with four int8 weights of 127, as tests/runtimes/test_onnx.py writes it.
_PROBE = bytes.fromhex(
    "080812003a580a180a01780a0177120179220d4d61744d756c496e74656765721201672a0f0804080110034201774a047f7f7f7f5a130a0178"
    "120e0a0c080212080a0208010a02080462130a0179120e0a0c080612080a0208010a02080142040a00100d"
)
ANY_BATCH = "batch"
"""What an exported file calls the size of a batch that is chosen at run time."""
_DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}


class OnnxRuntime:
    """An ``.onnx`` file on the CPU, which takes as many photos at a time as its ModelSpec says.

    Args:
        path: The file.
        session: An ``onnxruntime.InferenceSession`` of it.
    """

    def __init__(self, path: Path, session: Any) -> None:
        self._session, self._path = session, path
        self.spec = read_spec(session.get_modelmeta().custom_metadata_map, path)
        self._input = read_input(self.spec, path)
        self.signature = tuple(_read_tensor_spec(node, path) for node in session.get_outputs())

    def run(self, pixels: Pixels) -> Outputs:
        """Return every output for uint8 [N,H,W,3] RGB."""
        names = [output.name for output in self.signature]
        feed = self._input
        with explain_failed_run(self._path):
            return feed.run(
                pixels, lambda batch: dict(zip(names, self._session.run(names, {feed.name: batch}), strict=True))
            )


def _read_tensor_spec(node: Any, path: Path) -> TensorSpec:
    if node.type not in _DTYPES:
        raise ArtifactError(
            "an output of another type", where=f"{path}: {node.name}", expected="tensor(float)", got=node.type
        )
    shape = list(node.shape)
    if shape[:1] == [ANY_BATCH]:  # ONNX has names for sizes that are chosen at run time
        shape[0] = ANY
    return declare_output(path, node.name, shape, _DTYPES[node.type])


def count_optimised_operations(path: Path) -> Counter[str]:
    """Count the operations of the graph that ONNX Runtime makes of a file before it runs it.

    ``QLinearConv`` against ``Conv`` says which convolutions it computes with integers on this machine.

    Args:
        path: An ``.onnx`` file.

    Raises:
        UnavailableError: onnxruntime or onnx is not installed.
        ArtifactError: The file cannot be read.
    """
    require("onnx")
    import onnx

    with temporary_folder("onnx") as folder, explain_failed_load("ONNX Runtime cannot read the file", path):
        optimised = folder / "optimised.onnx"
        _open_session(path, optimised)
        return Counter(node.op_type for node in onnx.load(optimised).graph.node)


@cache
def choose_session_config() -> dict[str, str]:
    """Return the entries with which a session adds up uint8 × int8 exactly on this processor; none where it does so.

    x86 before VNNI (Cascade Lake, Zen 4) adds pairs of products in 16 bits, which clip above 32,767: a probability was
    0.23 off. Asked for it, ONNX Runtime computes with uint8 weights instead: exact, and 1.5 times as long as float32.

    Raises:
        UnavailableError: onnxruntime is not installed.

    Source: ``kOrtSessionOptionsAvx2PrecisionMode`` in onnxruntime_session_options_config_keys.h.
    """
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    probe = onnxruntime.InferenceSession(_PROBE, options, providers=["CPUExecutionProvider"])
    (found,) = probe.run(None, {"x": np.full((1, 4), 255, np.uint8)})
    return {} if found.item() == 4 * 255 * 127 else {"session.x64quantprecision": "1"}


def load(path: Path) -> OnnxRuntime:
    """Open an ``.onnx`` file.

    Raises:
        UnavailableError: onnxruntime is not installed.
        ArtifactError: The file cannot be read, or this ONNX Runtime is too old for it.
    """
    session = _open_session(path)
    with explain_failed_load("ONNX Runtime cannot read the file", path):
        runtime = OnnxRuntime(path, session)
    refuse_older(runtime.spec, DISTRIBUTION, path)
    return runtime


def _open_session(path: Path, optimised: Path | None = None) -> Any:
    """Open a session; where ``optimised`` is given, the graph that it runs is written there."""
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in choose_session_config().items():
        options.add_session_config_entry(key, value)
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    with explain_failed_load("ONNX Runtime cannot read the file", path):
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
