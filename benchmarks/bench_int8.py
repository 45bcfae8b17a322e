"""Show what INT8 is worth beside what others' tools make of the same checkpoint with their defaults, in one run.

``python -m benchmarks.bench_int8`` prints a table; ``--json`` prints its numbers and ``--markdown`` the table for
docs/int8-peers.md. It exits with 1 if a goal is missed. Of each file:

- *latency*: on one thread and one core, in fresh processes that take turns, all on the same picture; the ratio to the
  fp32 file of the same format is that of the lower quartiles over the rounds, with the rounds' least and largest.
- *instructions*: with ``--target emulated:cortex-a76``, per inference on an emulated phone.
- *accuracy*: on the held-out samples of the package's budgets, against the fp32 ONNX file.

Peers quantize the fp32 artifact of their format with the images that our own ranges come from, each in a process of
its own: a tool that fails, or whose file does not load, has that as its row. Their files are kept below ``--cache``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.int8_measures import (
    Score,
    Subject,
    compute_lower_quartile,
    compute_ratios,
    count_fused,
    count_instructions,
    run_subject,
    score_files,
    shorten,
    time_in_turns,
)
from benchmarks.int8_peers import PEERS, make_cached
from benchmarks.int8_table import Goal, Row, check_goals, make_body, make_table, render_markdown
from imageqx_export.artifact import Format, Manifest, Precision
from imageqx_export.bench.emulator import CPUS
from imageqx_export.bench.host.facts import describe_machine, pick_cores
from imageqx_export.budgets.limits import read_budgets
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.data.images import gather_calibration_images
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.errors import ImageQXError
from imageqx_export.export.metadata import versions
from imageqx_export.support.files import count_bytes
from imageqx_export.support.progress import Progress, bar

COMMAND = "python -m benchmarks.bench_int8"
LATENCY_GOALS = {Format.TFLITE: 0.50, Format.ONNX: 0.90}
INSTRUCTION_GOALS = {"cortex-a76": 0.60}
OURS = (Precision.FP32, Precision.W8, Precision.W8A8)
TARGETS = ("host", *(f"emulated:{cpu}" for cpu in CPUS))
LIBRARIES = ("onnxruntime", "ai-edge-litert", "ai-edge-quantizer", "coremltools", "litert-torch", "torch")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"))
    parser.add_argument("--target", action="append", choices=TARGETS, help="may be repeated; without it, host")
    parser.add_argument("--rounds", type=int, default=9, help="processes of each file, in turn")
    parser.add_argument("--samples", type=int, help="held-out samples; 0 measures no accuracy")
    parser.add_argument("--cache", type=Path, default=Path("build/bench_int8"), help="where the peers' files are kept")
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/int8-peers.md")
    options = parser.parse_args(argv)
    targets = list(dict.fromkeys(options.target or ["host"]))
    cpus = [target.partition(":")[2] for target in targets if target != "host"]
    manifest = read_manifest(options.artifacts)
    subjects = [
        *list_own_files(options.artifacts, manifest),
        *make_peers(options.artifacts, manifest, options.cache, bar),
    ]
    rows = measure(subjects, manifest, "host" in targets, cpus, options.rounds, _parse_samples(options.samples), bar)
    found = check_goals(
        rows,
        LATENCY_GOALS if "host" in targets else {},
        {cpu: limit for cpu, limit in INSTRUCTION_GOALS.items() if cpu in cpus},
    )
    fusions = count_convolutions(subjects, [*([None] if "host" in targets else []), *cpus])
    show(rows, found, fusions, collect_facts(options), options)
    return 0 if all(goal.verdict == "ok" for goal in found) else 1


def list_own_files(folder: Path, manifest: Manifest) -> list[Subject]:
    """Return our files: fp32, w8 and w8a8 of every format; one that was not exported says so."""
    there = {(a.format, a.precision): folder / a.path for a in manifest.artifacts}
    found = []
    for format in (Format.TFLITE, Format.ONNX, Format.COREML):
        for precision in OURS:
            path = there.get((format, precision))
            trouble = None if path is not None else "not in the manifest: imageqx export"
            found.append(Subject(f"{format}_{precision}", "imageqx", format, str(precision), path, trouble))
    return found


def make_peers(folder: Path, manifest: Manifest, cache: Path, progress: Progress) -> list[Subject]:
    """Return what the others' tools make of our fp32 files, made now or earlier."""
    floats = {a.format: folder / a.path for a in manifest.artifacts if a.precision is Precision.FP32}
    images, _ = gather_calibration_images(None, progress=progress)
    found = []
    with progress("the peers' conversions", len(PEERS)) as advance:
        for peer in PEERS:
            path, trouble = None, None
            try:
                path = make_cached(peer, floats[peer.format], images, cache)
            except KeyError:
                trouble = "no fp32 file of this format: imageqx export"
            except ImageQXError as error:
                trouble = shorten(error)
            found.append(Subject(peer.make.__name__, peer.name, peer.format, peer.scheme, path, trouble))
            advance()
    return found


