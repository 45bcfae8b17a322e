"""TensorFlow Lite's library for phones, arm64, computes what PyTorch does: on an emulated Cortex-A76.

The machine code is the AAR's, under qemu with the root of ``make emulator``; the Kotlin around it is not in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from android_demo.tools.programs import run_or_raise
from android_demo.tools.tflite.native import build_for_arm64
from imageqx_export.artifact import Artifact, Format, Outputs, Pixels, Precision
from imageqx_export.bench.emulator.machine import Emulator, load_emulator
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.errors import ParityError
from imageqx_export.parity.compare import TOLERANCES, OutputParity, compare_outputs

CPU = "cortex-a76"
PICTURES = int(os.environ.get("IMAGEQX_ARM64_PICTURES", "4"))
"""Of the golden ones: an emulated inference takes seconds, so CI asks for some, and ``make`` for all: PICTURES=12."""
LIBRARY = "tflite-runtime"
"""What ``min_runtime`` calls TensorFlow Lite: a file that is right on no version of it must be beyond the tolerance."""


def check_arm64(folder: Path) -> None:
    """Run every .tflite of an export on golden pictures, and compare as parity does.

    Raises:
        DeviceError: The emulator is not built.
        ParityError: A file is beyond its tolerance and does not say so, or one that says so is not.
    """
    emulator, native = load_emulator(), build_for_arm64()
    pixels = load_golden_pixels(folder)[:PICTURES]
    print(f"  {len(pixels)} golden pictures")
    files = [artifact for artifact in read_manifest(folder).artifacts if artifact.format is Format.TFLITE]
    for artifact in files:
        got = run_model(emulator, native, folder, artifact, pixels)
        _check(artifact, _compare(folder, artifact, got))
    float32 = next(artifact for artifact in files if artifact.precision is Precision.FP32)
    swapped = run_model(emulator, native, folder, float32, pixels[:1, ..., ::-1])
    if not any(one.problems for one in _compare(folder, float32, swapped)):
        raise ParityError("red and blue changed places, and nothing was found")


def _compare(folder: Path, artifact: Artifact, got: Outputs) -> tuple[OutputParity, ...]:
    """Compare outputs for the first golden pictures with PyTorch's."""
    count = len(next(iter(got.values())))
    expected = {name: row[:count] for name, row in load_golden_outputs(folder, artifact.precision).items()}
    return compare_outputs(artifact.spec, expected, got, TOLERANCES[artifact.precision])


def run_model(emulator: Emulator, native: Path, folder: Path, artifact: Artifact, pixels: Pixels) -> Outputs:
    """Run a .tflite file on the emulated phone.

    Args:
        emulator: What runs it.
        native: The folder with ``run_model``.
        folder: The export's.
        artifact: The file's entry.
        pixels: uint8 [N,height,width,3].
    """
    spec = artifact.spec
    with TemporaryDirectory() as scratch:
        source, answers = Path(scratch) / "pixels", Path(scratch) / "answers"
        source.write_bytes(np.ascontiguousarray(pixels).tobytes())
        command = [
            *emulator.command(CPU),
            "-E",
            f"LD_LIBRARY_PATH={native.resolve()}",
            (native / "run_model").resolve(),
            (folder / artifact.path).resolve(),
            source,
            answers,
            "serving_default",
            spec.inputs[0].name,
            *(output.name for output in spec.outputs),
        ]
        run_or_raise(command, ParityError, f"{artifact.path} on arm64")
        numbers = np.fromfile(answers, np.float32).reshape(len(pixels), -1)
    sizes = [int(np.prod(output.shape)) for output in spec.outputs]
    columns = np.split(numbers, np.cumsum(sizes)[:-1], axis=1)
    return {
        output.name: part.reshape(len(pixels), *output.shape[1:])
        for output, part in zip(spec.outputs, columns, strict=True)
    }


def _check(artifact: Artifact, outputs: tuple[OutputParity, ...]) -> None:
    worst = max(one.max_abs for one in outputs)
    differing = sum(one.differing for one in outputs)
    print(
        f"  {artifact.path}: max |Δ| {worst:.2e}, {differing} of {sum(o.decisions for o in outputs)} decisions differ"
    )
    problems = [problem for one in outputs for problem in one.problems]
    if bool(problems) == (artifact.spec.min_runtime.get(LIBRARY, "unasked") is not None):
        raise ParityError(
            "arm64 gives other numbers" if problems else f"right here, and min_runtime names no version of {LIBRARY}",
            where=artifact.path,
            expected=f"max |Δ| {TOLERANCES[artifact.precision].max_abs:.0e}",
            got="; ".join(problems) or f"{worst:.2e}",
        )
