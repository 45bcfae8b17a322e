"""Drive LiteRT's ``benchmark_model``: its flags, its result file, its profile.

Its result file has no single runs, only the smallest, the largest, the median and the mean of them all. So that the
samples are raw all the same, each process is asked for exactly three timed runs: then those are the smallest, the
median and the largest, each to the microsecond (their order is lost), and many fresh processes give many samples.

Two programs of LiteRT's do: ``benchmark_model`` and the newer ``benchmark_litert_model``, which litert-cli installs on
phones under the name of the other. It has the same result file; profiles and outputs it writes to no file.

Source: LiteRT's tflite/tools/benchmark (benchmark_model.cc, benchmark_tflite_model.cc, proto/benchmark_result.proto),
tflite/profiling/profile_summarizer.cc and litert/tools/benchmark_litert_model.h; and xla/tsl/util/stats_calculator.cc,
which writes the tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from imageqx_export.artifact import Outputs, TensorSpec
from imageqx_export.bench.model import LayerCost, Schedule
from imageqx_export.errors import MeasurementError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.untrusted import describe

RUNS = 3
"""Timed runs of one process: the most whose values the result file still has."""

RESULT, PROFILE, OUTPUTS, INPUT = "result.pb", "profile.csv", "outputs.bin", "input.bin"

_MOST_MS = 1e9
_MOST_MIB = 2**30
_FLOAT, _INT64, _INT32, _STRING, _MESSAGE = 2, 3, 5, 9, 11  # FieldDescriptorProto.Type
_SCHEMA: dict[str, dict[str, tuple[int, int, str]]] = {
    "LatencyMetrics": {
        "avg_ms": (1, _FLOAT, ""),
        "min_ms": (2, _FLOAT, ""),
        "max_ms": (3, _FLOAT, ""),
        "median_ms": (5, _FLOAT, ""),
        "init_ms": (8, _FLOAT, ""),
        "first_inference_ms": (9, _FLOAT, ""),
    },
    "MemoryMetrics": {"peak_mem_mb": (3, _FLOAT, "")},
    "MiscMetrics": {"num_runs": (2, _INT32, ""), "num_warmup_runs": (3, _INT32, "")},
    "BenchmarkResult": {
        "name": (1, _STRING, ""),
        "latency_metrics": (2, _MESSAGE, "LatencyMetrics"),
        "memory_metrics": (3, _MESSAGE, "MemoryMetrics"),
        "misc_metrics": (4, _MESSAGE, "MiscMetrics"),
    },
}


@dataclass(frozen=True)
class ToolResult:
    """The times and memory of one process of benchmark_model.

    Attributes:
        load_seconds: Its "init": the file read, the interpreter built, XNNPACK applied, tensors allocated.
        first_seconds: The first inference.
        seconds: The timed runs, smallest first.
        peak_memory_bytes: Its largest resident memory, where it was asked for.
    """

    load_seconds: float
    first_seconds: float
    seconds: tuple[float, ...]
    peak_memory_bytes: int | None


def build_timing_flags(schedule: Schedule) -> list[str]:
    """Return the flags of a process that is timed.

    Neither ``--use_xnnpack`` nor any delegate is given, so that the kernels are LiteRT's own defaults, as in an app.
    """
    return [
        f"--num_threads={schedule.threads}",
        f"--warmup_runs={max(1, schedule.warmup_runs)}",  # the first of them is the "first inference"
        f"--warmup_min_secs={schedule.warmup_seconds}",
        f"--num_runs={RUNS}",
        "--min_secs=0",
        f"--result_file_path={RESULT}",
    ]


def build_memory_flags(schedule: Schedule) -> list[str]:
    """Return the flags of a process whose memory is watched; it is not timed."""
    watch = ["--report_peak_memory_footprint=true", "--memory_footprint_check_interval_ms=5"]
    return [*build_timing_flags(schedule), *watch]


def build_profile_flags(schedule: Schedule) -> list[str]:
    """Return the flags of a process that profiles single operations, into a table."""
    return [
        f"--num_threads={schedule.threads}",
        f"--warmup_runs={max(1, schedule.warmup_runs)}",
        f"--warmup_min_secs={schedule.warmup_seconds}",
        f"--num_runs={schedule.runs_each}",
        "--min_secs=0",
        "--enable_op_profiling=true",
        "--op_profiling_output_mode=csv",
        f"--op_profiling_output_file={PROFILE}",
        f"--profiling_output_csv_file={PROFILE}",  # the same for tools of before 2024, which know only this
    ]


def build_output_flags(name: str, shape: tuple[int, ...]) -> list[str]:
    """Return the flags of a process that runs one input and writes its outputs.

    Args:
        name: The input's.
        shape: The input's, batch first.
    """
    sizes = ",".join(map(str, shape))
    return [
        "--num_threads=1",
        "--warmup_runs=1",
        "--warmup_min_secs=0",
        "--num_runs=1",
        "--min_secs=0",
        f"--input_layer={name}",
        f"--input_layer_shape={sizes}",
        f"--input_layer_value_files={name}:{INPUT}",
        f"--output_filepath={OUTPUTS}",
    ]


def parse_result(data: bytes, where: str, runs: int = RUNS, warmup_runs: int = 1) -> ToolResult:
    """Parse a ``--result_file_path`` file.

    Args:
        data: A serialised ``tflite.tools.benchmark.BenchmarkResult``.
        where: What ran, for messages.
        runs: How many timed runs it must have; 3 at most, as others are not in the file.
        warmup_runs: How many warm-up runs it must have at least.

    Raises:
        MeasurementError: It is not such a file, has another number of runs, or its numbers contradict one another.
    """
    with translate_errors(
        lambda error: MeasurementError("benchmark_model's result cannot be read", where=where, got=describe(error))
    ):
        result = _load_message_type().FromString(data)
    latency, misc = result.latency_metrics, result.misc_metrics
    if misc.num_runs != runs or misc.num_warmup_runs < warmup_runs:
        raise MeasurementError(
            "benchmark_model did not run as often as it was told",
            where=where,
            expected=f"{runs} runs after {warmup_runs} or more to warm up",
            got=f"{misc.num_runs} after {misc.num_warmup_runs}",
        )
    peak = result.memory_metrics.peak_mem_mb
    _refuse_impossible(latency, peak, where)
    return ToolResult(
        load_seconds=_round_to_microseconds(latency.init_ms),
        first_seconds=_round_to_microseconds(latency.first_inference_ms),
        seconds=_read_single_runs(latency, runs, where),
        peak_memory_bytes=round(peak * 2**20) if peak > 0 else None,  # its MB are MiB: memory_usage_monitor.h
    )


def _refuse_impossible(latency: Any, peak: float, where: str) -> None:
    """Refuse times that are none, and memory that no phone has; where it was not asked for it is negative."""
    times = {name: getattr(latency, name) for name, (_, kind, _) in _SCHEMA["LatencyMetrics"].items() if kind == _FLOAT}
    wrong = [f"{name} {value:g}" for name, value in times.items() if not 0 <= value < _MOST_MS]
    wrong += [] if peak < _MOST_MIB else [f"peak_mem_mb {peak:g}"]
    if wrong:
        raise MeasurementError("benchmark_model's numbers cannot be", where=where, got=", ".join(wrong))


def _read_single_runs(latency: Any, runs: int, where: str) -> tuple[float, ...]:
    """Return the single runs: of three, the smallest, the median and the largest are all."""
    smallest, largest, mean = latency.min_ms, latency.max_ms, latency.avg_ms
    rest = runs * mean - smallest - largest  # of three runs, the third
    # Tools of before 2024 wrote no median; then the third run is what the mean leaves.
    middle = latency.median_ms if latency.HasField("median_ms") else rest
    singles = {1: [mean], 2: [smallest, largest], 3: [smallest, middle, largest]}[runs]
    slack = 2e-3 + 1e-6 * runs * mean  # 2 µs for whole microseconds, 1e-6 for floats of 24 bits
    between = all(smallest - slack <= ms <= largest + slack for ms in singles)
    if abs(sum(singles) - runs * mean) > slack or not between or smallest <= 0:
        raise MeasurementError(
            "benchmark_model's numbers contradict one another",
            where=where,
            expected=f"{runs} runs with a mean of {mean:g} ms",
            got=", ".join(f"{ms:g} ms" for ms in singles),
        )
    return tuple(sorted(_round_to_microseconds(ms) for ms in singles))


def _round_to_microseconds(milliseconds: float) -> float:
    return round(milliseconds * 1000) / 1e6  # it measures whole microseconds


@cache
def _load_message_type() -> Any:
    """Return protobuf's class for ``BenchmarkResult``; fields that we do not read are skipped as unknown."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package = "tflite.tools.benchmark"
    file = descriptor_pb2.FileDescriptorProto(name="benchmark_result.proto", package=package, syntax="proto2")
    for message, fields in _SCHEMA.items():
        into = file.message_type.add(name=message)
        for name, (number, kind, other) in fields.items():
            added = into.field.add(name=name, number=number, label=1, type=kind)
            if other:
                added.type_name = f".{package}.{other}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.BenchmarkResult"))


