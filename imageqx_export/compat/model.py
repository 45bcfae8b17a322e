"""What an accelerator made of an artifact: values that reports, manifests and apps read."""

from __future__ import annotations

from typing import Literal

from imageqx_export.artifact import Format, Precision, Proof
from imageqx_export.decisions import QUALITY
from imageqx_export.parity.compare import OutputParity
from imageqx_export.support.frozen import Frozen

Verdict = Literal["right", "wrong", "refused", "estimated", "unproved", "unavailable"]
"""``estimated``: the compiler's figures alone, nothing was computed. ``unproved``: it was not shown that the
accelerator answered."""


class Refusal(Frozen):
    """Operators that an accelerator's compiler left to the CPU.

    Attributes:
        operator: The kind, as the file calls it.
        count: How many.
        reason: The compiler's own words; empty where it gave none.
    """

    operator: str
    count: int
    reason: str = ""


class Coverage(Frozen):
    """How much of a file the accelerator takes.

    Attributes:
        accelerated: Operators of the file on the accelerator.
        total: Operators in the file.
        refused: The others.
    """

    accelerated: int
    total: int
    refused: tuple[Refusal, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is left to the CPU."""
        return 0 < self.total == self.accelerated


class Steps(Frozen):
    """How single operators on the accelerator differ from the CPU's, each fed with the CPU's own integers.

    Attributes:
        operators: How many were run alone.
        values: How many integers they gave.
        differing: How many of these differ.
        worst: The largest difference, in quantization steps.
    """

    operators: int
    values: int
    differing: int
    worst: int


ReferenceKind = Literal["golden", "pytorch", "cpu"]
"""PyTorch's outputs as the export kept them, as they were computed now, or the same file's on this CPU."""


class AcceleratorResult(Frozen):
    """One file on one accelerator.

    Attributes:
        artifact: The file's name.
        sha256: Digest of the file.
        format: Its format.
        precision: Its scheme; None of a file that is in no manifest.
        target: ``"qualcomm"``, ``"gpu"`` or ``"ethos-u"``.
        chip: Of the target's, such as ``"SM8650"``.
        tool: What said so, with its version.
        verdict: The answer.
        reference: What the outputs were compared with: see :data:`ReferenceKind`.
        coverage: How much of the file the accelerator takes; None where it took nothing.
        outputs: How each output compares; empty where nothing was computed.
        decided_by: The output that the photo's label, or good or poor, is read from.
        steps: How single operators compare; None where that was not asked.
        dram_bytes: Bytes read from and written to DRAM per inference, as the compiler planned; None where it is silent.
        estimated_seconds: Per inference, as the compiler estimates; no measurement.
        problems: Why it is not right, in words.
        silicon: Whether a real chip computed this. Never so far: compilers and simulators did.
    """

    artifact: str
    sha256: str
    format: Format
    precision: Precision | None
    target: str
    chip: str
    tool: str
    verdict: Verdict
    reference: ReferenceKind | None = None
    coverage: Coverage | None = None
    outputs: tuple[OutputParity, ...] = ()
    decided_by: str = QUALITY
    steps: Steps | None = None
    dram_bytes: int | None = None
    estimated_seconds: float | None = None
    problems: tuple[str, ...] = ()
    silicon: Literal[False] = False

    def get_label(self) -> OutputParity | None:
        """Return how the output compares that decides about the photo; None where nothing was computed."""
        return next((output for output in self.outputs if output.output == self.decided_by), None)


class Control(Frozen):
    """A check that must fail, run before the files: without it, a CPU that answers instead would go unseen.

    Attributes:
        target: Whose.
        chip: On which.
        what: What was run, in words.
        found: Whether it was found wrong, as it must be.
        got: What was seen.
    """

    target: str
    chip: str
    what: str
    found: bool
    got: str


class Recorded(Frozen):
    """What a record has of the very same bytes on a chip; it was not asked now.

    Attributes:
        artifact: The file's name.
        target: The accelerator.
        chip: Which of the proof's chips.
        proof: What was shown.
    """

    artifact: str
    target: str
    chip: str
    proof: Proof


class CompatReport(Frozen):
    """Artifacts × accelerators.

    Attributes:
        images: How many pictures each file was asked about.
        source: Which: the export's golden ones, or those that parity makes.
        controls: The checks that had to fail.
        results: One row a file and chip.
        recorded: The files and chips that were not asked, as a record has them.
    """

    images: int
    source: Literal["golden", "generated"] = "golden"
    controls: tuple[Control, ...]
    results: tuple[AcceleratorResult, ...]
    recorded: tuple[Recorded, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no accelerator gave wrong answers, and at least one was asked, now or for the record."""
        verdicts = [row.verdict for row in self.results] + [row.proof.verdict for row in self.recorded]
        return bool(verdicts) and not any(verdict in ("wrong", "unproved") for verdict in verdicts)
