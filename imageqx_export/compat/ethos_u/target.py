"""Arm's Ethos-U: what the Vela compiler takes of a TFLite file, and the integers of TOSA's reference model.

TOSA is what Ethos-U85 computes by its specification; U55 and U65 round as TFLite does. Neither is a simulator of the
chip, and the milliseconds are Vela's estimate.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from imageqx_export.artifact import Format, Outputs, Pixels
from imageqx_export.compat.accelerator import Answer
from imageqx_export.compat.environments import Environment, require_linux_x86
from imageqx_export.compat.model import Control, Coverage, Refusal
from imageqx_export.support.progress import Progress, silent

CONFIGURATIONS = {
    chip: f"ethos-{chip.lower()}"
    for chip in ("U65-256", "U65-512", "U55-128", "U55-256", "U85-256", "U85-512", "U85-1024", "U85-2048")
}
CHIPS = tuple(CONFIGURATIONS)
FORMATS = (Format.TFLITE,)
_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"
_FLOAT = _HERE.parent / "control.tflite"
ENVIRONMENT = Environment("ethos-u", _HERE / "requirements.txt")


def prepare(*, accept_license: bool = False, progress: Progress = silent) -> None:
    """Make the environment, once.

    Raises:
        UnavailableError: This is not Linux on x86-64, or a wheel cannot be had.
    """
    require_linux_x86("Vela's and TOSA's wheels")
    ENVIRONMENT.prepare(progress)


def check_control(chip: str) -> Control:
    """Compile a small graph of floats, which no Ethos-U computes: Vela must leave its product to the CPU."""
    answer = run(_FLOAT, chip, np.zeros((0, 8, 8, 3), np.uint8))
    refused = answer.coverage.refused if answer.coverage else ()
    kinds = ", ".join(f"{row.count} {row.operator}" for row in refused) or "nothing"
    found = any(row.operator == "MUL" for row in refused)
    return Control(
        target="ethos-u", chip=chip, what="a product of floats", found=found, got=f"left to the CPU: {kinds}"
    )


def run(path: Path, chip: str, pixels: Pixels, *, steps: bool = False) -> Answer:
    """Compile one file for one chip; compute its outputs with TOSA's integers where all but the heads is integer."""
    request = {"path": str(path.absolute()), "configuration": CONFIGURATIONS[chip]}
    result, _, _ = ENVIRONMENT.call(_WORKER, {**request, "mode": "compile"})
    outputs: Outputs = {}
    if len(pixels) and result.get("npu"):
        outputs, trouble = _compute(path.absolute(), pixels.tobytes(), pixels.shape)
        result["trouble"] = trouble
    tools = result["versions"]
    tool = f"Vela {tools['ethos-u-vela']}, TOSA reference model {tools['tosa-tools']}"
    if "npu" not in result:
        return Answer(tool=tool, coverage=Coverage(accelerated=0, total=result["total"]), refused=result["trouble"])
    # Vela names the tensor at the end of a reason.
    counts = Counter((row["operator"], row["reason"].partition(" (")[0]) for row in result["refused"])
    refused = tuple(Refusal(operator=kind, count=count, reason=why) for (kind, why), count in counts.items())
    left = sum(row.count for row in refused) if result["npu"] else result["total"]
    return Answer(
        tool=tool,
        coverage=Coverage(accelerated=result["total"] - left, total=result["total"], refused=refused),
        outputs=outputs or None,
        refused=result["trouble"],
        dram_bytes=result["dram_bytes"],
        estimated_seconds=result["seconds"],
    )


@cache
def _compute(path: Path, pixels: bytes, shape: tuple[int, ...]) -> tuple[Outputs, str | None]:
    """Return TOSA's outputs, which are the same for every chip, or why there are none."""
    arrays = {"pixels": np.frombuffer(pixels, np.uint8).reshape(shape)}
    result, outputs, _ = ENVIRONMENT.call(_WORKER, {"path": str(path), "mode": "compute"}, arrays)
    return outputs, result["trouble"]
