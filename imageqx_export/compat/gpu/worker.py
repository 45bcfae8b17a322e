"""Run one TFLite file on LiteRT's WebGPU accelerator: ``python worker.py REQUEST.json RESULT.json``.

Stands alone. REQUEST has ``path``, and ``cpu``: whether what the GPU refuses may run on the CPU. REQUEST.npz has
``pixels``, uint8 [N,h,w,3]; RESULT.npz has the outputs by the signature's names, float32, the batch first. What LiteRT
says of operators and of the adapter is on standard error, for whoever started this.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator


def read_shapes(content: bytes) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Return the number of operators, and the shape of each output by the signature's name, in its order."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(content), 0))
    graph = model.subgraphs[0]
    shapes = {row.name.decode(): graph.tensors[row.tensorIndex].shape for row in model.signatureDefs[0].outputs}
    return len(graph.operators), {name: tuple(int(size) for size in shape) for name, shape in shapes.items()}


def check_kinds(model: CompiledModel, pixels: Any) -> None:
    """Refuse a file whose input is not the photos', or an output that is not float32.

    CompiledModel's buffers take any array's raw bytes without a word (findings/litert-buffer-bytes.sh).
    """
    name = next(iter(model.get_signature_list()))
    (entry,) = model.get_input_tensor_details(name).values()
    expected = [1, *pixels.shape[1:]]
    if (entry["dtype"], list(entry["shape"])) != (str(pixels.dtype), expected):
        raise SystemExit(f"the input is {entry['dtype']} {entry['shape']}, the photos are {pixels.dtype} {expected}")
    for output, detail in model.get_output_tensor_details(name).items():
        if detail["dtype"] != "float32":
            raise SystemExit(f"the output {output} is {detail['dtype']}, not float32")


def run(path: Path, pixels: Any, cpu: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was accelerated, and the outputs."""
    total, shapes = read_shapes(path.read_bytes())
    where = HardwareAccelerator.GPU | HardwareAccelerator.CPU if cpu else HardwareAccelerator.GPU
    model = CompiledModel.from_file(str(path), hardware_accel=where)
    check_kinds(model, pixels)
    names = next(iter(model.get_signature_list().values()))["outputs"]
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for one in pixels:
        inputs[0].write(np.ascontiguousarray(one[None]))
        model.run_by_index(0, inputs, outputs)
        for name, buffer in zip(names, outputs, strict=True):
            values = buffer.read(int(np.prod(shapes[name])), np.float32)
            rows[name].append(np.array(values, np.float32).reshape(shapes[name]))
    found = {name: np.concatenate(row) for name, row in rows.items()}
    return {"total": total, "whole": bool(model.is_fully_accelerated())}, found


def main(argv: list[str]) -> int:
    """Answer the request."""
    asked, answered = map(Path, argv)
    request = json.loads(asked.read_text())
    result, arrays = run(Path(request["path"]), np.load(asked.with_suffix(".npz"))["pixels"], request["cpu"])
    np.savez(answered.with_suffix(".npz"), **arrays)
    answered.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