def measure(
    subjects: Sequence[Subject],
    manifest: Manifest,
    timed: bool,
    cpus: Sequence[str],
    rounds: int,
    samples: int,
    progress: Progress,
) -> dict[str, Row]:
    """Measure every file that there is, and return a row each, format by format."""
    there = [subject for subject in subjects if subject.path is not None]
    phones = [subject for subject in there if subject.format is not Format.COREML]
    took = time_in_turns(phones, rounds, progress=progress) if timed else {}
    counts = {cpu: count_instructions(phones, cpu, manifest.artifacts[0], progress=progress) for cpu in cpus}
    worth: Mapping[str, Score | str] = {}
    if samples:
        photos = load_held_out("test", Sources(), samples, progress=progress)
        float32 = next(subject for subject in there if subject.name == "onnx_fp32")
        reference, spec = run_subject(float32, photos.pixels), manifest.artifacts[0].spec
        worth = score_files(there, reference, photos, spec, progress=progress)
    order = sorted(subjects, key=lambda subject: [Format.TFLITE, Format.ONNX, Format.COREML].index(subject.format))
    return {subject.name: make_row(subject, took, counts, worth) for subject in order}


def make_row(
    subject: Subject,
    took: Mapping[str, tuple[float, ...] | str],
    counts: Mapping[str, Mapping[str, float | str]],
    worth: Mapping[str, Score | str],
) -> Row:
    """Put one file's figures beside its fp32 file's."""
    float32 = f"{subject.format}_fp32"
    own, base = took.get(subject.name), took.get(float32)
    latency = compute_ratios(own, base) if isinstance(own, tuple) and isinstance(base, tuple) else None
    counted = {}
    for cpu, found in counts.items():
        one, other = found.get(subject.name), found.get(float32)
        if isinstance(one, float) and isinstance(other, float):
            counted[cpu] = one / other
    return Row(
        subject=subject,
        size_bytes=None if subject.path is None else count_bytes(subject.path),
        seconds=compute_lower_quartile(own) if isinstance(own, tuple) else own,
        latency=latency,
        instructions={cpu: found[subject.name] for cpu, found in counts.items() if subject.name in found},
        counted=counted,
        score=worth.get(subject.name),
    )


def count_convolutions(
    subjects: Sequence[Subject], cpus: Sequence[str | None]
) -> dict[str, dict[str, dict[str, int] | str]]:
    """Count what ONNX Runtime fuses, by processor and file; None is this machine."""
    found: dict[str, dict[str, dict[str, int] | str]] = {}
    for cpu in cpus:
        counted = found.setdefault(cpu or "host", {})
        for subject in subjects:
            if subject.format is Format.ONNX and subject.path is not None:
                try:
                    counted[subject.name] = count_fused(subject, cpu)
                except ImageQXError as error:
                    counted[subject.name] = shorten(error)
    return found


def collect_facts(options: argparse.Namespace) -> dict[str, Any]:
    """Say what was measured on, and with what."""
    here = describe_machine(pick_cores(1))
    return {
        "machine": here.name,
        "system": here.system,
        "rounds": options.rounds,
        "samples": _parse_samples(options.samples),
        "versions": versions(LIBRARIES),
    }


def show(
    rows: Mapping[str, Row],
    found: Sequence[Goal],
    fusions: Mapping[str, Any],
    about: Mapping[str, Any],
    options: argparse.Namespace,
) -> None:
    """Print everything in the form that was asked for."""
    if options.json:
        verdicts = [{"what": g.what, "got": g.got, "limit": g.limit, "verdict": g.verdict} for g in found]
        figures = {"facts": about, "rows": [make_body(row) for row in rows.values()], "convolutions": fusions}
        print(json.dumps({**figures, "goals": verdicts, "passed": all(g.verdict == "ok" for g in found)}, indent=2))
        return
    if options.markdown:
        print(render_markdown(rows))
        return
    console = Console(width=190)
    console.print(
        make_table(rows, f"{COMMAND} on {about['machine']}, {about['rounds']} rounds, {about['samples']} samples")
    )
    for cpu, counted in fusions.items():
        for name, kinds in counted.items():
            counts = kinds if isinstance(kinds, str) else ", ".join(f"{n} {kind}" for kind, n in kinds.items())
            console.print(f"ONNX Runtime's graph on {cpu}, {name}: {counts}", highlight=False)
    for goal in found:
        got = "no figure" if goal.got is None else f"{goal.got:.3f}"
        console.print(f"{goal.verdict:<7}{goal.what}: {got} (goal ≤ {goal.limit:g})", highlight=False)


def _parse_samples(asked: int | None) -> int:
    if asked is not None:
        return asked
    limits = read_budgets().accuracy
    return 0 if limits is None else limits.samples


if __name__ == "__main__":
    raise SystemExit(main())
