"""Files of others' tools from the same network: no ModelSpec in them, and outputs under names of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs, Pixels
from imageqx_export.errors import ArtifactError
from imageqx_export.runtimes.onnx import choose_session_config
from imageqx_export.support.libraries import require


def run_on_cpu(path: Path, spec: ModelSpec, pixels: Pixels) -> Outputs:
    """Run an ONNX or TFLite file on this machine's CPU, picture by picture.

    Args:
        path: The file; it takes one picture [1,h,w,3], uint8 or float32.
        spec: What its outputs should be.
        pixels: uint8 [N,h,w,3].

    Raises:
        ArtifactError: It cannot be run, or its outputs are not the ModelSpec's.
    """
    runs = {".onnx": _run_onnx, ".tflite": _run_tflite}
    if path.suffix not in runs:
        raise ArtifactError("not a file that runs here without a ModelSpec", where=path, expected=", ".join(runs))
    try:
        return name_outputs(scale_outputs(runs[path.suffix](path, pixels), read_scales(path)), spec)
    except (ValueError, RuntimeError, IndexError) as error:
        raise ArtifactError("the file does not run on this CPU", where=path, got=str(error).splitlines()[0]) from error


def read_scales(path: Path) -> dict[str, tuple[float, int]]:
    """Return scale and zero point of each output of a TFLite file that is an integer, by the signature's name.

    Args:
        path: A file; of another format there are none, as ONNX files give floats.
    """
    if path.suffix != ".tflite":
        return {}
    require("ai_edge_litert")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    runner = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    found = {name: detail["quantization"] for name, detail in runner.get_output_details().items()}
    return {name: (float(scale), int(zero)) for name, (scale, zero) in found.items() if scale}


def scale_outputs(outputs: Mapping[str, NDArray[Any]], scales: Mapping[str, tuple[float, int]]) -> Outputs:
    """Return outputs as real numbers: integers times their scale; floats stay.

    >>> scale_outputs({"y": np.array([3], np.int8)}, {"y": (0.5, 1)})["y"]
    array([1.], dtype=float32)
    """
    found: Outputs = {}
    for name, values in outputs.items():
        scale, zero = scales.get(name, (1.0, 0))
        found[name] = (np.asarray(values, np.float32) - np.float32(zero)) * np.float32(scale)
    return found


def name_outputs(outputs: Mapping[str, NDArray[Any]], spec: ModelSpec) -> Outputs:
    """Return outputs under the ModelSpec's names: by name, or, of a stranger, by shape.

    Args:
        outputs: The batch first, by the file's own names.
        spec: What they should be.

    Raises:
        ArtifactError: One is missing, or two have its shape.
    """
    if all(output.name in outputs for output in spec.outputs):
        return {output.name: np.asarray(outputs[output.name], np.float32) for output in spec.outputs}
    named: Outputs = {}
    for output in spec.outputs:
        alike = [name for name, values in outputs.items() if sorted(values.shape[1:]) == sorted(output.shape[1:])]
        if len(alike) != 1:
            raise ArtifactError(
                "an output cannot be told by its shape",
                where=output.name,
                expected=str(output.shape),
                got=", ".join(f"{name} {values.shape}" for name, values in outputs.items()),
            )
        values = np.asarray(outputs[alike[0]], np.float32)
        # onnx2tf gives maps with their channels last.
        turned = values.shape[1:] != output.shape[1:] and values.ndim == 4
        named[output.name] = np.moveaxis(values, -1, 1) if turned else values
    return named


def _run_onnx(path: Path, pixels: Pixels) -> dict[str, NDArray[Any]]:
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    for key, value in choose_session_config().items():
        options.add_session_config_entry(key, value)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0]
    kind = np.float32 if feed.type == "tensor(float)" else np.uint8
    rows = [session.run(None, {feed.name: one[None].astype(kind)}) for one in pixels]
    names = [value.name for value in session.get_outputs()]
    return {name: np.concatenate([row[i] for row in rows]) for i, name in enumerate(names)}


def _run_tflite(path: Path, pixels: Pixels) -> dict[str, NDArray[Any]]:
    require("ai_edge_litert")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    ((name, detail),) = runner.get_input_details().items()
    rows = [
        {key: values.copy() for key, values in runner(**{name: one[None].astype(detail["dtype"])}).items()}
        for one in pixels
    ]
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
