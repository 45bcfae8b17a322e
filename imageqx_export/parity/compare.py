"""Compare two networks' outputs, number by number and decision by decision; the one table of tolerances."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from imageqx_export.artifact import ModelSpec, Outputs, Precision
from imageqx_export.decisions import decide_output, measure_margins
from imageqx_export.support.frozen import Frozen


class Tolerance(Frozen):
    """The most that an artifact may differ from PyTorch.

    Args:
        max_abs: Largest |Δ| of any number of any output.
        agreement: Share of decisions (label; each reason) that must be the same, in [0, 1].
        margin: A decision may differ, and counts as the same, where PyTorch's own margin is below this.
    """

    max_abs: float
    agreement: float
    margin: float


# The one table of tolerances: what a conversion may change. fp32 and fp16 are compared with the float32 checkpoint,
# w8 and w8a8 with the same network quantized in PyTorch.
TOLERANCES = {
    Precision.FP32: Tolerance(max_abs=1e-4, agreement=1.0, margin=1e-3),
    Precision.FP16: Tolerance(max_abs=5e-3, agreement=0.995, margin=0.0),
    Precision.W8: Tolerance(max_abs=1e-2, agreement=0.999, margin=0.0),
    Precision.W8A8: Tolerance(max_abs=1e-2, agreement=0.999, margin=0.0),
}
# What an accelerator may change, compared in the same way. Not the 1e-2 of CPUs: an accelerator is right operator by
# operator, up to one quantization step (of sampled operators on Qualcomm's simulator 0.9 % of the values are one off),
# and w8a8 rounds some 170 times in a row. Measured on the whole network, max |Δ| of any output: 0.092 on Qualcomm's
# simulator, 0.086 with TOSA's integers, 0.036 on SwiftShader, with all but one of 64 labels; float files compute in
# float16 on an NPU, 0.035. A wrong graph is far from these: with the Cast from uint8 that Qualcomm's compiler gets
# wrong, an output is 0.9 off or more, and most labels differ.
_HALF = Tolerance(max_abs=0.05, agreement=0.98, margin=0.05)
_INTEGER = Tolerance(max_abs=0.15, agreement=0.98, margin=0.05)
ACCELERATOR_TOLERANCES = {
    Precision.FP32: _HALF,
    Precision.FP16: _HALF,
    Precision.W8: _HALF,
    Precision.W8A8: _INTEGER,
}
ACCELERATOR_STEPS = 1
"""By how many quantization steps one operator of an accelerator may differ from the CPU's, fed with its integers."""
ADVICE = {
    "unreadable": "export it again; if it was pulled, its copy is damaged",
    "nan": "an operation overflows: keep it in float32, or look at the input range",
    "shape": "the graph is not this ModelSpec's: export it again",
    "interface": "names and order must be the ModelSpec's: export it again",
    "delta": "normalisation, channel order or resizing differ, or the weights are another checkpoint's",
    "decisions": "raise the precision, or move the thresholds away from where photos lie",
    "digest": "the file is not the one that was exported: pull or export it again",
}


Distance = Annotated[float, Field(ge=0, allow_inf_nan=True)]


class OutputParity(Frozen):
    """The comparison of one output of one artifact.

    Attributes:
        output: The output's name.
        max_abs: Largest |Δ|; infinite where it could not be computed.
        mean_abs: Mean |Δ|.
        cosine: Cosine of the angle between both, over all images; 1 is equal direction.
        sqnr_db: 10·log10(Σ reference² / Σ Δ²) in dB; None where Δ is 0 everywhere.
        decisions: How many decisions were taken on this output.
        differing: How many of them differ, excused ones not counted.
        excused: How many differ within the tolerated margin.
        problems: Every reason for failing, in words; empty is a pass.
    """

    output: str
    max_abs: Distance
    mean_abs: Distance
    cosine: float
    sqnr_db: float | None
    decisions: int
    differing: int
    excused: int
    problems: tuple[str, ...]


