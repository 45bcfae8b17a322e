from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.artifact import TensorSpec
from imageqx_export.bench.android.abi import read_abi
from imageqx_export.bench.android.benchmark_model import (
    build_memory_flags,
    build_output_flags,
    build_profile_flags,
    build_timing_flags,
    parse_profile,
    parse_result,
    split_outputs,
)
from imageqx_export.bench.model import QUICK, Schedule
from imageqx_export.errors import DeviceError, MeasurementError
from tests.bench.android.fake_benchmark_model import nested, real, result, whole

PROFILE = (Path(__file__).parent / "recorded" / "profile.csv").read_text()


@settings(deadline=None)  # the first call imports protobuf
@given(st.lists(st.integers(1, 8_000_000), min_size=3, max_size=3), st.booleans())
def test_three_runs_come_back_to_the_microsecond(microseconds: list[int], median: bool) -> None:
    """The file has floats of milliseconds, and tools of before 2024 write no median."""
    found = parse_result(result(microseconds, median=median), "x")
    # Without a median the third run is a difference, with the rounding of all three.
    exact = [n / 1e6 for n in sorted(microseconds)]
    assert found.seconds == pytest.approx(exact, rel=0 if median else 1e-6, abs=0.6e-6 if median else 3e-6)
    if median:
        assert [round(s * 1e6) for s in found.seconds] == sorted(microseconds)


def test_load_first_and_memory_are_read() -> None:
    found = parse_result(result([6000, 6100, 6500], load=1234, first=9876, peak=61.25), "x")
    assert (found.load_seconds, found.first_seconds) == (0.001234, 0.009876)
    assert found.peak_memory_bytes == 61 * 2**20 + 2**18
    assert parse_result(result([6000, 6100, 6500]), "x").peak_memory_bytes is None


def test_two_runs_and_one_are_whole_too() -> None:
    assert parse_result(result([5, 3]), "x", runs=2).seconds == (3e-6, 5e-6)
    assert parse_result(result([5]), "x", runs=1).seconds == (5e-6,)


def test_fields_that_are_new_do_not_disturb() -> None:
    data = result([6000, 6100, 6500]) + nested(15, real(1, 3.0)) + whole(14, 3_000_000)
    assert parse_result(data, "x").seconds == (0.006, 0.0061, 0.0065)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (result([6000, 6100, 6500, 6600]), "as often as it was told"),
        (result([6000, 6100]), "as often as it was told"),
        (result([6000, 6100, 6500], warmups=3), "as often as it was told"),
        (result([6000, 6100, 6500, 7000], count=3), "contradict"),
        (result([0, 6100, 6500]), "contradict"),
        (result([6000, 6100, 6500], peak=float("nan"), warmups=10), "cannot be"),
        (result([6000, 6100, 6500], peak=float("inf"), warmups=10), "peak_mem_mb inf"),
        (result([6000, 6100, 6500], load=float("nan"), warmups=10), "init_ms nan"),  # type: ignore[arg-type]
        (result([6000, 6100, 6500], first=float("inf"), warmups=10), "first_inference_ms inf"),  # type: ignore[arg-type]
        (result([6000, 6100, 6500], load=-1500, warmups=10), "init_ms -1.5"),
        (result([6000, float("nan"), 6500], warmups=10), "nan"),  # type: ignore[list-item]
        (b"", "as often as it was told"),
        (b"\xff\xff\xff", "cannot be read"),
        (b"STARTING!\nLog parameter values verbosely: [0]\n", "cannot be read"),
        (result([6000, 6100, 6500])[:-3], "cannot be read"),
    ],
)
def test_other_results_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(MeasurementError, match=what) as caught:
        parse_result(data, "adb:0123: a.tflite", warmup_runs=10)
    assert caught.value.where == "adb:0123: a.tflite"


def test_a_median_that_is_not_the_third_run_is_refused() -> None:
    latency = real(1, 6.2) + real(2, 6.0) + real(3, 6.5) + real(5, 6.4) + real(8, 1.0) + real(9, 9.0)
    data = nested(2, latency) + nested(4, whole(2, 3) + whole(3, 10))
    with pytest.raises(MeasurementError, match="contradict"):
        parse_result(data, "x")


def test_the_profile_has_each_operation_of_a_run_in_order() -> None:
    assert [(one.name, one.kind, round(one.seconds * 1e9)) for one in parse_profile(PROFILE, "x")] == [
        ("Delegate/Convolution (NHWC, F32) IGEMM:0", "Convolution (NHWC, F32) IGEMM", 278_400),
        ("Delegate/Convolution (NHWC, F32) DWConv:1", "Convolution (NHWC, F32) DWConv", 13 * 51_000),
        ("Delegate/Copy (NC, X32):2", "Copy (NC, X32)", 0),
        ("[a/conv/Conv2D;a/bn/FusedBatchNormV3, b]:7", "CONV_2D", 93_039),
    ]


