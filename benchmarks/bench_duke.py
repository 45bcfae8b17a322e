"""Time Duke IQA beside ImageQX, its regions in the graph beside cut outside, and five at once beside one by one.

All in w8a8, on one thread, in turns of one process, in seconds of its CPU, so that a busy machine slows them alike:

- one photo through Duke IQA's TFLite file ÷ one through ImageQX's: five regions of one backbone;
- that file ÷ the same file without its first operations, which is given the five regions that NumPy cut;
- the latter's batch of five ÷ the same graph for one region, called five times; likewise of the ONNX files.

The files without their first operations and for one region are made of the exported ones, so that what is computed is
the same; each pair's numbers are compared before they are timed. Core ML runs on Apple's systems alone.

    python -m benchmarks.bench_duke
    python -m benchmarks.bench_duke --rounds 40 --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.bench_predict import quartiles
from benchmarks.duke_files import cut_onnx, cut_tflite
from imageqx_export.artifact import Pixels
from imageqx_export.data.images import generate_images
from imageqx_export.networks.duke_iqa.spec import REGION_SIDE, list_corners, spec

OTHER_LIMIT, CUT_LIMIT = 5.2, 1.1
OTHER, OUTSIDE, CALLS = ", ImageQX", ", cut outside", ", five calls"
REGIONS_OUTPUT = 2
Values = NDArray[np.float32]
Call = Callable[[], Values]
Run = Callable[[Pixels], Values]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--duke", type=Path, default=Path("artifacts/duke-iqa"), help="export of duke-iqa")
    parser.add_argument("--imageqx", type=Path, default=Path("artifacts/imageqx"), help="export of imageqx")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="the files to time")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    rows = measure(options.duke, options.imageqx, options.kinds, options.rounds)
    if options.json:
        print(json.dumps({"rounds": options.rounds, "rows": rows}, indent=2))
    else:
        show(rows, options.rounds)
    return 0 if all(row["limit"] is None or row["ratio"][1] <= row["limit"] for row in rows) else 1


def measure(duke: Path, imageqx: Path, kinds: Sequence[str], rounds: int) -> list[dict[str, Any]]:
    """Return a row a comparison: its name, milliseconds of both, and the ratio's quartiles over the rounds."""
    calls = open_calls(duke, imageqx, kinds, generate_images(1, spec=spec()))
    for kind in kinds:
        check(*(calls[f"{kind}{place}"]().ravel() for place in ("", OUTSIDE, CALLS)))
    times = time_in_turns(calls, rounds)
    rows = []
    for kind in kinds:
        pairs = ((kind, f"{kind}{OTHER}"), (kind, f"{kind}{OUTSIDE}"), (f"{kind}{OUTSIDE}", f"{kind}{CALLS}"))
        limits = (OTHER_LIMIT, CUT_LIMIT, None) if kind == "TFLite" else (None, None, None)
        for (one, other), limit in zip(pairs, limits, strict=True):
            ratios = [a / b for a, b in zip(times[one], times[other], strict=True)]
            ms = [1e3 * statistics.median(times[name]) for name in (one, other)]
            rows.append({"what": f"{one} ÷ {other}", "ms": ms, "ratio": quartiles(ratios), "limit": limit})
    return rows


def check(whole: Values, outside: Values, scores: Values) -> None:
    """Check that all three say the same of the regions.

    Args:
        whole: Probabilities [5] of the file as it was exported.
        outside: Likewise of the file that is given regions.
        scores: What the graph for one region says, [5]; a bias is added to it before the sigmoid.
    """
    np.testing.assert_allclose(outside, whole, atol=1e-6)
    logits = np.log(whole.astype(np.float64)) - np.log1p(-whole.astype(np.float64))
    np.testing.assert_allclose(np.ptp(logits - scores), 0, atol=1e-3)


