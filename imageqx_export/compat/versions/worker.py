"""Run one file on the runtime of this environment: ``python worker.py REQUEST.json RESULT.json``.

Stands alone, and keeps to what every Python and numpy of the matrix has. REQUEST has ``path``, ``runtime`` and
``variant``; REQUEST.npz has ``pixels``, uint8 [N,h,w,3]. RESULT has ``version``, and ``unavailable`` where the runtime
itself does not start, ``refused`` where it does not open the file, ``failed`` where it does not run it, or
``load_seconds``; RESULT.npz then has the outputs by the file's names, float32, the batch first. Of a Core ML package
``program`` is the digest of what was read.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

# MatMulInteger of an uint8 [1,4] with four int8 weights of 127, as runtimes/onnx.py has it.
PROBE = bytes.fromhex(
    "080812003a580a180a01780a0177120179220d4d61744d756c496e74656765721201672a0f0804080110034201774a047f7f7f7f5a130a0178"
    "120e0a0c080212080a0208010a02080462130a0179120e0a0c080612080a0208010a02080142040a00100d"
)
MODULES = {
    "onnxruntime": "onnxruntime",
    "tflite-runtime": "tflite_runtime.interpreter",
    "litert": "ai_edge_litert.interpreter",
    "coremltools": "coremltools",
}


class RefusedError(Exception):
    """The runtime does not open the file."""


def run_onnx(module: Any, request: dict[str, Any], pixels: Any) -> tuple[float, dict[str, Any]]:
    """Return the seconds of the load, and the outputs."""
    options = module.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    probe = module.InferenceSession(PROBE, options, providers=["CPUExecutionProvider"])
    # x86 before VNNI clips sums of two products unless it is asked not to.
    if probe.run(None, {"x": np.full((1, 4), 255, np.uint8)})[0].item() != 4 * 255 * 127:
        options.add_session_config_entry("session.x64quantprecision", "1")
    begin = time.perf_counter()
    try:
        session = module.InferenceSession(request["path"], options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RefusedError(name(error)) from error
    seconds = time.perf_counter() - begin
    feed = session.get_inputs()[0]
    kind = np.float32 if feed.type == "tensor(float)" else np.uint8
    names = [value.name for value in session.get_outputs()]
    rows = [session.run(None, {feed.name: one[None].astype(kind)}) for one in pixels]
    return seconds, {key: np.concatenate([row[k] for row in rows]) for k, key in enumerate(names)}


def run_interpreter(module: Any, request: dict[str, Any], pixels: Any) -> tuple[float, dict[str, Any]]:
    """Return the seconds of the load, and the outputs, in real numbers."""
    kinds = module.OpResolverType
    resolver = {
        "xnnpack": kinds.AUTO,
        "builtin": kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "reference": kinds.BUILTIN_REF,
    }[request["variant"]]
    begin = time.perf_counter()
    try:
        interpreter = module.Interpreter(
            model_path=request["path"], num_threads=1, experimental_op_resolver_type=resolver
        )
        interpreter.allocate_tensors()
    except Exception as error:
        raise RefusedError(name(error)) from error
    seconds = time.perf_counter() - begin
    runner = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    ((feed, detail),) = runner.get_input_details().items()
    rows = []
    for one in pixels:
        found = runner(**{feed: one[None].astype(detail["dtype"])})
        rows.append({key: np.array(values) for key, values in found.items()})
    details = runner.get_output_details()
    return seconds, {key: scale(np.concatenate([row[key] for row in rows]), details[key]) for key in details}


def run_compiled(module: Any, request: dict[str, Any], pixels: Any) -> tuple[float, dict[str, Any]]:
    """Return the seconds of the load, and the outputs, of LiteRT's CompiledModel on the CPU."""
    kind = import_module("ai_edge_litert.compiled_model").CompiledModel
    accelerator = import_module("ai_edge_litert.hardware_accelerator").HardwareAccelerator
    # For the shapes alone, of which CompiledModel does not speak.
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(model_path=request["path"], experimental_op_resolver_type=plain)
    runner = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    details, ((_, fed),) = runner.get_output_details(), runner.get_input_details().items()
    # Its buffers take any array's bytes without a word.
    if list(fed["shape"]) != [1, *pixels.shape[1:]] or fed["dtype"] not in (np.uint8, np.float32):
        raise ValueError(f"the input is {fed['dtype']} {fed['shape']}, the photos are {pixels.shape[1:]}")
    # Before 2.1 there was no choice, and the CPU it was.
    named = "hardware_accel" in inspect.signature(kind.from_file).parameters
    begin = time.perf_counter()
    try:
        model = kind.from_file(request["path"], **({"hardware_accel": accelerator.CPU} if named else {}))
        inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    except Exception as error:
        raise RefusedError(name(error)) from error
    seconds = time.perf_counter() - begin
    names = next(iter(model.get_signature_list().values()))["outputs"]
    rows: dict[str, list[Any]] = {key: [] for key in names}
    for one in pixels:
        picture = np.ascontiguousarray(one[None].astype(fed["dtype"]))
        # Before 2.1 it took the same bytes under the name of int8 alone.
        inputs[0].write(picture if named or picture.dtype != np.uint8 else picture.view(np.int8))
        model.run_by_index(0, inputs, outputs)
        for key, buffer in zip(names, outputs, strict=True):
            shape = [int(size) for size in details[key]["shape"]]
            values = np.array(buffer.read(int(np.prod(shape)), details[key]["dtype"])).reshape(shape)
            rows[key].append(scale(values, details[key]))
    return seconds, {key: np.concatenate(row) for key, row in rows.items()}