def test_the_profile_of_older_tools_has_one_column_more() -> None:
    text = (
        "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
        "============================== Run Order ==============================\n"
        "node type, start, first, avg_ms, %, cdf%, mem KB, times called, name\n"
        "CONV_2D, 0, 0.11, 0.0930388, 44.8994%, 44.8994%, 0, 1, [s/conv2d_33/Conv2D]:0\n"
        "ELU, 0.0931277, 0.034, 0.0300884, 14.5203%, 59.4197%, 0, 1, [s/conv2d_33/Elu]:1\n"
        "\n=== Top\nnode type, start, first, avg_ms, %, cdf%, mem KB, times called, name\nX, 0, 0, 9, 9%, 9%, 0, 1, y\n"
    )
    found = parse_profile(text, "x")
    assert [(one.name, one.kind, round(one.seconds * 1e9)) for one in found] == [
        ("[s/conv2d_33/Conv2D]:0", "CONV_2D", 93039),
        ("[s/conv2d_33/Elu]:1", "ELU", 30088),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "STARTING!\n",
        PROFILE[: PROFILE.index("Operator-wise")],
        PROFILE.replace("0.267, 0.2784", "0.267, many"),
        PROFILE.replace("node type", "node"),
        PROFILE.replace("0.267, 0.2784", "0.267, nan"),
        PROFILE.replace("0.267, 0.2784", f"0.267, {'9' * 400}"),
    ],
)
def test_other_profiles_are_refused(text: str) -> None:
    with pytest.raises(MeasurementError, match="profile"):
        parse_profile(text, "x")


def flags_of(words: list[str]) -> dict[str, str]:
    return dict(word.removeprefix("--").split("=", 1) for word in words)


@pytest.mark.parametrize("schedule", [Schedule(), QUICK, Schedule(warmup_runs=0, warmup_seconds=0, threads=4)])
def test_a_timed_process_does_just_three_runs_after_the_warm_up(schedule: Schedule) -> None:
    flags = flags_of(build_timing_flags(schedule))
    assert flags["num_runs"] == "3"
    assert float(flags["min_secs"]) == 0  # or it would go on for a second, and the single runs be lost
    assert int(flags["warmup_runs"]) == max(1, schedule.warmup_runs)
    assert float(flags["warmup_min_secs"]) == schedule.warmup_seconds
    assert flags["num_threads"] == str(schedule.threads)
    assert not {"use_xnnpack", "use_gpu", "use_nnapi"} & set(flags)
    assert "report_peak_memory_footprint" not in flags  # it would disturb the timing
    assert flags_of(build_memory_flags(schedule))["report_peak_memory_footprint"] == "true"


def test_a_profile_is_asked_for_in_the_words_of_old_tools_and_new() -> None:
    flags = flags_of(build_profile_flags(Schedule()))
    assert flags["op_profiling_output_mode"] == "csv"
    assert flags["op_profiling_output_file"] == flags["profiling_output_csv_file"]


def test_an_input_is_given_by_file() -> None:
    flags = flags_of(build_output_flags("image", (1, 224, 224, 3)))
    assert flags["input_layer_shape"] == "1,224,224,3"
    assert flags["input_layer_value_files"] == "image:input.bin"
    assert flags["num_runs"] == "1"


def test_outputs_are_cut_in_the_files_order() -> None:
    order = [
        TensorSpec(name="b", shape=(1, 2), dtype="float32"),
        TensorSpec(name="a", shape=(1, 2, 1, 2), dtype="float32"),
    ]
    found = split_outputs(struct.pack("<6f", 1, 2, 3, 4, 5, 6), order, "x")
    assert {name: (value.shape, value.ravel().tolist()) for name, value in found.items()} == {
        "b": ((1, 2), [1, 2]),
        "a": ((1, 2, 1, 2), [3, 4, 5, 6]),
    }
    assert all(value.dtype == np.float32 for value in found.values())
    with pytest.raises(MeasurementError, match="other outputs"):
        split_outputs(bytes(20), order, "x")


@pytest.mark.parametrize(("machine", "abi"), [(183, "arm64-v8a"), (40, "armeabi-v7a"), (62, "x86_64"), (3, "x86")])
def test_the_program_says_what_it_is_for(tmp_path: Path, machine: int, abi: str) -> None:
    path = tmp_path / "benchmark_model"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(100))
    assert read_abi(path) == abi


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\nexit 0\n" + bytes(20), b"\x7fELF" + bytes(40)])
def test_what_is_not_a_program_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "benchmark_model"
    path.write_bytes(data)
    with pytest.raises(DeviceError, match="not a program for a phone"):
        read_abi(path)
    with pytest.raises(DeviceError, match="cannot be read"):
        read_abi(tmp_path / "nothing")
