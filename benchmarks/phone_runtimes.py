"""Put our ONNX files to ncnn, MNN and ExecuTorch: whether they open and agree, and their time beside ONNX Runtime's."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, Precision
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.compat.environments import Environment
from imageqx_export.compat.versions.places import flatten
from imageqx_export.errors import ImageQXError, UnavailableError
from imageqx_export.parity.compare import compare_outputs
from imageqx_export.support.files import count_bytes
from imageqx_export.support.folders import temporary_folder

_HERE = Path(__file__).parent
_WORKER = _HERE / "phone_runtimes_worker.py"
RUNS = 20
"""Inferences of a process, of which the median counts."""
SECONDS = 600.0
PHONES = {
    "ncnn": ("ncnn", "pnnx", "numpy"),
    "MNN": ("mnn", "numpy"),
    "ExecuTorch": (
        "executorch",
        "ruamel-yaml",
        "kgb",
        "expecttest",
        "parameterized",
        "py-cpuinfo",
        "tabulate",
        "pandas",
    ),
}
"""Runtime → the wheels in its environment; ExecuTorch finds torch and what else it needs in the project's."""


@dataclass(frozen=True)
class Subject:
    """A file, as a runtime gets it.

    Attributes:
        name: As the table calls it.
        precision: Its scheme.
        path: The file.
        dtype: What its pixels are.
    """

    name: str
    precision: Precision
    path: Path
    dtype: str


@dataclass(frozen=True)
class Row:
    """What a runtime made of a file.

    Attributes:
        runtime: Its name and version.
        file: The file.
        size: Bytes of what it was converted to; None where it was not.
        worst: Largest |Δ| against PyTorch's golden outputs; None where it did not run.
        differing: How many decisions differ, of how many; likewise.
        ratios: Median and quartiles of its time over ONNX Runtime's for the same file, round by round; empty likewise.
        problem: Why it does not run; "" where it does.
    """

    runtime: str
    file: str
    size: int | None = None
    worst: float | None = None
    differing: tuple[int, int] | None = None
    ratios: tuple[float, ...] = ()
    problem: str = ""

    def to_cells(self) -> tuple[str, ...]:
        """Return the row in words."""
        size = "–" if self.size is None else f"{self.size:,}"
        if self.worst is None or self.differing is None:
            return self.runtime, self.file, f"no: {self.problem}", size, "–", "–", "–"
        low, median, high = statistics.quantiles(self.ratios, n=4)
        time = f"{median:.2f} ({low:.2f} to {high:.2f})"
        return self.runtime, self.file, "yes", size, f"{self.worst:.0e}", "{} of {}".format(*self.differing), time


def measure(artifacts: Path, checkpoint: Path, rounds: int) -> list[Row]:
    """Return a row a runtime and file, each beside ONNX Runtime in the same rounds."""
    spec, pixels = read_manifest(artifacts).artifacts[0].spec, load_golden_pixels(artifacts)
    rows: list[Row] = []
    with temporary_folder("phones") as folder:
        for subject in list_subjects(artifacts, folder):
            golden = load_golden_outputs(artifacts, subject.precision)
            for runtime in PHONES:
                if runtime == "ExecuTorch" and subject.name != "fp32.onnx":
                    continue  # it reads no ONNX: the checkpoint, in float32, alone
                print(f"{runtime}, {subject.name} …", file=sys.stderr, flush=True)
                rows.append(_measure_one(runtime, subject, checkpoint, folder, spec, pixels, golden, rounds))
    return rows


def list_subjects(artifacts: Path, folder: Path) -> list[Subject]:
    """Return fp32 and w8a8 as they are, and fp32 with its first operation cut off, so that it takes floats."""
    import onnx

    files = {p: next(artifacts.glob(f"*_{p}.onnx")) for p in (Precision.FP32, Precision.W8A8)}
    model = onnx.load(files[Precision.FP32])
    entry = next(node for node in model.graph.node if model.graph.input[0].name in node.input)
    if entry.op_type not in ("DequantizeLinear", "Cast"):
        raise ImageQXError("the entrance is another", where=files[Precision.FP32], got=entry.op_type)
    for node in model.graph.node:
        node.input[:] = [model.graph.input[0].name if name == entry.output[0] else name for name in node.input]
    model.graph.node.remove(entry)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(model, folder / "floats_in.onnx")
    return [
        Subject("fp32.onnx", Precision.FP32, files[Precision.FP32], "uint8"),
        Subject("fp32.onnx, floats in", Precision.FP32, folder / "floats_in.onnx", "float32"),
        Subject("w8a8.onnx", Precision.W8A8, files[Precision.W8A8], "uint8"),
    ]