def scale(values: Any, detail: Any) -> Any:
    """Return an output in real numbers; a stranger's may be integers."""
    step, zero = detail["quantization"]
    values = values.astype(np.float32)
    return (values - np.float32(zero)) * np.float32(step) if step else values


def read_package(module: Any, request: dict[str, Any]) -> tuple[float, str]:
    """Return the seconds that reading took, and the digest of the program: kinds, types and constants, in order."""
    load = import_module("coremltools.converters.mil.frontend.milproto.load").load
    begin = time.perf_counter()
    try:
        model = module.models.MLModel(request["path"], skip_model_load=True)
        spec = model.get_spec()
        program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    except Exception as error:
        raise RefusedError(name(error)) from error
    seconds = time.perf_counter() - begin
    digest = hashlib.sha256()
    for operation in program.functions["main"].operations:
        digest.update(operation.op_type.encode())
        for output in operation.outputs:
            digest.update(f"{output.dtype.__name__} {output.shape}".encode())
        if operation.op_type == "const":
            digest.update(np.asarray(operation.outputs[0].val).tobytes())
    return seconds, digest.hexdigest()


def name(error: Exception) -> str:
    """Return what was raised in a line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def answer(request: dict[str, Any], pixels: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the result, and the arrays beside it."""
    try:
        module = import_module(MODULES[request["runtime"]])
        if request["variant"] == "compiled":
            import_module("ai_edge_litert.compiled_model")
    except Exception as error:
        return {"unavailable": name(error)}, {}
    try:
        if request["runtime"] == "coremltools":
            seconds, program = read_package(module, request)
            return {"load_seconds": seconds, "program": program}, {}
        runs = {"default": run_onnx, "compiled": run_compiled}
        seconds, outputs = runs.get(request["variant"], run_interpreter)(module, request, pixels)
    except RefusedError as refused:
        return {"refused": str(refused)}, {}
    except Exception as error:
        return {"failed": name(error)}, {}
    return {"load_seconds": seconds}, {key: values.astype(np.float32) for key, values in outputs.items()}


def main(argv: list[str]) -> int:
    """Answer the request."""
    asked, answered = map(Path, argv)
    request = json.loads(asked.read_text())
    result, arrays = answer(request, np.load(str(asked.with_suffix(".npz")))["pixels"])
    np.savez(str(answered.with_suffix(".npz")), **arrays)
    answered.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