def parse_profile(text: str, where: str) -> tuple[LayerCost, ...]:
    """Parse a profile table in CSV: one LayerCost an operation, in the order they ran.

    Args:
        text: The file: the section of regular runs, its table "Run Order".
        where: What ran, for messages.

    Raises:
        MeasurementError: There is no such table.
    """
    _, found, section = text.partition("Operator-wise Profiling Info for Regular Benchmark Runs:")
    lines = [line.strip() for line in section.split("\n\n", 1)[0].splitlines()]
    starts = [i for i, line in enumerate(lines) if line.startswith("node type,")]
    if not found or not starts:
        raise MeasurementError(
            "benchmark_model's profile cannot be read", where=where, expected="a table of regular runs", got=text[:80]
        )
    columns = [name.strip() for name in lines[starts[0]].split(",")]
    costs = []
    for line in lines[starts[0] + 1 :]:
        # Types of XNNPACK have commas, "Convolution (NHWC, F32) IGEMM"; in names they became tabs: cut from the right.
        row = dict(zip(columns, line.rsplit(", ", len(columns) - 1), strict=False))
        try:
            called, milliseconds, name = int(row["times called"]), float(row["avg_ms"]), row["name"].replace("\t", ",")
            if called:  # what is left of the initialisation was called in no regular run
                costs.append(LayerCost(name=name, kind=row["node type"], seconds=called * milliseconds / 1000))
        except (KeyError, ValueError, OverflowError) as error:
            raise MeasurementError(
                "a line of benchmark_model's profile is not one", where=where, got=line[:200]
            ) from error
    return tuple(costs)


def split_outputs(raw: bytes, signature: Sequence[TensorSpec], where: str) -> Outputs:
    """Cut an ``--output_filepath`` file, where the outputs lie one behind the other, into arrays.

    Args:
        raw: The file.
        signature: The outputs, in the file's own order.
        where: What ran, for messages.

    Returns:
        float32, the batch first, by name.

    Raises:
        MeasurementError: It has another length.
    """
    sizes = [math.prod(output.shape) for output in signature]
    if len(raw) != 4 * sum(sizes):
        raise MeasurementError(
            "benchmark_model wrote other outputs",
            where=where,
            expected=f"{4 * sum(sizes)} bytes of float32",
            got=f"{len(raw)} bytes",
        )
    parts = np.split(np.frombuffer(raw, "<f4").astype(np.float32), np.cumsum(sizes)[:-1])
    return {output.name: part.reshape(output.shape) for output, part in zip(signature, parts, strict=True)}
