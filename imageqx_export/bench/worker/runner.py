"""Run one artifact in this process, as a request says, and write down what it took.

``python runner.py REQUEST.json RESULT.json``. This file stands alone, so that it can be copied to a phone or into an
emulated one and started there: it needs Python ≥ 3.11, numpy and the artifact's runtime, and nothing else of ours.
Long because it is copied as one file.

A request is ``{"mode": "time" | "count" | "memory" | "outputs" | "layers", "path": FILE, "format": "tflite" | "onnx" |
"coreml", "threads": 1, "warmup_runs": 10, "warmup_seconds": 0.5, "runs": 10, "seconds": 1.0, "input": FILE.npy,
"outputs": FILE.npz, "cores": [1], "config": {}, "tied": false}``; the input is [N,…] as the artifact takes it, N a
multiple of its batch, and without one fixed noise is used; without cores the process may use any; config has entries
for ONNX Runtime's session; one that is tied ends with the process that started it, a profiler included. The result has
``versions`` and, by mode:

- ``time``: ``load_seconds``, ``first_seconds``, ``seconds`` (a list), ``started``, ``temperature_before``, ``…_after``;
- ``count``: ``runs``, after the load and exactly so many inferences, for an instruction counter around the process;
- ``memory``: ``peak_memory_bytes``, and ``before_load_bytes`` with the libraries in and the artifact not yet;
- ``outputs``: ``names``; the ``.npz`` holds float32 [N,…] by name;
- ``layers``: ``layers``, a list of ``name``, ``kind`` and ``seconds`` (mean per inference); empty for LiteRT, whose
  Python package has no profiler (litert_layers.py asks its C library).

What is timed is one inference as an app would do it: the input copied in, the graph run, all outputs copied out. For
LiteRT that is set_tensor, invoke and get_tensor of the allocated interpreter, whose Python costs microseconds; its
signature runner, which looks every tensor up by name, is not used. Libraries are imported before the load is timed.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DEFAULTS: dict[str, Any] = {
    "threads": 1,
    "warmup_runs": 10,
    "warmup_seconds": 0.5,
    "runs": 10,
    "seconds": 1.0,
    "input": None,
    "outputs": None,
    "cores": None,
    "config": {},
    "tied": False,
}


@dataclass(frozen=True)
class Model:
    """A loaded artifact.

    Attributes:
        shape: Of the input, batch first.
        dtype: Of the input.
        run: One inference: an input in, a list of outputs out, copied.
        names: Gives the outputs' names, in ``run``'s order; asked for after the runs, as LiteRT allocates for it.
        profile: Ends the profiler and gives its file; None where the runtime has no profiler.
    """

    shape: tuple[int, ...]
    dtype: Any
    run: Callable[[Any], list[Any]]
    names: Callable[[], list[str]]
    profile: Callable[[], str] | None = None


Load = Callable[[str, int, "str | None"], Model]
Config = dict[str, str]


def _import_tflite(_: Config) -> Load:
    from ai_edge_litert.interpreter import Interpreter

    def load(path: str, threads: int, profile: str | None) -> Model:
        with open(path, "rb") as file:  # no more than its head, as this is in the load's time and memory
            if file.read(8)[4:] != b"TFL3":  # LiteRT itself can crash on other bytes
                raise ValueError(f"not a TFLite flatbuffer: {path}")
        interpreter = Interpreter(model_path=path, num_threads=threads)  # with XNNPACK, its default
        interpreter.allocate_tensors()
        feed = interpreter.get_input_details()[0]
        wanted = [detail["index"] for detail in interpreter.get_output_details()]
        write, invoke, read, index = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor, feed["index"]

        def run(image: Any) -> list[Any]:
            write(index, image)
            invoke()
            return [read(i) for i in wanted]

        def names() -> list[str]:
            signatures = interpreter.get_signature_list()
            if not signatures:
                return [str(detail["name"]) for detail in interpreter.get_output_details()]
            key = "serving_default" if "serving_default" in signatures else next(iter(signatures))
            details = interpreter.get_signature_runner(key).get_output_details()
            by_index = {detail["index"]: name for name, detail in details.items()}
            return [by_index[i] for i in wanted]

        return Model(tuple(int(n) for n in feed["shape"]), np.dtype(feed["dtype"]), run, names)

    return load


def _import_onnx(config: Config) -> Load:
    import onnxruntime

    dtypes = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}

    def load(path: str, threads: int, profile: str | None) -> Model:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        for key, value in config.items():
            options.add_session_config_entry(key, value)
        if profile is not None:
            options.enable_profiling, options.profile_file_prefix = True, profile
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed, names = session.get_inputs()[0], [output.name for output in session.get_outputs()]

        def run(image: Any) -> list[Any]:
            return list(session.run(names, {feed.name: image}))

        shape = tuple(size if isinstance(size, int) else 1 for size in feed.shape)  # of any batch: one
        return Model(shape, np.dtype(dtypes[feed.type]), run, lambda: names, session.end_profiling)

    return load


def _import_coreml(_: Config) -> Load:
    import coremltools
    from PIL import Image

    def load(path: str, threads: int, profile: str | None) -> Model:
        # As runtimes/coreml.py does: the CPU, whose time can be compared with the other runtimes'.
        model = coremltools.models.MLModel(path, compute_units=coremltools.ComputeUnit.CPU_ONLY)
        description = model.get_spec().description
        feed, names = description.input[0], [output.name for output in description.output]
        size, array = feed.type.imageType, tuple(feed.type.multiArrayType.shape)

        def run(image: Any) -> list[Any]:
            found = model.predict({feed.name: image if array else Image.fromarray(image[0])})
            return [np.asarray(found[name]) for name in names]

        if array:
            return Model(array, np.dtype(np.float32), run, lambda: names)
        return Model((1, size.height, size.width, 3), np.dtype(np.uint8), run, lambda: names)

    return load


FORMATS: dict[str, Callable[[Config], Load]] = {
    "tflite": _import_tflite,
    "onnx": _import_onnx,
    "coreml": _import_coreml,
}


def make_noise(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return fixed noise (Knuth's multiplicative hash of each position): bytes, or as floats those divided by 255."""
    positions = np.arange(int(np.prod(shape)), dtype=np.uint32)
    noise = ((positions * np.uint32(2654435761)) >> np.uint32(24)).astype(dtype).reshape(shape)
    return noise / np.float32(255) if noise.dtype == np.float32 else noise