class ArtifactParity(Frozen):
    """The comparison of one artifact; ``problems`` concern the file as a whole."""

    path: str
    precision: Precision
    outputs: tuple[OutputParity, ...]
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and something was compared."""
        return bool(self.outputs) and not self.problems and not any(output.problems for output in self.outputs)


class QuantizationLoss(Frozen):
    """The difference of the network quantized in PyTorch from the float32 one; it is measured, and held to no limit.

    Attributes:
        precision: The numeric scheme.
        recipe: The recipe's file, relative to the artifacts' folder.
        outputs: One row an output.
    """

    precision: Precision
    recipe: str
    outputs: tuple[OutputParity, ...]


class ParityReport(Frozen):
    """A whole comparison.

    Attributes:
        checkpoint_sha256: Digest of the checkpoint.
        images: How many images were compared.
        source: Where they come from.
        artifacts: What conversion changed: each file against PyTorch in the same scheme (fp16: against float32).
        quantization: What quantization changed: each quantized scheme in PyTorch against float32 in PyTorch.
        left_out: Per reason, how many files beside the photos were passed over; empty, and not written, for generated
            images.
    """

    checkpoint_sha256: str
    images: int
    source: Literal["generated", "photos"]
    artifacts: tuple[ArtifactParity, ...]
    quantization: tuple[QuantizationLoss, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _leave_out(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Write nothing of what was passed over where nothing was, so that older readers know every key."""
        fields: dict[str, object] = serialize(self)
        return {name: value for name, value in fields.items() if name != "left_out" or value}

    @property
    def passed(self) -> bool:
        """Whether every artifact passed, and there is at least one."""
        return bool(self.artifacts) and all(artifact.passed for artifact in self.artifacts)


def compare_outputs(
    spec: ModelSpec, reference: Outputs, got: Outputs, tolerance: Tolerance | None
) -> tuple[OutputParity, ...]:
    """Compare what a file gave with what PyTorch gave, output by output.

    Args:
        spec: Names, shapes and thresholds.
        reference: PyTorch's outputs, float32 [N,…] by name.
        got: The file's.
        tolerance: How far they may be apart; None to measure alone.
    """
    return tuple(
        _compare(spec, output.name, reference[output.name], got.get(output.name), tolerance) for output in spec.outputs
    )


def _compare(
    spec: ModelSpec, name: str, want: NDArray[np.float32], got: NDArray[np.float32] | None, tolerance: Tolerance | None
) -> OutputParity:
    problem = _find_unusable(want, got)
    if problem is not None or got is None:
        return OutputParity(
            output=name,
            max_abs=float("inf"),
            mean_abs=float("inf"),
            cosine=0.0,
            sqnr_db=None,
            decisions=0,
            differing=0,
            excused=0,
            problems=(problem or "",),
        )
    x, y = want.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    delta = np.abs(x - y)
    differing, excused, decisions = _count_decisions(spec, name, want, got, tolerance.margin if tolerance else 0.0)
    problems = []
    if tolerance and not delta.max() <= tolerance.max_abs:
        problems.append(explain_problem("delta", f"max |Δ| {delta.max():.2e} > {tolerance.max_abs:.0e}"))
    if tolerance and decisions and (decisions - differing) / decisions < tolerance.agreement:
        text = f"{differing} of {decisions} decisions differ, {tolerance.agreement:.1%} must agree"
        problems.append(explain_problem("decisions", text))
    power, error = float((x**2).sum()), float((delta**2).sum())
    length = np.sqrt(power * float((y**2).sum()))
    return OutputParity(
        output=name,
        max_abs=float(delta.max()),
        mean_abs=float(delta.mean()),
        cosine=float(x @ y / length) if length else float(power == float((y**2).sum())),
        sqnr_db=None if error == 0 else float(10 * np.log10(max(power, 1e-300) / error)),
        decisions=decisions,
        differing=differing,
        excused=excused,
        problems=tuple(problems),
    )


def _find_unusable(want: NDArray[np.float32], got: NDArray[np.float32] | None) -> str | None:
    if got is None:
        return explain_problem("interface", "the output is missing")
    if got.shape != want.shape:
        return explain_problem("shape", f"shape is {list(got.shape)}, expected {list(want.shape)}")
    bad = int((~np.isfinite(got)).sum())
    return explain_problem("nan", f"{bad} of {got.size} values are NaN or infinite") if bad else None


def _count_decisions(
    spec: ModelSpec, name: str, want: NDArray[np.float32], got: NDArray[np.float32], margin: float
) -> tuple[int, int, int]:
    """Count decisions that differ, that differ within the margin, and that there are."""
    decided = decide_output(name, want, spec)
    if decided is None:
        return 0, 0, 0
    differs = decided != decide_output(name, got, spec)
    excused = differs & (measure_margins(name, want, got, spec) < margin)
    return int((differs & ~excused).sum()), int(excused.sum()), int(differs.size)


def explain_problem(kind: str, text: str) -> str:
    """Return a problem in words, with what to try."""
    return f"{text} — try: {ADVICE[kind]}"
