"""The seam: what each accelerator's file offers, and the list of them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imageqx_export.artifact import Format, Outputs, Pixels
from imageqx_export.compat.model import Control, Coverage, Steps
from imageqx_export.errors import UnknownNameError
from imageqx_export.support.progress import Progress

TARGETS = {"qualcomm": "qualcomm", "gpu": "gpu", "ethos-u": "ethos_u"}
"""Name on the command line → module in this package."""


@dataclass(frozen=True)
class Answer:
    """What an accelerator's tools made of one file.

    Attributes:
        tool: What answered, with its version.
        coverage: How much of the file is accelerated; None where the file was not taken at all.
        outputs: float32, the batch first, by name; None where nothing was computed.
        refused: Why the file was not taken; None where it was.
        steps: How single operators compare; None where that was not asked, or not computed.
        dram_bytes: Per inference, as planned by the compiler; None where it is silent.
        estimated_seconds: Per inference, as estimated by the compiler; None where it is silent.
    """

    tool: str
    coverage: Coverage | None = None
    outputs: Outputs | None = None
    refused: str | None = None
    steps: Steps | None = None
    dram_bytes: int | None = None
    estimated_seconds: float | None = None


class Accelerator(Protocol):
    """What compiles and runs files for one family of chips, in processes and environments of its own."""

    CHIPS: Sequence[str]
    """The chips that can be named; the first is the default."""
    FORMATS: Sequence[Format]
    """What it takes."""

    def prepare(self, *, accept_license: bool, progress: Progress) -> None:
        """Make the environment, once.

        Raises:
            UnavailableError: It cannot be had on this machine, or its licence was not accepted.
        """

    def check_control(self, chip: str) -> Control:
        """Run what must be found wrong."""

    def run(self, path: Path, chip: str, pixels: Pixels, *, steps: bool) -> Answer:
        """Compile one file for one chip, and run it on uint8 [N,h,w,3].

        Raises:
            UnavailableError: The tools failed in a way that says nothing of the file.
        """


def parse_target(text: str) -> tuple[str, tuple[str, ...]]:
    """Split ``"qualcomm:SM8550,SM8650"``; without chips, the target's first one.

    Raises:
        UnknownNameError: There is no such target or chip.

    >>> parse_target("ethos-u:U65-256,U85-1024")
    ('ethos-u', ('U65-256', 'U85-1024'))
    """
    name, _, rest = text.strip().partition(":")
    if name not in TARGETS:
        raise UnknownNameError("accelerator", name, TARGETS)
    known = load_accelerator(name).CHIPS
    chips = tuple(dict.fromkeys(chip.strip() for chip in rest.split(",") if chip.strip())) or (known[0],)
    for chip in chips:
        if chip not in known:
            raise UnknownNameError(f"{name} chip", chip, known)
    return name, chips


def load_accelerator(name: str) -> Accelerator:
    """Return the target's module; its libraries are not imported, here or later: they run elsewhere."""
    module: Accelerator = importlib.import_module(f"imageqx_export.compat.{TARGETS[name]}.target")
    return module
