"""Measure export beside the bare libraries, and the command line's start, in one run.

``python -m benchmarks.bench_export`` prints the tables; ``--json`` prints their numbers. It exits with 1 if a target
is missed. Each pair is interleaved, so that drift hits both alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from imageqx_export.artifact import Format, Precision
from imageqx_export.support.processes import quiet, run_isolated

CHECKPOINT = Path("models/imageqx.safetensors")
EXPORT_SECONDS = 90.0
CONVERTER_RATIO = 1.15
HELP_SECONDS = 0.5
# What the bare library calls below make too.
FLOATS = (Precision.FP32, Precision.FP16)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print numbers instead of tables")
    parser.add_argument("--rounds", type=int, default=2, help="times that each converter runs, ours and bare")
    options = parser.parse_args(argv)
    results = {
        "help_s": _help_seconds(),
        "export_s": _export_seconds(),
        "converters": {f.value: run_isolated(converter_seconds, f, options.rounds) for f in Format},
    }
    rows = _rows(results)
    if options.json:
        print(json.dumps({**results, "passed": all(ok for *_, ok in rows)}, indent=2))
    else:
        _print(rows)
    return 0 if all(ok for *_, ok in rows) else 1


def _rows(results: dict[str, Any]) -> list[tuple[str, str, str, str, bool]]:
    rows = [
        _row("imageqx --help, median of 9", results["help_s"], HELP_SECONDS, "s"),
        _row("imageqx export: six artifacts and parity, second run", results["export_s"], EXPORT_SECONDS, "s"),
    ]
    for name, pair in results["converters"].items():
        text = f"{name}: write() {pair['ours_s']:.1f} s, bare calls {pair['bare_s']:.1f} s"
        rows.append(_row(text, pair["ratio"], CONVERTER_RATIO, "×"))
    return rows


def _row(what: str, value: float, limit: float, unit: str) -> tuple[str, str, str, str, bool]:
    return what, f"{value:.2f} {unit}", f"≤ {limit:g} {unit}", "ok" if value <= limit else "MISSED", value <= limit


def _print(rows: list[tuple[str, str, str, str, bool]]) -> None:
    table = Table(title="export", title_justify="left")
    for name in ("what", "measured", "target", ""):
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    for *cells, _ in rows:
        table.add_row(*cells)
    Console().print(table)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _command(*arguments: str) -> Callable[[], object]:
    command = [str(Path(sys.executable).parent / "imageqx"), *arguments]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _help_seconds() -> float:
    return statistics.median(_seconds(_command("--help")) for _ in range(9))


def _export_seconds() -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = _command("export", "--no-cache", "--out", folder)
        run()  # the first run reads a gigabyte of libraries from the disk
        return _seconds(run)


def converter_seconds(format: Format, rounds: int) -> dict[str, float]:
    """Time one format's ``write`` and the library calls in it, in turn.

    Returns:
        Seconds for both precisions, ``ours_s`` and ``bare_s`` (medians), and the median of the pairs' ``ratio``.
    """
    from imageqx_export.checkpoint import load_checkpoint
    from imageqx_export.export.convert import load_exporter

    checkpoint, network = load_checkpoint(CHECKPOINT)
    bare = {Format.ONNX: _bare_onnx, Format.TFLITE: _bare_tflite, Format.COREML: _bare_coreml}[format]
    pairs = []
    with tempfile.TemporaryDirectory() as folder, quiet():
        paths = {p: Path(folder) / f"x_{p}{format.suffix}" for p in FLOATS}
        load_exporter(format).write(network, checkpoint, paths, {})  # imports and first calls
        for _ in range(rounds):
            pairs.append(
                (
                    _seconds(lambda: load_exporter(format).write(network, checkpoint, paths, {})),
                    _seconds(lambda: bare(network, checkpoint, Path(folder))),
                )
            )
    ours, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return {"ours_s": statistics.median(ours), "bare_s": statistics.median(theirs), "ratio": ratio}


def _bare_onnx(network: Any, checkpoint: Any, folder: Path) -> None:
    from imageqx_export.export.onnx.exporter import convert, halve_weights

    graph = network.fold("NHWC")
    model = convert(graph, checkpoint)
    (folder / "bare.onnx").write_bytes(model.SerializeToString())
    halve_weights(model, ("late", *graph.HEADS))
    (folder / "bare.onnx").write_bytes(model.SerializeToString())


def _bare_tflite(network: Any, checkpoint: Any, folder: Path) -> None:
    from imageqx_export.export.tflite.exporter import convert
    from imageqx_export.export.tflite.halves import cast_weights

    single = bytes(convert(network.fold("NHWC"), checkpoint.spec).model_content())
    for content in (single, cast_weights(single)):
        (folder / "bare.tflite").write_bytes(content)


def _bare_coreml(network: Any, checkpoint: Any, folder: Path) -> None:
    import torch

    from imageqx_export.export.coreml.exporter import convert

    example = torch.zeros(1, 3, 224, 224)
    traced = torch.jit.trace(network.fold("NCHW"), example)  # type: ignore[no-untyped-call]
    for precision in FLOATS:
        convert(traced, checkpoint.spec, precision).save(str(folder / f"bare_{precision}.mlpackage"))


if __name__ == "__main__":
    raise SystemExit(main())
