"""Phones' GPUs: LiteRT's WebGPU accelerator, the one that its Android package has, on SwiftShader's software Vulkan.

It shows which operators the accelerator takes and that its kernels compute them right. What a real Adreno or Mali does
in float16 it does not show.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Format, Pixels
from imageqx_export.compat.accelerator import Answer
from imageqx_export.compat.environments import Environment, require_linux_x86
from imageqx_export.compat.model import Control, Coverage, Refusal
from imageqx_export.errors import UnavailableError
from imageqx_export.support.libraries import require
from imageqx_export.support.progress import Progress, silent

CHIPS = ("swiftshader",)
FORMATS = (Format.TFLITE,)
DRIVER = "IMAGEQX_VULKAN_DRIVER"
_WORKER = Path(__file__).with_name("worker.py")
# Not Mesa's lavapipe: with it, constants came back for outputs, or the adapter was refused.
_PLACES = ("/usr/lib/chromium/vk_swiftshader_icd.json", "/opt/google/chrome/vk_swiftshader_icd.json")
_ADAPTER = re.compile(r"Selected adapter: ([^\n]*?), arch=")
_REFUSED = re.compile(r"^([A-Z_0-9]+): (.+)$", re.MULTILINE)
_SPLIT = re.compile(
    r"([0-9]{1,9}) operations will run on the GPU, and the remaining ([0-9]{1,9}) operations will run on the CPU"
)
_TINY = Path(__file__).parents[1] / "control.tflite"


def prepare(*, accept_license: bool = False, progress: Progress = silent) -> None:
    """See that LiteRT and SwiftShader are there.

    Raises:
        UnavailableError: One is not.
    """
    require_linux_x86("SwiftShader as Debian's Chromium has it")
    require("ai_edge_litert")
    find_driver()


def find_driver() -> Path:
    """Return the description of SwiftShader's Vulkan driver: ``$IMAGEQX_VULKAN_DRIVER``, or Chromium's.

    Raises:
        UnavailableError: There is none.
    """
    asked = os.environ.get(DRIVER)
    for place in [asked] if asked else _PLACES:
        if Path(place).is_file():
            return Path(place)
    raise UnavailableError(
        "no SwiftShader",
        where=asked or _PLACES[0],
        expected="Vulkan's description of the driver that Chromium carries",
        remedy=f"apt install chromium-common, or {DRIVER}=…/vk_swiftshader_icd.json",
    )


def check_control(chip: str) -> Control:
    """Double bytes on the GPU alone, and then without a Vulkan driver: nobody may answer."""
    pixels = np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)
    _, outputs, _ = _call(_TINY, pixels, find_driver(), cpu=False)
    right = bool(np.array_equal(outputs["y"], 2.0 * pixels))
    try:
        _call(_TINY, pixels, Path("/nonexistent.json"), cpu=False)
        got = "an answer: another processor gave it"
    except UnavailableError:
        got = "no answer"
    return Control(
        target="gpu",
        chip=chip,
        what="192 bytes doubled by the GPU alone, and again without its driver",
        found=right and got == "no answer",
        got=f"{'right' if right else 'wrong'}, then {got}",
    )


def run(path: Path, chip: str, pixels: Pixels, *, steps: bool = False) -> Answer:
    """Compile one file for the GPU, and run it there; what it refuses runs on the CPU, as on a phone."""
    result, outputs, printed = _call(path, pixels, find_driver(), cpu=True)
    adapter = _ADAPTER.search(printed)
    if adapter is None:
        raise UnavailableError("LiteRT chose no GPU", where=path, remedy=f"{DRIVER}=…/vk_swiftshader_icd.json")
    return Answer(
        tool=f"LiteRT's WebGPU accelerator on {adapter[1]}", coverage=read_coverage(result, printed), outputs=outputs
    )


def read_coverage(result: dict[str, Any], printed: str) -> Coverage:
    """Return what the accelerator takes, from what LiteRT printed.

    Args:
        result: ``total`` operators, and whether they are the ``whole``.
        printed: What was printed.
    """
    total, split = int(result["total"]), _SPLIT.search(printed)
    left = int(split[2]) if split else 0 if result["whole"] else total
    listed = printed.partition("not supported by GPU delegate:")[2].partition(" operations will run")[0]
    reasons = _REFUSED.findall(listed) or ([("?", "LiteRT did not say")] if left else [])
    refused = tuple(
        Refusal(operator=kind, count=left if len(reasons) == 1 else 0, reason=why.strip()) for kind, why in reasons
    )
    return Coverage(accelerated=total - left, total=total, refused=refused)


def _call(
    path: Path, pixels: Pixels, driver: Path, *, cpu: bool
) -> tuple[dict[str, Any], dict[str, NDArray[Any]], str]:
    libraries = [str(driver.parent), os.environ.get("LD_LIBRARY_PATH", "")]
    variables = {
        "VK_DRIVER_FILES": str(driver),
        "VK_ICD_FILENAMES": str(driver),  # the older loader's name for the same
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
    }
    request = {"path": str(path.absolute()), "cpu": cpu}
    return Environment("gpu", None).call(_WORKER, request, {"pixels": pixels}, variables)
