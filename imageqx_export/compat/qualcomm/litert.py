"""Compile a TFLite file for a Qualcomm chip as LiteRT does ahead of time, and make what comes out runnable here.

Stands alone, beside worker.py. LiteRT's wheel has the compiler and no dispatch library for x86; the context binary in
the compiled file is QNN's, and ONNX Runtime runs it on the simulator as an ``EPContext`` node.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ai_edge_litert
import onnx
import onnxruntime_qnn
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers  # type: ignore[import-untyped]
from onnx import TensorProto

TYPES = {
    schema.TensorType.FLOAT32: TensorProto.FLOAT,
    schema.TensorType.UINT8: TensorProto.UINT8,
    schema.TensorType.INT8: TensorProto.INT8,
}


def compile_tflite(path: Path, chip: str, folder: Path) -> tuple[Path | None, str]:
    """Return the compiled file, None where the compiler failed, and what it printed.

    Args:
        path: A ``.tflite`` file.
        chip: Such as ``"SM8650"``.
        folder: For working files.
    """
    litert, qnn = Path(ai_edge_litert.__file__).parent, Path(onnxruntime_qnn.__file__).parent
    plugin = litert / "vendors" / "qualcomm" / "compiler"
    # The plugin names a library for another processor, which the wheel lacks and which is never called.
    absent = folder / "libQnnLpai.so"
    absent.symlink_to(qnn / "libQnnSaver.so")
    places = [folder, qnn, qnn.with_name("onnxruntime_qnn.libs"), litert, plugin]
    target = folder / "compiled.tflite"
    tie = os.environ.get("IMAGEQX_TIED")  # a script that ends a program with the process that started it
    command = [
        *([sys.executable, "-I", "-S", tie, str(os.getpid())] if tie else []),
        str(litert / "tools" / "apply_plugin_main"),
        "--cmd=apply",
        f"--model={path}",
        f"--o={target}",
        "--soc_manufacturer=Qualcomm",
        f"--soc_model={chip}",
        "--err=--",
        f"--libs={plugin}",
    ]
    result = subprocess.run(
        command,
        env={**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(map(str, places))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    made = result.returncode == 0 and target.exists() and target.stat().st_size > 0
    return target if made else None, result.stdout


def wrap_context(compiled: Path) -> tuple[bytes, list[str]]:
    """Return an ONNX model around a compiled file's context, and the signature's name of each of its outputs.

    Raises:
        ValueError: The file is not one dispatch operation.
    """
    content = compiled.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(content), 0))
    graph = model.subgraphs[0]
    if len(graph.operators) != 1 or graph.operators[0].customOptions is None:
        raise ValueError(f"expected one dispatch operation, got {len(graph.operators)}")
    (dispatch,) = graph.operators
    options = flexbuffers.Loads(bytes(dispatch.customOptions))
    begin = options["bytecode_offset"]
    context = content[begin : begin + options["bytecode_size"]]
    inputs, outputs = ([_read_value(graph.tensors[i]) for i in side] for side in (dispatch.inputs, dispatch.outputs))
    node = onnx.helper.make_node(
        "EPContext",
        [value.name for value in inputs],
        [value.name for value in outputs],
        name=options["name"],
        domain="com.microsoft",
        embed_mode=1,
        main_context=1,
        source="QNN",
        partition_name=options["name"],
        ep_cache_context=context,
    )
    wrapped = onnx.helper.make_model(
        onnx.helper.make_graph([node], "context", inputs, outputs),
        opset_imports=[onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)],
        ir_version=8,
    )
    names = {row.tensorIndex: row.name.decode() for row in model.signatureDefs[0].outputs}
    return wrapped.SerializeToString(), [names[int(index)] for index in dispatch.outputs]


def _read_value(tensor: Any) -> Any:
    shape = [int(size) for size in tensor.shape]
    return onnx.helper.make_tensor_value_info(tensor.name.decode(), TYPES[tensor.type], shape)
