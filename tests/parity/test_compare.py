"""Parity must pass what is right and fail everything that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cosine

from imageqx_export.artifact import Precision
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.parity.compare import TOLERANCES, OutputParity, ParityReport, Tolerance, compare_outputs

SPEC = spec()
FP32 = TOLERANCES[Precision.FP32]
Outputs = dict[str, NDArray[np.float32]]


def outputs(seed: int = 0, count: int = 64) -> Outputs:
    rng = np.random.default_rng(seed)
    return {
        "quality": rng.dirichlet(np.full(4, 0.3), count).astype(np.float32),
        "explanations": rng.beta(0.3, 0.3, (count, 5)).astype(np.float32),
        "attention": rng.gamma(1, 0.1, (count, 5, 7, 7)).astype(np.float32),
    }


def compare(got: Outputs, tolerance: Tolerance = FP32) -> dict[str, OutputParity]:
    return {row.output: row for row in compare_outputs(SPEC, outputs(), got, tolerance)}


def test_tolerances_are_the_published_ones() -> None:
    assert Tolerance(max_abs=1e-4, agreement=1.0, margin=1e-3) == TOLERANCES[Precision.FP32]
    assert Tolerance(max_abs=5e-3, agreement=0.995, margin=0.0) == TOLERANCES[Precision.FP16]
    assert TOLERANCES[Precision.W8] == TOLERANCES[Precision.W8A8] == Tolerance(max_abs=1e-2, agreement=0.999, margin=0)
    assert set(TOLERANCES) == set(Precision)


def test_without_a_tolerance_it_is_measured_and_not_judged() -> None:
    got = outputs()
    got["explanations"] = 1 - got["explanations"]
    row = compare_outputs(SPEC, outputs(), got, None)[1]
    assert row.problems == () and row.differing > 0
    assert row.max_abs == pytest.approx(np.abs(2 * outputs()["explanations"] - 1).max(), abs=1e-6)
    got["explanations"][0] = np.nan
    assert compare_outputs(SPEC, outputs(), got, None)[1].problems


def test_equal_outputs_pass_exactly() -> None:
    for row in compare(outputs()).values():
        assert row.problems == ()
        assert (row.max_abs, row.mean_abs, row.sqnr_db, row.differing) == (0, 0, None, 0)
        assert row.cosine == pytest.approx(1)


def test_the_figures_are_scipys_and_numpys() -> None:
    got = outputs()
    got["attention"] = got["attention"] + np.random.default_rng(1).normal(0, 1e-3, got["attention"].shape).astype(
        np.float32
    )
    row, x, y = compare(got)["attention"], outputs()["attention"].ravel(), got["attention"].ravel()
    assert row.cosine == pytest.approx(1 - cosine(x.astype(float), y.astype(float)), abs=1e-12)
    assert row.max_abs == pytest.approx(np.abs(x - y).max())
    assert row.mean_abs == pytest.approx(np.abs(x - y).mean(dtype=float))
    assert row.sqnr_db == pytest.approx(20 * np.log10(np.linalg.norm(x) / np.linalg.norm(x - y)), abs=1e-3)


@pytest.mark.parametrize("name", ["quality", "explanations", "attention"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 7, np.nan, v), "1 of"),
        (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 7, np.inf, v), "NaN or infinite"),
        (lambda v: v[..., :-1], "shape is"),
        (lambda v: v[:-1], "shape is"),
        (lambda v: v + np.float32(2e-4), "max |Δ|"),
        (lambda v: v[::-1], "max |Δ|"),
    ],
)
def test_damage_to_one_output_fails_that_output_alone(name: str, damage: Any, words: str) -> None:
    got = outputs()
    got[name] = damage(got[name]).astype(np.float32)
    for output, row in compare(got).items():
        assert bool(row.problems) == (output == name)
    assert words in compare(got)[name].problems[0]
    assert "try:" in compare(got)[name].problems[0]


def test_a_missing_output_fails() -> None:
    got = outputs()
    del got["attention"]
    assert "missing" in compare(got)["attention"].problems[0]


def test_swapped_columns_fail_by_decisions_even_within_a_wide_tolerance() -> None:
    got = outputs()
    got["quality"] = got["quality"][:, [1, 0, 2, 3]]
    row = compare(got, Tolerance(max_abs=10, agreement=0.995, margin=0))["quality"]
    assert "decisions differ" in row.problems[0]
    assert row.differing == int((outputs()["quality"].argmax(1) != got["quality"].argmax(1)).sum())


def test_a_tie_is_excused_within_the_margin_and_only_there() -> None:
    def close_call(gap: float) -> OutputParity:
        want, got = outputs(), outputs()
        want["quality"][3] = [0.5 + gap / 2, 0.5 - gap / 2, 0, 0]
        got["quality"][3] = [0.5 - gap / 2, 0.5 + gap / 2, 0, 0]
        tolerance = Tolerance(max_abs=1, agreement=1, margin=1e-3)
        return compare_outputs(SPEC, want, got, tolerance)[0]

    near, far = close_call(5e-4), close_call(2e-3)
    assert (near.differing, near.excused, near.problems) == (0, 1, ())
    assert (far.differing, far.excused) == (1, 0)
    assert far.problems


def test_poor_quality_is_decided_at_its_own_threshold() -> None:
    own = SPEC.model_copy(update={"poor_quality_threshold": 0.3})
    want, got = outputs(), outputs()
    want["quality"][:], got["quality"][:] = [0.6, 0.11, 0, 0.29], [0.6, 0.09, 0, 0.31]
    loose = Tolerance(max_abs=1, agreement=1, margin=0)
    assert compare_outputs(own, want, got, loose)[0].differing == 64
    assert compare_outputs(SPEC, want, got, loose)[0].differing == 0


@pytest.mark.parametrize(
    ("want", "got", "excused"),
    [
        ([0.6, 0.1, 0, 0.2995], [0.6, 0.1, 0, 0.3], True),  # near the threshold
        ([0.6, 0.1, 0, 0.3005], [0.6, 0.1, 0, 0.2995], True),
        ([0.6, 0.1, 0, 0.297], [0.6, 0.1, 0, 0.3], False),
        ([0.4, 0.4, 0, 0.2], [0.35, 0.35, 0, 0.3], False),  # a tie of two others excuses no retake
        ([0.4005, 0.4, 0, 0.1995], [0.4, 0.4005, 0, 0.1995], True),  # a tie of two others
        ([0.404, 0.4, 0, 0.196], [0.4, 0.404, 0, 0.196], False),
        ([0.404, 0.4, 0, 0.2999], [0.4, 0.404, 0, 0.2999], False),  # nearness to the threshold excuses no other label
        ([0.2995, 0.01, 0, 0.2995], [0.01, 0.2995, 0, 0.2995], False),  # the lead over poor quality is no lead here
    ],
)
def test_the_excuse_is_that_of_the_step_that_differs(want: list[float], got: list[float], excused: bool) -> None:
    own = SPEC.model_copy(update={"poor_quality_threshold": 0.3})
    first, second = outputs(), outputs()
    first["quality"][3], second["quality"][3] = want, got
    row = compare_outputs(own, first, second, Tolerance(max_abs=1, agreement=1, margin=1e-3))[0]
    assert (row.excused, row.differing, bool(row.problems)) == ((1, 0, False) if excused else (0, 1, True))


def test_reasons_are_decided_at_their_own_thresholds() -> None:
    own = SPEC.model_copy(update={"thresholds": {**SPEC.thresholds, "blurry": 0.9}})
    want, got = outputs(), outputs()
    want["explanations"][:, 2], got["explanations"][:, 2] = 0.89, 0.91
    loose = Tolerance(max_abs=1, agreement=1, margin=0)
    assert compare_outputs(own, want, got, loose)[1].differing == 64
    assert compare_outputs(SPEC, want, got, loose)[1].differing == 0


@given(st.integers(0, 64))
def test_fp16_tolerates_half_a_percent_of_decisions(flips: int) -> None:
    want, got = outputs(), outputs()
    want["explanations"][:] = 0.499
    got["explanations"][:] = 0.499
    got["explanations"].ravel()[:flips] = 0.501
    row = compare_outputs(SPEC, want, got, TOLERANCES[Precision.FP16])[1]
    assert row.differing == flips
    assert bool(row.problems) == (flips > 0.005 * 320)


def test_a_report_writes_what_was_passed_over_only_where_something_was() -> None:
    """A build that does not know the key reads a default export's report."""
    report = ParityReport(checkpoint_sha256="ab" * 32, images=64, source="generated", artifacts=())
    assert "left_out" not in report.model_dump_json() and "left_out" not in report.model_dump(mode="json")
    assert ParityReport.model_validate_json(report.model_dump_json()) == report
    photos = report.model_copy(update={"source": "photos", "left_out": {"too small": 2}})
    assert ParityReport.model_validate_json(photos.model_dump_json()).left_out == {"too small": 2}