def open_calls(duke: Path, imageqx: Path, kinds: Sequence[str], photo: Pixels) -> dict[str, Call]:
    """Return what is timed, by name: each takes one photo and gives the regions' scores, or ImageQX's labels.

    Args:
        duke: Folder with Duke IQA's export.
        imageqx: Likewise ImageQX's.
        kinds: Of :data:`KINDS`.
        photo: uint8 [1,448,448,3].
    """
    corners = list_corners(photo.shape[1], REGION_SIDE)

    def cut() -> Pixels:
        size = REGION_SIDE
        return np.concatenate([photo[:, top : top + size, left : left + size] for top, left in corners])

    small = np.ascontiguousarray(photo[:, ::2, ::2])
    calls: dict[str, Call] = {}
    for kind in kinds:
        open_, edit, suffix = KINDS[kind]
        content = (duke / f"duke-iqa_w8a8.{suffix}").read_bytes()
        other = (imageqx / f"imageqx_w8a8.{suffix}").read_bytes()
        calls[kind] = partial(open_(content, REGIONS_OUTPUT), photo)
        calls[f"{kind}{OTHER}"] = partial(open_(other, 0), small)
        calls[f"{kind}{OUTSIDE}"] = partial(_cut_and_run, open_(edit(content, 5), -1), cut)
        calls[f"{kind}{CALLS}"] = partial(_call_five_times, open_(edit(content, 1), -1), cut)
    return calls


def _cut_and_run(run: Run, cut: Callable[[], Pixels]) -> Values:
    return run(cut())


def _call_five_times(run: Run, cut: Callable[[], Pixels]) -> Values:
    return np.concatenate([run(part[None]) for part in cut()])


def open_tflite(content: bytes, output: int) -> Run:
    """Return what runs a TFLite file on one thread and gives one of its outputs, by its place in the graph."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[output]["index"]

    def run(pixels: Pixels) -> Values:
        interpreter.set_tensor(source, pixels)
        interpreter.invoke()
        found: Values = interpreter.get_tensor(target)
        return found

    return run


def open_onnx(content: bytes, output: int) -> Run:
    """Return what runs an ONNX file on one thread and gives one of its outputs, by its place in the graph."""
    import onnxruntime

    from imageqx_export.runtimes.onnx import choose_session_config

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # of constants that the graph without its first operations does not read
    for name, value in choose_session_config().items():
        options.add_session_config_entry(name, value)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    source, target = session.get_inputs()[0].name, session.get_outputs()[output].name

    def run(pixels: Pixels) -> Values:
        found: Values = session.run([target], {source: pixels})[0]
        return found

    return run


KINDS: dict[str, tuple[Callable[[bytes, int], Run], Callable[[bytes, int], bytes], str]] = {
    "TFLite": (open_tflite, cut_tflite, "tflite"),
    "ONNX": (open_onnx, cut_onnx, "onnx"),
}


def time_in_turns(calls: Mapping[str, Call], rounds: int) -> dict[str, list[float]]:
    """Return seconds of this process's CPU for each call, a value a round; each round begins with another."""
    names = list(calls)
    times: dict[str, list[float]] = {name: [] for name in names}
    for call in calls.values():
        call()
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = time.process_time()
            calls[name]()
            times[name].append(time.process_time() - start)
    return times


def show(rows: Sequence[Mapping[str, Any]], rounds: int) -> None:
    """Print a table."""
    table = Table(title=f"w8a8, one thread, CPU time, {rounds} rounds in turns", title_justify="left")
    for column in ("what", "ms", "ratio (quartiles)", "limit"):
        table.add_column(column)
    for row in rows:
        low, middle, high = row["ratio"]
        limit = row["limit"]
        kept = "" if limit is None else f"{limit}: {'kept' if middle <= limit else 'missed'}"
        ms = " ÷ ".join(f"{value:.1f}" for value in row["ms"])
        table.add_row(row["what"], ms, f"{middle:.2f} ({low:.2f}–{high:.2f})", kept)
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
