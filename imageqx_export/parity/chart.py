"""Draw how far every artifact is from PyTorch: a dot an output on a scale of powers of ten, and its tolerance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from imageqx_export.parity.compare import TOLERANCES, ParityReport
from imageqx_export.support.files import write_aside
from imageqx_export.support.libraries import require

# Okabe & Ito's colours, which the colour-blind can tell apart, and a shape each, for print in grey.
_MARKS: Final = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"))
_LEAST: Final = 1e-8
"""Where a |Δ| of 0 is drawn: left of all others."""

_DPI: Final = 110
_ROW: Final = 0.3  # inches


def refuse_without_library() -> None:
    """Refuse before the comparison, which takes minutes, where the chart could not be drawn after it.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    require("matplotlib")


def draw_parity(report: ParityReport, path: Path) -> None:
    """Write a PNG: per artifact the largest |Δ| of each output, and the tolerance of its precision as a bar's end.

    Args:
        report: A comparison; a |Δ| that could not be computed is not drawn, and its artifact's name says so.
        path: The file to write; replaced in one step.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row.output for artifact in report.artifacts for row in artifact.outputs))
    figure = Figure(figsize=(10, 1.6 + _ROW * len(report.artifacts)), layout="constrained")
    axes = figure.subplots()
    places = range(len(report.artifacts))
    axes.barh(places, [TOLERANCES[a.precision].max_abs for a in report.artifacts], color="#E3E8EB", label="tolerance")
    for (colour, shape), name in zip(_MARKS, names, strict=False):
        dots = [
            (max(row.max_abs, _LEAST), place)
            for place, artifact in enumerate(report.artifacts)
            for row in artifact.outputs
            if row.output == name and math.isfinite(row.max_abs)
        ]
        if dots:
            axes.plot(*zip(*dots, strict=True), shape, color=colour, label=name)
    axes.set_yticks(places, [a.path if a.passed else f"{a.path}: FAIL" for a in report.artifacts], fontsize=8)
    axes.set_ylim(len(report.artifacts) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(left=_LEAST / 2)
    axes.set_xlabel("largest |Δ| of conversion, over every number of an output (less is better)")
    axes.grid(axis="x", linewidth=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.14), ncols=1 + len(names), fontsize=8, frameon=False)
    figure.suptitle(f"{len(report.artifacts)} artifacts against PyTorch, {report.images} images", fontsize=10)
    with write_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})
