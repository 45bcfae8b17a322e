"""Verdicts about sizes, instructions and parity, from runs as a benchmark writes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from imageqx_export.artifact import Precision
from imageqx_export.bench.model import Instructions, Measurement
from imageqx_export.parity.compare import ArtifactParity, OutputParity, ParityReport
from imageqx_export.report.rules.decide import decide, decide_size
from imageqx_export.report.rules.verdicts import Decision, Quantity, Rules, Verdict, exit_code
from imageqx_export.report.sides import Side
from tests.report.fakes import COMMIT, HOST, TOOLS, bench_run, measurement, side, sides

RNG = np.random.default_rng(0)
ONE = measurement(RNG)


def only(before: Side, after: Side, quantity: Quantity, target: str = "host", rules: Rules | None = None) -> Decision:
    found = [d for d in decide(before, after, rules) if d.quantity is quantity and d.target in (target, "files")]
    return found[0] if quantity is Quantity.SIZE else next(d for d in found if d.target == target)


def with_size(size: int) -> Side:
    return side(bench_run(0, [ONE.model_copy(update={"size_bytes": size})]))


@pytest.mark.parametrize(
    ("before", "after", "rules", "verdict", "words"),
    [
        (1000, 1000, Rules(), Verdict.NO_CHANGE, "to the byte"),
        (1000, 1001, Rules(), Verdict.REGRESSION, "+1 bytes; no more are allowed"),
        (1000, 999, Rules(), Verdict.IMPROVED, "−1 bytes"),
        (1000, 1010, Rules(size_growth=10), Verdict.OK, "+10 bytes; 10 more are allowed"),
        (1000, 1011, Rules(size_growth=10), Verdict.REGRESSION, "+11 bytes"),
        (1000, 1000, Rules(size_budgets={"*.tflite": 999}), Verdict.REGRESSION, "1 bytes over its budget of 999"),
        (1000, 1000, Rules(size_budgets={"*.onnx": 1}), Verdict.NO_CHANGE, "to the byte"),
        (2000, 1000, Rules(size_budgets={"*": 999, "*.tflite": 5000}), Verdict.REGRESSION, "over its budget of 999"),
    ],
)
def test_size(before: int, after: int, rules: Rules, verdict: Verdict, words: str) -> None:
    found = only(with_size(before), with_size(after), Quantity.SIZE, rules=rules)
    assert (found.verdict, found.before, found.after) == (verdict, before, after)
    assert words in found.reason


@settings(max_examples=30, deadline=None)
@given(size=st.integers(0, 2**40), growth=st.integers(0, 2**20))
def test_the_same_size_is_never_a_regression_and_one_byte_over_always_is(size: int, growth: int) -> None:
    rules = Rules(size_growth=growth)

    def verdict(after: int) -> Verdict:
        before, current = with_size(size).find(ONE.artifact), with_size(after).find(ONE.artifact)
        return decide_size(ONE.artifact, before, current, rules).verdict

    assert verdict(size) is Verdict.NO_CHANGE
    assert verdict(size + growth + 1) is Verdict.REGRESSION


def test_an_artifact_that_only_one_side_has_is_undecided() -> None:
    tflite, onnx = ONE, measurement(RNG, "imageqx_fp32.onnx")
    both, one = side(bench_run(0, [tflite, onnx])), side(bench_run(1, [tflite]))
    for before, after, words in ((one, both, "not in the baseline"), (both, one, "the current runs have not")):
        found = [d for d in decide(before, after) if d.artifact == onnx.artifact]
        size = next(d for d in found if d.quantity is Quantity.SIZE)
        assert (size.verdict, words in size.reason) == (Verdict.INSUFFICIENT, True)
        assert {d.verdict for d in found if d.quantity is not Quantity.PARITY} == {Verdict.INSUFFICIENT}


def test_runs_of_several_files_have_no_size() -> None:
    mixed = side(bench_run(0, [ONE]), bench_run(1, [ONE.model_copy(update={"size_bytes": 7})]))
    found = only(with_size(7), mixed, Quantity.SIZE)
    assert found.verdict is Verdict.INSUFFICIENT
    assert "several files, of 16,242,081, 7 bytes" in found.reason


def counted(count: float, *repeats: float, source: str = "qemu-insn") -> Measurement:
    value = Instructions(count=count, repeats=repeats or (count,), source=source)
    return ONE.model_copy(update={"instructions": value, "samples": ()})


@pytest.mark.parametrize(
    ("after", "verdict", "words"),
    [
        (counted(1000.0), Verdict.NO_CHANGE, "+0.00 %, within ±0.5 %"),
        (counted(1004.9), Verdict.NO_CHANGE, "+0.49 %"),
        (counted(1005.1), Verdict.REGRESSION, "+0.51 %, beyond"),
        (counted(994.0), Verdict.IMPROVED, "−0.60 %"),
        (counted(1100.0, 1100.0, 1107.0), Verdict.INSUFFICIENT, "repeated counts differ by 0.64 %"),
        (counted(1100.0, source="perf"), Verdict.INSUFFICIENT, "perf, qemu-insn"),
        (
            ONE.model_copy(update={"instructions": None, "unavailable": "no counter"}),
            Verdict.INSUFFICIENT,
            "no counter",
        ),
    ],
)
def test_instructions(after: Measurement, verdict: Verdict, words: str) -> None:
    target = "emulated:cortex-a76"
    old, new = (side(bench_run(k, [m], target=target)) for k, m in enumerate((counted(1000.0), after)))
    found = only(old, new, Quantity.INSTRUCTIONS, target)
    assert (found.verdict, words in found.reason) == (verdict, True), found.reason


def test_a_count_does_not_depend_on_cores_or_kernel_and_does_on_the_machine_and_its_tools() -> None:
    def run(**changes: object) -> Side:
        machine = HOST.model_copy(update={k: v for k, v in changes.items() if k in ("cores", "system", "name")})
        tools = {**TOOLS, **({"qemu": str(changes["qemu"])} if "qemu" in changes else {"qemu": "10.0"})}
        return side(bench_run(0, [counted(1000.0)], machine=machine, tools=tools))

    assert only(run(), run(cores=8, system="Linux 7"), Quantity.INSTRUCTIONS).verdict is Verdict.NO_CHANGE
    other = only(run(), run(name="Intel Xeon"), Quantity.INSTRUCTIONS)
    assert (other.verdict, other.reason) == (
        Verdict.INSUFFICIENT,
        "another machine: AMD EPYC 7763, x86_64 → Intel Xeon, x86_64",
    )
    newer = only(run(), run(qemu="10.1"), Quantity.INSTRUCTIONS)
    assert (newer.verdict, newer.reason) == (Verdict.INSUFFICIENT, "other tool versions: qemu 10.0 → 10.1")


def test_the_same_bytes_are_said_to_be_the_same() -> None:
    before, after = sides(slow=1.10)
    same = side(
        *(
            run.model_copy(
                update={
                    "measurements": (
                        run.measurements[0].model_copy(update={"sha256": before.runs[0].measurements[0].sha256}),
                    )
                }
            )
            for run in after.runs
        )
    )
    found = only(before, same, Quantity.LATENCY)
    assert found.verdict is Verdict.REGRESSION
    assert found.reason.endswith("the files are the same to the byte")


def test_unavailable_is_no_pass() -> None:
    gone = ONE.model_copy(update={"samples": (), "instructions": None, "max_error": None, "unavailable": "needs macOS"})
    old, new = side(bench_run(0, [gone])), side(bench_run(1, [gone]))
    found = [d for d in decide(old, new) if d.quantity is not Quantity.SIZE]
    assert {d.verdict for d in found} == {Verdict.UNAVAILABLE}
    assert any("needs macOS" in d.reason for d in found)
    assert exit_code(found) == 2
    broken = [d for d in decide(side(bench_run(0, [ONE])), new) if d.quantity is Quantity.LATENCY]
    assert (broken[0].verdict, "needs macOS" in broken[0].reason) == (Verdict.INSUFFICIENT, True)


@pytest.mark.parametrize(
    ("error", "precision", "verdict"),
    [
        (9e-5, Precision.FP32, Verdict.OK),
        (1.1e-4, Precision.FP32, Verdict.REGRESSION),
        (1.1e-4, Precision.FP16, Verdict.OK),
        (6e-3, Precision.FP16, Verdict.REGRESSION),
        (float("nan"), Precision.FP32, Verdict.REGRESSION),
        (float("inf"), Precision.FP32, Verdict.REGRESSION),
        (None, Precision.FP32, Verdict.UNAVAILABLE),
        (9e-3, Precision.W8A8, Verdict.OK),
        (1.1e-2, Precision.W8, Verdict.REGRESSION),
        (float("nan"), Precision.W8, Verdict.REGRESSION),
    ],
)
def test_parity_on_the_target(error: float | None, precision: Precision, verdict: Verdict) -> None:
    one = side(bench_run(0, [ONE.model_copy(update={"max_error": error, "precision": precision})]))
    assert only(one, one, Quantity.PARITY).verdict is verdict


def test_parity_of_the_files() -> None:
    good = OutputParity(
        output="quality",
        max_abs=1e-6,
        mean_abs=1e-7,
        cosine=1.0,
        sqnr_db=None,
        decisions=64,
        differing=0,
        excused=0,
        problems=(),
    )
    bad = good.model_copy(update={"max_abs": float("inf"), "problems": ("3 of 4 values are NaN",)})
    report = ParityReport(
        checkpoint_sha256="0" * 64,
        images=64,
        source="generated",
        artifacts=(
            ArtifactParity(path="a.onnx", precision=Precision.FP32, outputs=(good,)),
            ArtifactParity(path="b.onnx", precision=Precision.FP32, outputs=(good, bad)),
            ArtifactParity(path="c.onnx", precision=Precision.FP32, outputs=()),
        ),
    )
    one = side(bench_run(0, [ONE]))
    found = {
        d.artifact: d for d in decide(one, one, parity=report) if d.target == "files" and d.quantity is Quantity.PARITY
    }
    assert [found[name].verdict for name in ("a.onnx", "b.onnx", "c.onnx")] == [
        Verdict.OK,
        Verdict.REGRESSION,
        Verdict.REGRESSION,
    ]
    assert found["b.onnx"].reason == "3 of 4 values are NaN"
    assert found["b.onnx"].after is None


def test_a_target_that_was_not_measured_again_is_undecided() -> None:
    phone = bench_run(1, [ONE], target="adb:1")
    before, after = side(bench_run(0, [ONE]), phone), side(bench_run(2, [ONE]))
    found = [d for d in decide(before, after) if d.target == "adb:1" and d.quantity is not Quantity.PARITY]
    assert {d.verdict for d in found} == {Verdict.INSUFFICIENT}


def test_exit_codes() -> None:
    def of(*verdicts: Verdict) -> int:
        return exit_code(
            Decision(artifact="a", target="host", quantity=Quantity.SIZE, verdict=v, reason="") for v in verdicts
        )

    assert of(Verdict.OK, Verdict.NO_CHANGE, Verdict.IMPROVED, Verdict.UNAVAILABLE) == 0
    assert of(Verdict.OK, Verdict.INSUFFICIENT) == of(Verdict.OK, Verdict.SUSPICIOUS) == 2
    assert of(Verdict.REGRESSION, Verdict.INSUFFICIENT, Verdict.OK) == 1
    assert of() == of(Verdict.UNAVAILABLE) == 2


def test_commits_are_shown_as_they_are() -> None:
    assert side(bench_run(0, [ONE])).commits == (COMMIT,)


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf"), 0.5])
def test_a_budget_is_a_whole_number_of_bytes(limit: float) -> None:
    with pytest.raises(ValidationError, match="size_budgets"):
        Rules(size_budgets={"*.onnx": limit})  # type: ignore[dict-item]
    assert Rules(size_budgets={"*.onnx": 0}).size_budgets == {"*.onnx": 0}
