"""Profile one .tflite file operation by operation, through LiteRT's C library, in this process.

``python litert_layers.py REQUEST.json RESULT.json``, with runner.py's request and its result for the mode ``layers``.
LiteRT's Python package has no profiler of operations, but ``libLiteRt.so`` in it exports the C interface of
litert/c/litert_compiled_model.h and litert_profiler.h. Its summary is read as text, since the events' layout in memory
is C++'s and changes between versions. The graph runs as a CompiledModel on XNNPACK, as the Interpreter's does.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path
from typing import Any

CPU = 1  # kLiteRtHwAcceleratorCpu
AUTO_REGISTER, INTEGER = 24, 2  # kLiteRtEnvOptionTagAutoRegisterAccelerators, kLiteRtAnyTypeInt
WRITE = 1  # kLiteRtTensorBufferLockModeWrite
ROW = re.compile(
    r"\s*(?P<kind>\S.*?)\s+[\d.]+\s+[\d.]+\s+(?P<ms>[\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+\s+\d+"
    r"\s+\[(?P<group>\w+)\]:(?P<index>\d+)"
)
"""A row of the summary: node type, start, first, average ms, share, cumulated share, memory, times called, name."""


class Option(ctypes.Structure):
    """The C struct LiteRtEnvOption: a tag, and a LiteRtAny that holds an integer; ABI-stable, says the header."""

    _fields_ = (("tag", ctypes.c_int), ("kind", ctypes.c_int64), ("value", ctypes.c_int64))


class LiteRt:
    """The C functions of LiteRT; a status other than 0 raises RuntimeError."""

    def __init__(self) -> None:
        import ai_edge_litert

        self._library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / "libLiteRt.so"))

    def __call__(self, name: str, *arguments: Any) -> None:
        """Call ``name``."""
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise RuntimeError(f"{name} returned status {status}")

    def create(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call ``name`` and return the handle that it writes to its last argument."""
        handle = ctypes.c_void_p()
        self(name, *arguments, ctypes.byref(handle))
        return handle


