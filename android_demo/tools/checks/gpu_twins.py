"""Copies of an export's float32 file in which the features are turned before their mean, or after it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from android_demo.tools.model import find_artifact
from android_demo.tools.steps import run_step
from imageqx_export.artifact import Precision
from imageqx_export.bundle.manifest import MANIFEST_FILE
from imageqx_export.export.tflite import accelerators, flatbuffer
from imageqx_export.support.files import digest

GOLDEN = "golden"


def make_right(folder: Path) -> Path:
    """Return an export whose float32 file takes the mean of features whose channels are last: a copy, or itself."""
    return _copy(folder, "gpu/right", accelerators.pool_before_transposing)


def make_wrong(folder: Path) -> Path:
    """Return an export whose float32 file takes the mean of features whose channels are first: a copy, or itself."""
    return _copy(folder, "gpu/wrong", pool_after_transposing)


def pool_after_transposing(model: Any) -> bool:
    """Turn the features before their mean, as litert-torch wrote them, in place.

    Args:
        model: A ``ModelT``.

    Returns:
        Whether they were not turned already.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = model.subgraphs[0], schema.BuiltinOperator
    means = [op for op in graph.operators if model.operatorCodes[op.opcodeIndex].builtinCode == kinds.MEAN]
    (mean,) = (op for op in means if not op.builtinOptions.keepDims)
    axes, features = graph.tensors[mean.inputs[1]], graph.tensors[mean.inputs[0]]
    if tuple(model.buffers[axes.buffer].data.view(np.int32)) != (1, 2):
        return False
    turn = schema.OperatorT()
    turn.opcodeIndex = accelerators.find_code(model, kinds.TRANSPOSE, 1)
    shape = np.asarray(features.shape)[[0, 3, 1, 2]].astype(np.int32)
    order = _add_tensor(model, np.array((0, 3, 1, 2), np.int32))
    turn.inputs = np.array([mean.inputs[0], order], np.int32)
    turn.outputs = np.array([_add_tensor(model, None, shape, features.type)], np.int32)
    mean.inputs = np.array([turn.outputs[0], _add_tensor(model, np.array((2, 3), np.int32))], np.int32)
    graph.operators.insert(graph.operators.index(mean), turn)
    return True


def _add_tensor(model: Any, values: Any | None, shape: Any | None = None, kind: int | None = None) -> int:
    """Add a constant of int32, or a tensor that is computed; return its index."""
    from ai_edge_litert import schema_py_generated as schema

    buffer, tensor = schema.BufferT(), schema.TensorT()
    if values is not None:
        buffer.data, shape, kind = values.view(np.uint8), np.array(values.shape, np.int32), schema.TensorType.INT32
    model.buffers.append(buffer)
    tensors = model.subgraphs[0].tensors
    tensor.buffer, tensor.shape, tensor.type = len(model.buffers) - 1, shape, kind
    tensor.name = f"twin_{len(tensors)}".encode()
    tensors.append(tensor)
    return len(tensors) - 1


def _copy(folder: Path, name: str, change: Callable[[Any], bool]) -> Path:
    """Copy what an app takes of an export, its float32 file changed; return the export itself where nothing was."""
    artifact = find_artifact(folder, Precision.FP32)
    model = flatbuffer.read((folder / artifact.path).read_bytes())
    if not change(model):
        return folder

    def make(output: Path) -> None:
        output.mkdir()
        shutil.copytree(folder / GOLDEN, output / GOLDEN)
        path = output / artifact.path
        path.write_bytes(flatbuffer.write(model))
        _copy_spec(folder / artifact.path, path)
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        (entry,) = (one for one in manifest["artifacts"] if one["path"] == str(artifact.path))
        entry |= {"sha256": digest(path), "size_bytes": path.stat().st_size}
        (output / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")

    reads = [Path(__file__), folder / MANIFEST_FILE, folder / GOLDEN, folder / artifact.path]
    return run_step(name, reads, make)


def _copy_spec(original: Path, path: Path) -> None:
    """Write the zip with the spec that a file has behind its flatbuffer behind another."""
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name))