def measure_time(request: dict[str, Any], load: Load) -> dict[str, Any]:
    """Time the load, the first inference, and after a warm-up each of ``runs`` or more, for ``seconds`` or more."""
    clock = time.perf_counter_ns
    result: dict[str, Any] = {"started": time.time(), "temperature_before": read_temperature()}
    begin = clock()
    model = load(request["path"], request["threads"], None)
    result["load_seconds"] = (clock() - begin) / 1e9
    image = load_pictures(request, model)[0]
    begin = clock()
    model.run(image)
    result["first_seconds"] = (clock() - begin) / 1e9
    gc.collect()
    gc.disable()
    try:
        each = warm_up(model.run, image, request["warmup_runs"], int(request["warmup_seconds"] * 1e9))
        result["seconds"] = time_runs(model.run, image, request["runs"], int(request["seconds"] * 1e9), each)
    finally:
        gc.enable()
    result["temperature_after"] = read_temperature()
    return result


def warm_up(run: Callable[[Any], Any], image: Any, runs: int, nanoseconds: int) -> int:
    """Run ``runs`` times or more, for ``nanoseconds`` or longer; return the mean of one in ns, or 0 without any."""
    clock, done = time.perf_counter_ns, 0
    begin = clock()
    while done < runs or clock() - begin < nanoseconds:
        run(image)
        done += 1
    return (clock() - begin) // done if done else 0


