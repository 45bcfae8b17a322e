"""Qualcomm's NPU (Hexagon): ONNX and TFLite files on the simulator inside onnxruntime-qnn's wheel."""

from __future__ import annotations

import os
from pathlib import Path

from imageqx_export.artifact import Format, Pixels
from imageqx_export.compat.accelerator import Answer
from imageqx_export.compat.environments import Environment, require_linux_x86
from imageqx_export.compat.model import Control, Coverage, Refusal, Steps
from imageqx_export.errors import UnavailableError
from imageqx_export.support.progress import Progress, silent

# QNN's numbers of its chips: QnnHtpDevice.h; ONNX Runtime takes them alone.
SOCS = {
    "SM8650": 57,
    "SM8350": 30,
    "SM8450": 36,
    "SM8475": 42,
    "SM8550": 43,
    "SM8750": 69,
    "SM8850": 87,
}
CHIPS = tuple(SOCS)
FORMATS = (Format.ONNX, Format.TFLITE)
ACCEPT = "IMAGEQX_ACCEPT_QUALCOMM_LICENSE"
_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"
ENVIRONMENT = Environment("qualcomm", _HERE / "requirements.txt")


def prepare(*, accept_license: bool = False, progress: Progress = silent) -> None:
    """Make the environment, once.

    Raises:
        UnavailableError: The licence was not accepted, this is not Linux on x86-64, or a wheel cannot be had.
    """
    require_linux_x86("Qualcomm's simulator")
    if not accept_license and os.environ.get(ACCEPT) != "1":
        raise UnavailableError(
            "Qualcomm's licence is not accepted",
            expected="your word that you accept the Qualcomm AI Stack License: onnxruntime-qnn's wheel holds QNN's "
            "libraries under it (onnxruntime_qnn/Qualcomm_LICENSE.pdf), though its metadata say MIT",
            remedy=f"--accept-qualcomm-license, or {ACCEPT}=1; the wheel then comes from your package index into "
            f"{ENVIRONMENT.folder}, and nothing of it is passed on",
        )
    ENVIRONMENT.prepare(progress)


def check_control(chip: str) -> Control:
    """Run a Cast from uint8, which the simulator of every chip but SM8350 gets wrong: a CPU would get it right."""
    result, _, _ = ENVIRONMENT.call(_WORKER, {"mode": "control", "soc": SOCS[chip], "chip": chip})
    got = f"{result['wrong']} of 256 bytes wrong (0, 1, 2, 3 → {', '.join(f'{v / 2:g}' for v in result['first'])})"
    return Control(
        target="qualcomm", chip=chip, what="Cast of every byte to float32, times 2", found=result["wrong"] > 0, got=got
    )


def run(path: Path, chip: str, pixels: Pixels, *, steps: bool = False) -> Answer:
    """Compile one file for one chip, and run it on the simulator."""
    request = {
        "mode": "run",
        "path": str(path.absolute()),
        "soc": SOCS[chip],
        "chip": chip,
        "steps": steps,
    }
    result, outputs, _ = ENVIRONMENT.call(_WORKER, request, {"pixels": pixels})
    coverage = Coverage(
        accelerated=result["accelerated"],
        total=result["total"],
        refused=tuple(Refusal.model_validate(row) for row in result["refused"]),
    )
    counted = result.get("steps")
    return Answer(
        tool=f"QNN {result['qnn']}'s x86 simulator",
        coverage=coverage,
        outputs=outputs or None,
        refused=result["trouble"],
        steps=None if counted is None else Steps(**{name: counted[name] for name in Steps.model_fields}),
        dram_bytes=result.get("dram_bytes"),
    )
