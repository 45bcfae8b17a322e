"""Decide whether hard-swish would pay: x · relu6(x + 3) / 6 in the place of SiLU, x · sigmoid(x).

``python -m benchmarks.bench_hard_swish`` prints two tables; ``--json`` prints their numbers. It exits with 1 if
hard-swish wins, as it should be an option then. It needs both: at least 5 % less time in a format's w8a8 file, and,
distilled and still in float, answers within w8a8's budget, which rounding then has to fit into as well.

- *Latency*, which needs no training: the w8a8 graph with each activation, through the project's own quantization and
  converters, in one process and one thread, in turn. ``operator`` is the runtime's own hard-swish; ``integers`` is the
  cheapest spelling: the sum's scale is 6/255, so that clipping is rounding's, and 1/6 goes into the next scale.
  ``none`` leaves the activation out: no activation can save more than that. (What these graphs answer does not matter.)
- *Accuracy* (``--steps``): the float network with hard-swish, distilled from the one with SiLU on painted samples; how
  near it comes as it learns, and what its answers cost on test samples. Some 2 seconds a step on one core. Where the
  latency decides already, it may be left out.

Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.hard_swish_graphs import CHECKPOINT, HELD_OUT, Distilled, built, distilled
from imageqx_export.artifact import Format, Precision
from imageqx_export.budgets.limits import read_budgets
from imageqx_export.cli.show.console import out
from imageqx_export.cli.show.quantize import make_loss_table
from imageqx_export.evaluation.accuracy_loss import problems
from imageqx_export.support.processes import isolated, quiet

KINDS = ("sigmoid", "operator", "integers", "none")
GAIN = 0.95
WARM_UP = 3


def main(argv: list[str] | None = None) -> int:
    """Run the experiment and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="times that each file runs (default 100)")
    parser.add_argument("--steps", type=int, default=0, help="steps of distillation; 0 leaves it out (default)")
    parser.add_argument("--batch", type=int, default=16, help="samples a step (default 16)")
    parser.add_argument("--json", action="store_true", help="print numbers instead of tables")
    options = parser.parse_args(argv)
    if options.rounds < 1 or options.steps < 0 or options.batch < 1:
        parser.error("--rounds and --batch are at least 1, --steps at least 0")
    with tempfile.TemporaryDirectory() as folder:
        latency = {}
        for format in (Format.TFLITE, Format.ONNX):
            files = {kind: str(isolated(converted, format, kind, Path(folder))) for kind in KINDS}
            latency[format.value] = isolated(timed, format, files, options.rounds)
    faster = [
        name for name, row in latency.items() if min(row[kind]["ratio"] for kind in ("operator", "integers")) <= GAIN
    ]
    learnt = distilled(options.steps, options.batch) if options.steps else None
    over = None if learnt is None else problems(learnt.cost, read_budgets().cost(Precision.W8A8))
    wins = bool(faster) and over == ()
    if options.json:
        accuracy = None if learnt is None else {"looks": learnt.looks, "cost": learnt.cost.model_dump(), "over": over}
        print(json.dumps({"latency": latency, "faster": faster, "accuracy": accuracy, "wins": wins}, indent=2))
    else:
        _print_latency(latency)
        if learnt is not None:
            _print_accuracy(learnt)
        verdict = "wins" if wins else "does not win"
        out.print(f"{100 * (1 - GAIN):.0f} % faster or more: {', '.join(faster) or 'no format'}")
        said = "not asked for (--steps)" if over is None else "; ".join(over) or "within the budget"
        out.print(f"accuracy: {said}")
        out.print(f"hard-swish {verdict}")
    return 1 if wins else 0


def converted(format: Format, kind: str, folder: Path) -> Path:
    """Write the w8a8 file with one kind of activation."""
    from imageqx_export.checkpoint import load_checkpoint
    from imageqx_export.export.onnx import exporter as onnx
    from imageqx_export.export.onnx.passes import pooled_globally, with_unsigned_activations
    from imageqx_export.export.tflite import exporter as tflite
    from imageqx_export.export.tflite.passes import static_config

    path = folder / f"{kind}{format.suffix}"
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao's and the converters' own
        checkpoint, _ = load_checkpoint(CHECKPOINT)
        if format is Format.TFLITE:
            model = tflite.convert(built(kind, fold=False, biases=False), checkpoint.spec, static_config())
            path.write_bytes(bytes(model.model_content()))
        else:
            unsigned = with_unsigned_activations(onnx.convert(built(kind), checkpoint))
            pooled_globally(unsigned)
            path.write_bytes(unsigned.SerializeToString())
    return path


def timed(format: Format, files: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """Run files in turn, one thread, in another order each time: what ran before has its share in the caches.

    Returns:
        Per kind: median milliseconds, and the median over the turns of its time as a share of the sigmoid's.
    """
    runs = {kind: (_tflite if format is Format.TFLITE else _onnx)(path) for kind, path in files.items()}
    took: dict[str, list[float]] = {kind: [] for kind in runs}
    rng = np.random.default_rng(0)
    for _ in range(rounds + WARM_UP):
        for index in rng.permutation(len(runs)):
            kind, run = list(runs.items())[index]
            begin = time.perf_counter()
            run()
            took[kind].append(1e3 * (time.perf_counter() - begin))
    kept = {kind: times[WARM_UP:] for kind, times in took.items()}
    return {
        kind: {
            "ms": statistics.median(times),
            "ratio": statistics.median(a / b for a, b in zip(times, kept["sigmoid"], strict=True)),
        }
        for kind, times in kept.items()
    }


def _tflite(path: str) -> Callable[[], Any]:
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_path=path, num_threads=1)
    model.allocate_tensors()
    model.set_tensor(model.get_input_details()[0]["index"], np.zeros((1, 224, 224, 3), np.uint8))
    return lambda: model.invoke()


def _onnx(path: str) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {session.get_inputs()[0].name: np.zeros((1, 224, 224, 3), np.uint8)})


def _print_latency(latency: dict[str, dict[str, dict[str, float]]]) -> None:
    table = Table(title="w8a8, one thread", title_justify="left")
    for name in (
        "activation",
        *(f"{format}, ms" if i == 0 else f"{format}, × sigmoid" for format in latency for i in range(2)),
    ):
        table.add_column(name, justify="left" if name == "activation" else "right")
    for kind in KINDS:
        cells = [
            f"{row[kind][key]:.{digits}f}" for row in latency.values() for key, digits in (("ms", 2), ("ratio", 3))
        ]
        table.add_row(kind, *cells)
    out.print(table)


def _print_accuracy(learnt: Distilled) -> None:
    title = f"float hard-swish against float SiLU, {HELD_OUT} painted samples"
    table = Table(title=title, title_justify="left")
    for name in ("steps", "labels' mean |Δ|", "reasons' mean |Δ|", "same label, %"):
        table.add_column(name, justify="right")
    for row in learnt.looks:
        values = (f"{row['quality']:.4f}", f"{row['explanations']:.4f}", f"{row['agreement']:.1f}")
        table.add_row(f"{row['steps']:.0f}", *values)
    out.print(table)
    out.print(make_loss_table(learnt.cost, read_budgets().cost(Precision.W8A8)))


if __name__ == "__main__":
    raise SystemExit(main())
