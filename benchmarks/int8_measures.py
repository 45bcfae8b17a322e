"""Measure files that may be anybody's: latency in turns, instructions on an emulated phone, fused nodes, accuracy."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Artifact, Format, ModelSpec, Outputs, Pixels
from imageqx_export.bench.emulator import load_emulator
from imageqx_export.bench.emulator.target import EmulatedTarget
from imageqx_export.bench.host.facts import pick_cores
from imageqx_export.bench.model import Schedule
from imageqx_export.bench.worker.launch import Launcher
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import decide
from imageqx_export.errors import DeviceError, ImageQXError, MeasurementError
from imageqx_export.evaluation.accuracy_loss import Accuracy, accuracy, macro_f1
from imageqx_export.evaluation.tables import one_hot
from imageqx_export.runtimes import run_file
from imageqx_export.support.files import digest
from imageqx_export.support.processes import run_isolated, start_pool
from imageqx_export.support.progress import Progress, silent

OPTIMIZE = Path(__file__).with_name("optimized_onnx.py")
SCHEDULE = Schedule(runs=10, seconds=0.5, processes=1, warmup_runs=5, warmup_seconds=0.3)


@dataclass(frozen=True)
class Subject:
    """A file that is measured.

    Attributes:
        name: Unique.
        maker: ``"imageqx"``, or the tool and its recipe.
        format: Its format.
        scheme: What is int8 in it, and what is float.
        path: The file; None where it could not be made.
        trouble: Why not.
    """

    name: str
    maker: str
    format: Format
    scheme: str
    path: Path | None
    trouble: str | None = None


@dataclass(frozen=True)
class Score:
    """The worth of a file on held-out samples.

    Attributes:
        quality: Macro-F1 of the labels, in points.
        reasons: Of the reasons, likewise.
        lost: Against the float32 file.
        max_abs: Largest |Δ| of any probability against it.
    """

    quality: float
    reasons: float
    lost: Accuracy
    max_abs: float


def time_in_turns(
    subjects: Sequence[Subject], rounds: int, *, progress: Progress = silent
) -> dict[str, tuple[float, ...] | str]:
    """Time files in fresh processes that take turns, on one core: A B C A B C ….

    Returns:
        Per name, each process's median inference in seconds, in the rounds' order; or why it does not run.
    """
    launcher, cores = Launcher(1), pick_cores(1)
    found: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    troubles: dict[str, str] = {}
    with progress("timing in turns", rounds * len(subjects)) as advance:
        for _ in range(rounds):
            for subject in subjects:
                if subject.name not in troubles:
                    request = {
                        **_make_request("time", subject),
                        "cores": cores and list(cores),
                        "runs": SCHEDULE.runs,
                        "seconds": SCHEDULE.seconds,
                        "warmup_runs": SCHEDULE.warmup_runs,
                        "warmup_seconds": SCHEDULE.warmup_seconds,
                    }
                    try:
                        found[subject.name].append(statistics.median(launcher.run(request)["seconds"]))
                    except MeasurementError as error:
                        troubles[subject.name] = shorten(error)
                advance()
    return {name: troubles.get(name) or tuple(each) for name, each in found.items()}


def count_instructions(
    subjects: Sequence[Subject], cpu: str, like: Artifact, *, progress: Progress = silent
) -> dict[str, float | str]:
    """Count the instructions of one inference on an emulated phone.

    Args:
        subjects: TFLite and ONNX files.
        cpu: The phone's processor.
        like: Any artifact, whose entry stands for the files' own.
        progress: Opens a bar.

    Returns:
        Per name, the count; or why it does not run.

    Raises:
        DeviceError: The emulator is not built.
    """
    target, found = EmulatedTarget(cpu), dict[str, float | str]()
    with target.open(Path.cwd(), (), SCHEDULE, "bench-int8"), progress(f"counting on {cpu}", len(subjects)) as advance:
        for subject in subjects:
            path = _require_path(subject).absolute()
            entry = like.model_copy(update={"path": path, "format": subject.format, "sha256": digest(path)})
            try:
                counted = target.count_instructions(entry, SCHEDULE)
                found[subject.name] = "not counted" if counted is None else counted.count
            except DeviceError:
                raise
            except ImageQXError as error:
                found[subject.name] = shorten(error)
            advance()
    return found


def count_fused(subject: Subject, cpu: str | None = None) -> dict[str, int]:
    """Count the convolutions in the graph that ONNX Runtime makes of a file, by operation.

    Args:
        subject: An ONNX file.
        cpu: An emulated phone's processor; None for this machine.

    Returns:
        ``QLinearConv`` (integers), ``Conv`` and ``FusedConv`` (float); those that are there.

    Raises:
        MeasurementError: ONNX Runtime refuses the file.
        DeviceError: The emulator is not built.
    """
    import onnx

    command, environment = [sys.executable, "-P"], None
    if cpu is not None:
        phone = load_emulator()
        command, environment = [*phone.command(cpu), str(phone.python), "-S", "-P"], phone.environment()
    with TemporaryDirectory(prefix="imageqx-int8-") as folder:
        written = Path(folder) / "optimized.onnx"
        command += [str(OPTIMIZE), str(_require_path(subject).absolute()), str(written)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise MeasurementError("ONNX Runtime cannot optimize this", where=subject.path, got=lines[0])
        kinds = Counter(node.op_type for node in onnx.load(str(written), load_external_data=False).graph.node)
    return {kind: count for kind, count in sorted(kinds.items()) if kind.endswith("Conv")}


def score_files(
    subjects: Iterable[Subject],
    reference: Outputs,
    photos: LabelledPhotos,
    spec: ModelSpec,
    *,
    progress: Progress = silent,
) -> dict[str, Score | str]:
    """Run files on held-out samples, each in a process of its own, and compare them with the float32 file's outputs.

    Returns:
        Per name, its score; or why it does not run.
    """
    rows = list(subjects)
    found: dict[str, Score | str] = {}
    with start_pool() as threads, progress("measuring accuracy", len(rows)) as advance:
        jobs = {subject.name: threads.submit(run_subject, subject, photos.pixels) for subject in rows}
        for name, job in jobs.items():
            try:
                found[name] = score_outputs(job.result(), reference, photos, spec)
            except ImageQXError as error:
                found[name] = shorten(error)
            except Exception as error:  # a runtime may raise anything; that is the file's result
                found[name] = f"{type(error).__name__}: {error}"
            advance()
    return found


def score_outputs(found: Outputs, reference: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> Score:
    """Return what outputs are worth, beside the float32 file's."""
    kinds, thresholds = len(spec.labels), np.array([spec.thresholds[name] for name in spec.reasons], np.float32)
    truth, decided = one_hot(photos.quality, kinds), one_hot(decide(found["quality"], spec), kinds)
    return Score(
        quality=100 * macro_f1(truth, decided),
        reasons=100 * macro_f1(photos.reasons >= 0.5, found["explanations"] >= thresholds),
        lost=accuracy(reference, found, photos, spec),
        max_abs=max(float(np.abs(found[name] - reference[name]).max()) for name in ("quality", "explanations")),
    )


