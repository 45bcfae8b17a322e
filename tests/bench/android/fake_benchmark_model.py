"""Stand in for LiteRT's benchmark_model: the same flags and files, and what ``SAY/benchmark_model.json`` says it took.

``fake_benchmark_model.py SAY --graph=FILE …``. The result is written byte by byte, not with the reader's library. With
``--output_filepath`` the graph is really run. ``"litert": true`` stands in for benchmark_litert_model.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from pathlib import Path


def tag(number: int, wire: int) -> bytes:
    return bytes([number << 3 | wire])


def real(number: int, value: float) -> bytes:
    return tag(number, 5) + struct.pack("<f", value)


def whole(number: int, value: int) -> bytes:
    out = tag(number, 0)
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def nested(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return tag(number, 2) + bytes([len(data)]) + data


def result(
    microseconds: list[int],
    *,
    load: int = 1500,
    first: int = 9000,
    warmups: int = 99,
    peak: float = 0.0,
    median: bool = True,
    count: int | None = None,
) -> bytes:
    """Serialise a BenchmarkResult by the field numbers of benchmark_result.proto."""
    ordered = sorted(microseconds)
    mean = sum(ordered) / len(ordered)
    latency = real(1, mean / 1000) + real(2, ordered[0] / 1000) + real(3, ordered[-1] / 1000) + real(4, 0.0)
    if median:
        latency += real(5, ordered[len(ordered) * 50 // 100] / 1000)
    latency += real(6, ordered[0] / 1000) + real(7, ordered[-1] / 1000) + real(8, load / 1000) + real(9, first / 1000)
    memory = whole(1, 4000) + whole(2, 9000) + (real(3, peak) if peak else b"")
    misc = real(1, 16.9) + whole(2, len(ordered) if count is None else count) + whole(3, warmups) + real(4, 10.0)
    return nested(2, latency) + nested(3, memory) + nested(4, misc)


def infer(flags: dict[str, str]) -> bytes:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=flags["graph"], num_threads=1)
    interpreter.allocate_tensors()
    shape = [int(n) for n in flags["input_layer_shape"].split(",")]
    name, file = flags["input_layer_value_files"].split(":")
    assert name == flags["input_layer"]
    given = interpreter.get_input_details()[0]
    interpreter.set_tensor(given["index"], np.frombuffer(Path(file).read_bytes(), given["dtype"]).reshape(shape))
    interpreter.invoke()
    return b"".join(interpreter.get_tensor(one["index"]).tobytes() for one in interpreter.get_output_details())


def main(say: Path, words: list[str]) -> int:
    script = say / "benchmark_model.json"
    told = json.loads(script.read_text()) if script.exists() else {}
    flags = dict(word.removeprefix("--").split("=", 1) for word in words)
    with (say / "benchmark_model.log").open("a") as log:
        log.write(json.dumps(flags) + "\n")
    calls = len((say / "benchmark_model.log").read_text().splitlines())
    if not Path(flags["graph"]).exists():
        print("ERROR: Failed to load model", file=sys.stderr)
        return 1
    time.sleep(told.get("sleep", 0))
    if told.get("write", True):
        took = told.get("microseconds", [6000, 6100, 6500])
        runs = [n + calls for n in (took * 99)[: int(flags["num_runs"])]]
        if "result_file_path" in flags:
            peak = 61.25 if flags.get("report_peak_memory_footprint") == "true" else 0.0
            Path(flags["result_file_path"]).write_bytes(result(runs, peak=peak, count=told.get("count")))
        if flags.get("enable_op_profiling") == "true" and not told.get("litert"):
            table = Path(__file__).parent / "recorded" / "profile.csv"
            Path(flags["op_profiling_output_file"]).write_bytes(table.read_bytes())
        if "output_filepath" in flags and not told.get("litert"):
            Path(flags["output_filepath"]).write_bytes(infer(flags))
    print("INFO: done", file=sys.stderr)
    return int(told.get("exit", 0))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
