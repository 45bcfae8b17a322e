"""README's one table, from an export and, where there is one, a run of ``imageqx bench --target host``.

``make readme-table`` writes it between README's two marks. Per precision: sizes, the worst |Δ| of conversion, latency
as a ratio to the fp32 file of the same format (of fresh processes' medians; median and quartiles over the rounds),
what the labels' macro-F1 loses, and the oldest runtimes on which the files are right.
"""

from __future__ import annotations

import argparse
import datetime
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imageqx_export.artifact import Artifact, Format, Precision
from imageqx_export.bench.history import load_history, select
from imageqx_export.bench.model import BenchRun, Measurement
from imageqx_export.budgets.check import BudgetReport
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.parity.compare import ParityReport
from imageqx_export.support.untrusted import read_json

BEGIN: Final = "<!-- make readme-table -->"
END: Final = "<!-- end of make readme-table -->"
FORMATS: Final = (Format.ONNX, Format.COREML, Format.TFLITE)
_NAMES: Final = {"onnxruntime": "ONNX Runtime", "litert": "LiteRT", "ios": "iOS"}
_HEAD: Final = (
    "| | size, MB: ONNX · Core ML · TFLite | worst \\|Δ\\| of conversion | latency × fp32: ONNX · TFLite |"
    " labels' macro-F1 lost, points | from |"
)


@dataclass(frozen=True)
class Export:
    """What an export says of its artifacts."""

    artifacts: Sequence[Artifact]
    parity: ParityReport
    budgets: BudgetReport


def read_export(folder: Path) -> Export:
    """Read an export's manifest, parity and budgets."""
    parity = ParityReport.model_validate(read_json(folder / "parity.json"))
    budgets = BudgetReport.model_validate(read_json(folder / "budgets.json"))
    return Export(read_manifest(folder).artifacts, parity, budgets)


def make_table(export: Export, run: BenchRun | None) -> list[str]:
    """Return the table's lines, and one with its conditions."""
    rows = [_make_row(export, run, precision) for precision in Precision]
    return [_HEAD, "|---|---|---|---|---|---|", *rows, "", _describe_conditions(export, run)]


def _make_row(export: Export, run: BenchRun | None, precision: Precision) -> str:
    files = {a.format: a for a in export.artifacts if a.precision is precision}
    sizes = " · ".join(f"{files[f].size_bytes / 1e6:.1f}" if f in files else "–" for f in FORMATS)
    paths = {str(a.path) for a in files.values()}
    worst = max(row.max_abs for a in export.parity.artifacts if a.path in paths for row in a.outputs)
    latency = " · ".join(_compare(export, run, precision, format) for format in (Format.ONNX, Format.TFLITE))
    cells = (precision.value, sizes, f"{worst:.1e}", latency, _find_loss(export, paths), _find_oldest(files.values()))
    return f"| {' | '.join(cells)} |"


def _find_loss(export: Export, paths: set[str]) -> str:
    rows = [row for row in export.budgets.artifacts if row.path in paths]
    if any(row.precision is Precision.FP32 for row in rows):
        return "0"
    found = next((row.accuracy for row in rows if row.accuracy is not None), None)
    return "not measured" if found is None else f"{found.quality.points:+.2f}".replace("-", "−").replace("+", "")


def _find_oldest(artifacts: Iterable[Artifact]) -> str:
    oldest = {}
    for artifact in artifacts:
        for name, version in artifact.spec.min_runtime.items():
            if name in _NAMES:
                oldest[name] = "none" if version is None else str(version)
    return ", ".join(f"{shown} {oldest[name]}" for name, shown in _NAMES.items() if name in oldest) or "not asked"


def _compare(export: Export, run: BenchRun | None, precision: Precision, format: Format) -> str:
    if precision is Precision.FP32:
        return "1"
    own, reference = (_measurement(export, run, p, format) for p in (precision, Precision.FP32))
    if own is None or reference is None:
        return "not measured"
    rounds = [
        statistics.median(a.seconds) / statistics.median(b.seconds)
        for a, b in zip(own.samples, reference.samples, strict=False)
        if a.seconds and b.seconds
    ]
    low, middle, high = statistics.quantiles(rounds, n=4) if len(rounds) > 1 else (rounds * 3)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def _measurement(export: Export, run: BenchRun | None, precision: Precision, format: Format) -> Measurement | None:
    wanted = next((a for a in export.artifacts if a.precision is precision and a.format is format), None)
    if run is None or wanted is None:
        return None
    return next((m for m in run.measurements if m.sha256 == wanted.sha256 and m.samples), None)


def _describe_conditions(export: Export, run: BenchRun | None) -> str:
    parity, budgets = export.parity, export.budgets
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    parts = [
        f"`make readme-table`, {today}: sizes, conversion ({parity.images} pictures, {parity.source}), accuracy"
        f" ({budgets.samples:,} synthetic photos, through ONNX; below 0 is a gain) and the oldest runtimes (they"
        " and all newer ones gave the right numbers) of `make export`;"
    ]
    if run is None:
        parts.append("latency of `make bench`, which this table was made without.")
    else:
        processes = run.schedule.processes
        parts.append(
            f"latency of `make bench`, {run.machine.name}, one thread, median (quartiles) of {processes} interleaved"
            " rounds of fresh processes."
        )
    return " ".join(parts)


def replace(readme: str, lines: Sequence[str]) -> str:
    """Return README's text with these lines between its marks.

    Raises:
        ValueError: It has no such marks.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(readme):
        raise ValueError(f"README has no {BEGIN} … {END}")
    body = "\n".join([BEGIN, "", *lines, "", END])
    return pattern.sub(lambda _: body, readme)


def main() -> None:
    """Write the table into README.md, or print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"))
    parser.add_argument("--history", type=Path, default=Path("build/history.jsonl"))
    parser.add_argument("--print", action="store_true", help="print the table instead of writing it")
    arguments = parser.parse_args()
    runs = select(load_history(arguments.history), target="host") if arguments.history.exists() else ()
    full = [run for run in runs if not run.schedule.quick]
    lines = make_table(read_export(arguments.artifacts), full[-1] if full else None)
    if arguments.print:
        print("\n".join(lines))
        return
    readme = Path("README.md")
    readme.write_text(replace(readme.read_text(encoding="utf-8"), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