def run_subject(subject: Subject, pixels: Pixels) -> Outputs:
    """Run a file in a process of its own: uint8 [N,224,224,3] → float32 by name.

    Raises:
        ImageQXError: It cannot be run, or crashes.
    """
    if subject.format is Format.COREML:
        return run_isolated(run_file, _require_path(subject), pixels)[1]
    with TemporaryDirectory(prefix="imageqx-int8-") as folder:
        images, arrays = Path(folder) / "images.npy", Path(folder) / "outputs.npz"
        np.save(images, pixels)
        Launcher(1).run({**_make_request("outputs", subject), "runs": 1, "input": str(images), "outputs": str(arrays)})
        with np.load(arrays) as found:
            rows = dict(found)
    # Others' tools may leave outputs as integers, which an app would turn into numbers.
    steps = run_isolated(find_integer_outputs, _require_path(subject)) if subject.format is Format.TFLITE else {}
    return {name: scale_integers(values, *steps[name]) if name in steps else values for name, values in rows.items()}


def find_integer_outputs(path: Path) -> dict[str, tuple[float, int]]:
    """Return scale and zero point of each output of a TFLite file that is an integer tensor, by name."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    details = interpreter.get_signature_runner("serving_default").get_output_details()
    return {
        name: detail["quantization"] for name, detail in details.items() if np.issubdtype(detail["dtype"], np.integer)
    }


def scale_integers(integers: NDArray[np.float32], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Return the numbers that integers stand for: scale · (integer − zero point).

    >>> scaled(np.array([-128, 127], np.float32), 1 / 256, -128).tolist()
    [0.0, 0.99609375]
    """
    return np.float32(scale) * (integers - np.float32(zero_point))


def compute_ratios(one: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """Return the quotient of the lower quartiles, and the least and the largest of the rounds' quotients.

    What disturbs a process only slows it: lower quartiles move less than medians, as report/rules/latency.py has it.

    >>> ratios([2.0, 3.0, 4.0], [4.0, 4.0, 4.0])
    (0.625, 0.5, 1.0)
    """
    each = [a / b for a, b in zip(one, other, strict=True)]
    return compute_lower_quartile(one) / compute_lower_quartile(other), min(each), max(each)


def compute_lower_quartile(times: Sequence[float]) -> float:
    """Return the value that three quarters of the times are not below."""
    return float(np.quantile(times, 0.25))


def shorten(error: ImageQXError) -> str:
    """Return an error in one line."""
    return " ".join((error.what if error.got is None else f"{error.what}: {error.got}").split())


def _make_request(mode: str, subject: Subject) -> Mapping[str, Any]:
    return {"mode": mode, "path": str(_require_path(subject).resolve()), "format": subject.format.value, "threads": 1}


def _require_path(subject: Subject) -> Path:
    if subject.path is None:
        raise MeasurementError("there is no such file", where=subject.name, got=subject.trouble)
    return subject.path
