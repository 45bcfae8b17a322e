"""Make or run a peer's file: ``python … REQUEST.json RESULT.json``, in whatever environment the peer has.

REQUEST has ``mode``, and ``name`` to "convert", as converters.py describes it; to "run" or "measure", ``runtime``,
``target``, ``dtype`` ("uint8" or "float32") and ``cores``, to pin to, if any. REQUEST.npz has ``pixels``, uint8
[N,h,w,3]. What "run" gives are the outputs in RESULT.npz; "measure" gives ``load_ms``, ``first_ms`` and ``run_ms`` (the
median of ``runs`` inferences after a warm-up), all of processor time, and ``memory_mib``: the peak above what there was
once the runtime was there.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import read_memory
from benchmarks.peers.converters import CONVERTERS
from benchmarks.phone_runtimes_worker import NAMES, OPENERS, Run, name_outputs

WARM_UP = 5


def open_litert(request: dict[str, Any]) -> Run:
    """Open a .tflite with XNNPACK; outputs by their sizes, as tools name them anew, and as floats."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=request["target"], num_threads=1)
    interpreter.allocate_tensors()
    feed = interpreter.get_input_details()[0]["index"]
    wanted = sorted(interpreter.get_output_details(), key=lambda detail: int(np.prod(detail["shape"])))

    def run(picture: Any) -> list[Any]:
        interpreter.set_tensor(feed, picture)
        interpreter.invoke()
        return [_scale(interpreter.get_tensor(one["index"]), *one["quantization"]) for one in wanted]

    return run


def _scale(values: Any, scale: float, zero_point: int) -> Any:
    integers = np.issubdtype(values.dtype, np.integer)
    return np.float32(scale) * (values.astype(np.float32) - zero_point) if integers else values


def open_openvino(request: dict[str, Any]) -> Run:
    """Open an .xml with its .bin on one thread."""
    import openvino

    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Core().compile_model(request["target"], "CPU", options)
    asked = model.create_infer_request()

    def run(picture: Any) -> list[Any]:
        asked.infer([picture])
        return [asked.get_tensor(name).data.copy() for name in NAMES]

    return run


def open_coreml(request: dict[str, Any]) -> Run:
    """Open an .mlpackage by its program, which is evaluated anywhere and timed nowhere."""
    from imageqx_export.runtimes import load_runtime

    runtime = load_runtime(Path(request["target"]))
    return lambda picture: [runtime.run(picture)[name] for name in NAMES]


def open_onnxruntime(request: dict[str, Any]) -> Run:
    """Open an .onnx with what our own sessions set on this processor."""
    return OPENERS["ONNX Runtime"]({**request, "path": request["target"]})


RUNTIMES: dict[str, tuple[str, Callable[[dict[str, Any]], Run]]] = {
    "ONNX Runtime": ("onnxruntime", open_onnxruntime),
    "LiteRT": ("ai_edge_litert.interpreter", open_litert),
    "Core ML": ("coremltools", open_coreml),
    "OpenVINO": ("openvino", open_openvino),
    "ExecuTorch": ("executorch.runtime", OPENERS["ExecuTorch"]),
    "ncnn": ("ncnn", OPENERS["ncnn"]),
    "MNN": ("MNN", OPENERS["MNN"]),
}
"""By name, the module that is imported before anything is measured, and what opens a file."""


def measure(request: dict[str, Any], pictures: list[Any]) -> dict[str, float]:
    """Open a file, run it once, warm up, and run it."""
    module, open_file = RUNTIMES[request["runtime"]]
    importlib.import_module(module)
    before, begun = read_memory("VmRSS"), time.process_time()
    run = open_file(request)
    loaded = time.process_time()
    run(pictures[0])
    first, memory = time.process_time(), read_memory("VmHWM")
    for _ in range(WARM_UP):
        run(pictures[0])
    took = []
    for _ in range(request["runs"]):
        begin = time.process_time()
        run(pictures[0])
        took.append(time.process_time() - begin)
    return {
        "load_ms": 1e3 * (loaded - begun),
        "first_ms": 1e3 * (first - loaded),
        "run_ms": 1e3 * statistics.median(took),
        "memory_mib": (memory - before) / 1024,
    }


def main(argv: list[str]) -> int:
    """Answer the request."""
    asked, answered = map(Path, argv)
    request, arrays = json.loads(asked.read_text()), dict[str, Any]()
    pixels, result = np.load(asked.with_suffix(".npz"))["pixels"], dict[str, Any]()
    if request["mode"] == "convert":
        CONVERTERS[request["name"]](request, pixels)
    else:
        if request["cores"]:
            os.sched_setaffinity(0, request["cores"])
        pictures = [np.ascontiguousarray(one[None].astype(request["dtype"])) for one in pixels]
        if request["mode"] == "measure":
            result = dict(measure(request, pictures))
        else:
            run = RUNTIMES[request["runtime"]][1](request)
            arrays = dict(name_outputs([run(picture) for picture in pictures]))
    np.savez(answered.with_suffix(".npz"), **arrays)
    answered.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