def _measure_one(
    runtime: str,
    subject: Subject,
    checkpoint: Path,
    folder: Path,
    spec: ModelSpec,
    pixels: Pixels,
    golden: Outputs,
    rounds: int,
) -> Row:
    name, size = runtime, None
    place = folder / f"{runtime}-{subject.path.stem}"
    place.mkdir()
    copy = place / subject.path.name  # pnnx writes beside it
    copy.write_bytes(subject.path.read_bytes())
    request: dict[str, Any] = {"runtime": runtime, "path": str(copy), "target": str(place / "converted")}
    request |= {"kind": "u8" if subject.dtype == "uint8" else "f32", "dtype": subject.dtype, "runs": RUNS}
    request["checkpoint"] = str(checkpoint.absolute())
    try:
        environment = prepare(runtime)
        name = f"{runtime} {read_version(environment, runtime)}"
        call(environment, {**request, "mode": "convert"}, pixels[:0])
        size = sum(count_bytes(path) for path in place.glob("converted*"))
        _, outputs = call(environment, {**request, "mode": "run", "runs": 0}, pixels)
        compared = compare_outputs(spec, golden, outputs, None)
        own = Environment("phones", None)
        ratios = []
        for _ in range(rounds):  # one after the other, so that what else the machine does meets both
            times = []
            for where, who in ((environment, runtime), (own, "ONNX Runtime")):
                found, _ = call(where, {**request, "runtime": who, "mode": "run"}, pixels[:1])
                times.append(statistics.median(found["seconds"]))
            ratios.append(times[0] / times[1])
    except UnavailableError as error:
        message = (error.got or error.what).rpartition(" / ")[2]
        return Row(name, subject.name, size, problem=message if error.got else flatten(error))
    decided = [row for row in compared if row.decisions]
    differing = sum(row.differing for row in decided), sum(row.decisions for row in decided)
    return Row(name, subject.name, size, max(row.max_abs for row in compared), differing, tuple(ratios))


def prepare(runtime: str) -> Environment:
    """Make a runtime's environment, once."""
    from imageqx_export.bench.emulator.wheels import pick_requirements

    lines = pick_requirements((_HERE / "phone_runtimes.txt").read_text(), PHONES[runtime])
    environment = Environment(runtime, "".join(f"{line}\n" for line in lines), python="3.11")
    environment.prepare()
    if runtime == "ExecuTorch":
        borrow(environment)
    return environment


def borrow(environment: Environment) -> None:
    """Let an environment find what it lacks in the project's own: torch above all, which is large."""
    beside = [path for path in sys.path if path.endswith("site-packages")]
    (environment.site / "project.pth").write_text("\n".join([*beside, str(_HERE.parent)]) + "\n")


def call(environment: Environment, request: dict[str, Any], pixels: Pixels) -> tuple[dict[str, Any], Outputs]:
    """Ask the worker; nothing that it starts finds another Python, or installs anything (MNN's converter calls pip)."""
    variables = {"PATH": str(environment.python.parent), "PIP_NO_INDEX": "1", "PIP_REQUIRE_VIRTUALENV": "1"}
    result, arrays, _ = environment.call(_WORKER, request, {"pixels": pixels}, variables, timeout=SECONDS)
    return result, {name: np.asarray(values, np.float32) for name, values in arrays.items()}


def read_version(environment: Environment, runtime: str) -> str:
    """Return the version of a runtime's wheel."""
    from importlib.metadata import distributions

    found = {d.metadata["Name"].lower(): d.version for d in distributions(path=[str(environment.site)])}
    return found[runtime.lower()]