def time_runs(run: Callable[[Any], Any], image: Any, runs: int, nanoseconds: int, each: int) -> list[float]:
    """Return the seconds of single inferences, ``runs`` or more, that sum up to ``nanoseconds`` or more.

    Memory for the samples is laid out before the first, by what each is expected to take: ``each`` ns.
    """
    clock = time.perf_counter_ns
    samples = [0] * (max(runs, 2 * nanoseconds // max(1, each)) + 1)
    room, done, total = len(samples), 0, 0
    while done < runs or total < nanoseconds:
        begin = clock()
        run(image)
        took = clock() - begin
        if done == room:  # far faster than in the warm-up; between two inferences, so no sample pays for it
            samples.extend([0] * room)
            room *= 2
        samples[done] = took
        total += took
        done += 1
    return [took / 1e9 for took in samples[:done]]


def run_exactly(request: dict[str, Any], load: Load) -> dict[str, Any]:
    """Load, and run exactly ``runs`` times."""
    model = load(request["path"], request["threads"], None)
    image = load_pictures(request, model)[0]
    for _ in range(request["runs"]):
        model.run(image)
    return {"runs": request["runs"]}


def measure_memory(request: dict[str, Any], load: Load) -> dict[str, Any]:
    """Load, run ``runs`` times, and read the largest resident memory of the whole process."""
    before = read_peak_memory()
    run_exactly(request, load)
    return {"before_load_bytes": before, "peak_memory_bytes": read_peak_memory()}


def write_outputs(request: dict[str, Any], load: Load) -> dict[str, Any]:
    """Run every picture and write the outputs."""
    model = load(request["path"], request["threads"], None)
    rows = [model.run(image) for image in load_pictures(request, model)]
    names = model.names()
    arrays: dict[str, Any] = {
        name: np.concatenate([np.asarray(row[i], np.float32) for row in rows]) for i, name in enumerate(names)
    }
    aside = f"{request['outputs']}.part"
    with open(aside, "wb") as file:
        np.savez(file, **arrays)
    os.replace(aside, request["outputs"])  # noqa: PTH105
    return {"names": names}


def profile_layers(request: dict[str, Any], load: Load) -> dict[str, Any]:
    """Run under the runtime's own profiler; the first inference and the warm-up are left out of the means."""
    with tempfile.TemporaryDirectory() as folder:
        model = load(request["path"], request["threads"], str(Path(folder) / "profile"))
        if model.profile is None:
            return {"layers": []}
        image = load_pictures(request, model)[0]
        for _ in range(1 + request["warmup_runs"] + request["runs"]):
            model.run(image)
        return {"layers": read_onnx_layers(json.loads(Path(model.profile()).read_text()), request["runs"])}


def read_onnx_layers(events: list[dict[str, Any]], runs: int) -> list[dict[str, Any]]:
    """Return each node's mean over its last ``runs`` inferences, in the graph's order, from ONNX Runtime's events."""
    nodes: dict[str, tuple[str, list[float]]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            kind = str(event["args"]["op_name"])
            nodes.setdefault(name.removesuffix("_kernel_time"), (kind, []))[1].append(event["dur"] / 1e6)
    return [{"name": n, "kind": kind, "seconds": sum(took[-runs:]) / runs} for n, (kind, took) in nodes.items()]


MODES = {
    "time": measure_time,
    "count": run_exactly,
    "memory": measure_memory,
    "outputs": write_outputs,
    "layers": profile_layers,
}


def load_pictures(request: dict[str, Any], model: Model) -> list[Any]:
    """Return the inputs, a batch a list entry, of as many as the artifact takes at a time."""
    if request["input"] is None:
        return [make_noise(model.shape, model.dtype)]
    images = np.load(request["input"])
    if images.dtype != model.dtype or images.shape[1:] != model.shape[1:] or not len(images):
        raise ValueError(f"the input is {images.dtype} {images.shape}, the artifact takes {model.dtype} {model.shape}")
    if len(images) % model.shape[0]:
        raise ValueError(f"the input is {images.shape}, and the artifact takes {model.shape[0]} at a time")
    return [np.ascontiguousarray(batch) for batch in images.reshape(-1, *model.shape)]


def read_peak_memory() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    # Only where there is no VmHWM: Linux counts what the parent had before exec into ru_maxrss.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def read_temperature() -> float | None:
    """Return the hottest sensor that can be read, in °C."""
    found = []
    files = [
        *Path("/sys/class").glob("thermal/thermal_zone*/temp"),
        *Path("/sys/class").glob("hwmon/hwmon*/temp*_input"),
    ]
    for file in files:
        with suppress(OSError, ValueError):  # a sensor that is off, or that only root may read
            found.append(int(file.read_text()) / 1000)
    return max((value for value in found if 0 < value < 150), default=None)


def read_versions() -> dict[str, str]:
    """Name what ran, with its version, of the libraries that this process has loaded."""
    names = {"ai_edge_litert": "ai-edge-litert"}
    loaded = [name for name in ("ai_edge_litert", "onnxruntime", "coremltools", "numpy") if name in sys.modules]
    found = {names.get(name, name): str(getattr(sys.modules[name], "__version__", "unknown")) for name in loaded}
    return {**found, "python": sys.version.split()[0]}


def end_with_parent() -> None:
    """Let this process end when the one that started it does."""
    parent, system = os.getppid(), platform.system()
    if system == "Linux":  # the kernel does it, and nothing wakes up while it is timed
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def answer(argv: list[str], work: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Do what the request says; 1, and one line on standard error, when something is wrong.

    Args:
        argv: The request's file and the result's, as given on the command line.
        work: Takes the request, whole with its defaults, and returns the result but for ``versions``.
    """
    try:
        request_path, result_path = argv
        request = {**DEFAULTS, **json.loads(Path(request_path).read_text())}
        if request["tied"]:
            end_with_parent()
        if request["cores"] is not None:
            os.sched_setaffinity(0, request["cores"])  # before a library counts the cores and starts its threads
        result = {**work(request), "versions": read_versions()}
        aside = Path(f"{result_path}.part")
        aside.write_text(json.dumps(result))
        aside.replace(result_path)
    except Exception as error:  # whatever a runtime raises: the caller reads one line, and knows the file
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    return 0


def run_mode(request: dict[str, Any]) -> dict[str, Any]:
    """Run the artifact in the request's mode."""
    mode, load = MODES[request["mode"]], FORMATS[request["format"]]
    if request["runs"] < 1 or request["threads"] < 1:
        raise ValueError(f"runs and threads must be 1 or more, got {request['runs']} and {request['threads']}")
    return mode(request, load(request["config"]))


def main(argv: list[str]) -> int:
    """Answer a request for one artifact; returns the exit code."""
    return answer(argv, run_mode)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