class ProfiledModel:
    """A compiled model with a profiler; nothing is freed, as the process ends after it.

    Args:
        path: The ``.tflite`` file.
        threads: Threads of XNNPACK.
    """

    def __init__(self, path: str, threads: int) -> None:
        self._c = c = LiteRt()
        option = Option(AUTO_REGISTER, INTEGER, CPU)
        environment = c.create("LiteRtCreateEnvironment", 1, ctypes.byref(option))
        self._model = c.create("LiteRtCreateModelFromFile", environment, path.encode())
        options = c.create("LiteRtCreateOptions")
        c("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        self._kept: list[Any] = []  # LiteRT keeps pointers to these
        self._add_option(options, "xnnpack", f"num_threads = {threads}\n")
        self._add_option(options, "runtime_options_string", "enable_profiling = true\n")
        self._compiled = c.create("LiteRtCreateCompiledModel", environment, self._model, options)
        self._inputs, self._outputs = (
            self._create_buffers(environment, "Input"),
            self._create_buffers(environment, "Output"),
        )
        self._profiler = c.create("LiteRtCompiledModelGetProfiler", self._compiled)

    def _add_option(self, options: ctypes.c_void_p, name: str, toml: str) -> None:
        text, free = ctypes.create_string_buffer(toml.encode()), ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        self._kept += [text, free]
        opaque = self._c.create("LiteRtCreateOpaqueOptions", name.encode(), text, free)
        self._c("LiteRtAddOpaqueOptions", options, opaque)

    def _create_buffers(self, environment: ctypes.c_void_p, side: str) -> list[ctypes.c_void_p]:
        c, index, count = self._c, ctypes.c_size_t(), ctypes.c_size_t()
        c("LiteRtGetMainModelSubgraphIndex", self._model, ctypes.byref(index))
        graph = c.create("LiteRtGetModelSubgraph", self._model, index)
        c(f"LiteRtGetNumSubgraph{side}s", graph, ctypes.byref(count))
        buffers = []
        for i in map(ctypes.c_size_t, range(count.value)):
            kind = ctypes.create_string_buffer(256)  # a LiteRtRankedTensorType, which is smaller
            c("LiteRtGetRankedTensorType", c.create(f"LiteRtGetSubgraph{side}", graph, i), kind)
            needs = c.create(f"LiteRtGetCompiledModel{side}BufferRequirements", self._compiled, ctypes.c_size_t(0), i)
            buffers.append(c.create("LiteRtCreateManagedTensorBufferFromRequirements", environment, kind, needs))
        return buffers

    def feed(self, picture: bytes) -> None:
        """Copy ``picture`` to the first input."""
        size = ctypes.c_size_t()
        self._c("LiteRtGetTensorBufferPackedSize", self._inputs[0], ctypes.byref(size))
        if size.value != len(picture):
            raise ValueError(f"the input has {len(picture)} bytes, the artifact takes {size.value}")
        address = ctypes.c_void_p()
        self._c("LiteRtLockTensorBuffer", self._inputs[0], ctypes.byref(address), WRITE)
        ctypes.memmove(address, picture, len(picture))
        self._c("LiteRtUnlockTensorBuffer", self._inputs[0])

    def run(self) -> str:
        """Run once and return the profiler's summary of it."""
        c, ins, outs = self._c, self._inputs, self._outputs
        c("LiteRtResetProfiler", self._profiler)
        c("LiteRtStartProfiler", self._profiler)
        c("LiteRtRunCompiledModel", self._compiled, ctypes.c_size_t(0), *_make_array(ins), *_make_array(outs))
        c("LiteRtStopProfiler", self._profiler)
        text = c.create("LiteRtGetProfileSummary", self._profiler, self._compiled)
        return ctypes.string_at(text.value or 0).decode()


def _make_array(handles: list[ctypes.c_void_p]) -> tuple[ctypes.c_size_t, Any]:
    return ctypes.c_size_t(len(handles)), (ctypes.c_void_p * len(handles))(*handles)


def parse_rows(summary: str) -> list[tuple[str, str, float]]:
    """Return name, kind and seconds of each operation of one run, in the order in which they ran.

    Raises:
        ValueError: There are none, or the profiler's memory was too small for all and it forgot the first ones.
    """
    found: list[tuple[str, str, float]] = []
    part, following = 0, 0
    section = summary.partition("Run Order")[2].partition("=====\n")[2].partition("\n\n")[0]
    for match in filter(None, map(ROW.match, section.splitlines())):
        group, index = match["group"], int(match["index"])
        if group == "Delegate":
            if index not in (0, following):
                raise ValueError(f"the profiler lost operations: expected [Delegate]:{following}, got {index}")
            part, following = part + (index == 0), index + 1
            group = "Delegate" if part == 1 else f"Delegate{part}"  # each part of the graph counts from 0
        found.append((f"{group}:{index}", match["kind"].removeprefix("Delegate/"), float(match["ms"]) / 1e3))
    if not found:
        raise ValueError("the profiler's summary has no operations")
    return found


def profile(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each operation's mean over ``runs`` inferences after the first and the warm-up."""
    if Path(request["path"]).read_bytes()[4:8] != b"TFL3":  # LiteRT itself can crash on other bytes
        raise ValueError(f"not a TFLite flatbuffer: {request['path']}")
    model = ProfiledModel(request["path"], request["threads"])
    if request.get("input") is not None:
        import numpy as np

        model.feed(np.load(request["input"])[0].tobytes())
    for _ in range(1 + request["warmup_runs"]):
        model.run()
    runs = [parse_rows(model.run()) for _ in range(request["runs"])]
    return [
        {"name": name, "kind": kind, "seconds": sum(run[i][2] for run in runs) / len(runs)}
        for i, (name, kind, _) in enumerate(runs[0])
    ]


def main(argv: list[str]) -> int:
    """Do what the request says; 1, and one line on standard error, when something is wrong."""
    try:
        request_path, result_path = argv
        aside = Path(f"{result_path}.part")
        aside.write_text(json.dumps({"layers": profile(json.loads(Path(request_path).read_text())), "versions": {}}))
        aside.replace(result_path)
    except Exception as error:  # another version's C interface may lack any of the functions
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
