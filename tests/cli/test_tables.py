"""Tables in terminals of every width: names are whole, and nothing is left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.measure import Measurement

from imageqx_export.artifact import Precision
from imageqx_export.cli.show import artifacts, report
from imageqx_export.cli.show.console import out
from imageqx_export.cli.show.tables import Table, fit
from imageqx_export.parity.compare import ArtifactParity, OutputParity, ParityReport
from tests.report.fakes import digest
from tests.report.full import full_report

NAMES = tuple(
    f"imageqx_{precision}.{suffix}"
    for suffix in ("onnx", "mlpackage", "tflite")
    for precision in ("fp32", "fp16", "w8", "w8a8")
)

PARITY_AT_80 = """\
conversion: each file against PyTorch in its own scheme (fp16: in float32), on
64 images (generated)
imageqx_fp32.onnx
  output quality · max |Δ| 1.0e-06 · mean |Δ| 1.0e-07 · cosine 1.0000000
  SQNR dB 60.0 · decisions differ 0/64 · ok
  output explanations · max |Δ| 2.0e-06 · mean |Δ| 2.0e-07 · cosine 1.0000000
  SQNR dB 60.0 · decisions differ 1/64 +2 ties · FAIL
"""
PARITY_AT_120 = """\
conversion: each file against PyTorch in its own scheme (fp16: in float32), on 64 images (generated)
┏━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━┓
┃ artifact               ┃ output       ┃ max |Δ| ┃ mean |Δ| ┃    cosine ┃ SQNR dB ┃ decisions differ ┃      ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━┩
│ imageqx_fp32.onnx      │ quality      │ 1.0e-06 │  1.0e-07 │ 1.0000000 │    60.0 │             0/64 │ ok   │
│                        │ explanations │ 2.0e-06 │  2.0e-07 │ 1.0000000 │    60.0 │     1/64 +2 ties │ FAIL │
"""
NARROW = """\
runs.jsonl against baseline.json
imageqx_fp32.onnx
  target host · size 16,000,000 ±0 ✓ · p50 17.04 ms ±0.0 % ✓
"""


def make_parity() -> ParityReport:
    common: dict[str, Any] = {"cosine": 1.0, "sqnr_db": 60.0, "decisions": 64}
    outputs = (
        OutputParity(output="quality", max_abs=1e-6, mean_abs=1e-7, differing=0, excused=0, problems=(), **common),
        OutputParity(
            output="explanations", max_abs=2e-6, mean_abs=2e-7, differing=1, excused=2, problems=("far",), **common
        ),
    )
    rows = tuple(ArtifactParity(path=name, precision=Precision.FP32, outputs=outputs) for name in NAMES)
    return ParityReport(checkpoint_sha256=digest("checkpoint"), images=64, source="generated", artifacts=rows)


def show_parity() -> None:
    artifacts.show_parity(make_parity(), as_json=False)


def show_report() -> None:
    report.show_report(full_report(), Path("report"), as_json=False)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None], int], str]:
    """Return what prints into a terminal of some width, blanks at the ends of lines left out."""

    def run(show: Callable[[], None], width: int) -> str:
        text = io.StringIO()
        monkeypatch.setattr(out, "_file", text)
        monkeypatch.setattr(out, "_width", width)
        show()
        return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())

    return run


@pytest.mark.parametrize("width", [40, 60, 80, 112, 120])
@pytest.mark.parametrize("show", [show_parity, show_report])
def test_names_are_never_cut(
    terminal: Callable[[Callable[[], None], int], str], show: Callable[[], None], width: int
) -> None:
    text = terminal(show, width)
    names = NAMES if show is show_parity else ("imageqx_fp32.onnx", "emulated:cortex-a76", "imageqx_fp32.mlpackage")
    assert "…" not in text
    for name in names:
        assert name in text
    table = text.split("Something regressed")[0].split("FAIL imageqx")[0].split("regression ")[0]
    assert max(map(len, table.splitlines())) <= width


def test_what_a_terminal_shows_at_60_80_and_120_columns(
    terminal: Callable[[Callable[[], None], int], str],
) -> None:
    assert terminal(show_parity, 80).startswith(PARITY_AT_80)
    assert terminal(show_parity, 120).startswith(PARITY_AT_120)
    assert terminal(show_report, 60).startswith(NARROW)
    piped = PARITY_AT_120.splitlines()[1:]  # a pipe has 112 columns, which the table fills
    assert max(map(len, piped)) <= 112 and terminal(show_parity, 112).startswith(PARITY_AT_120)


def test_twenty_columns_still_say_something(terminal: Callable[[Callable[[], None], int], str]) -> None:
    text = terminal(show_report, 20)
    assert "imageqx_fp32.tflite" in text
    assert "\n  target host\n" in text


CELLS = st.lists(st.text("abc de-4", max_size=24), min_size=2, max_size=5)


@given(st.lists(CELLS, min_size=1, max_size=4), st.integers(30, 120))
def test_every_word_of_every_cell_is_shown_whole(rows: list[list[str]], width: int) -> None:
    columns = min(map(len, rows))
    table = Table("name", *("value" for _ in range(columns - 1)))
    for row in rows:
        table.add_row(*row[:columns])
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    shown = text.getvalue().split()
    for word in (word for row in rows for cell in row[:columns] for word in cell.split()):
        assert word in shown


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40)), min_size=1, max_size=8), st.integers(0, 200))
def test_columns_get_at_least_their_longest_word(columns: list[tuple[int, int]], width: int) -> None:
    measured = [Measurement(low, low + more) for low, more in columns]
    widths = fit(measured, width)
    if widths is None:
        assert sum(column.minimum for column in measured) > width
        return
    assert sum(widths) <= max(width, 0)
    assert all(c.minimum <= w <= c.maximum for c, w in zip(measured, widths, strict=True))
