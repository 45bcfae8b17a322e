"""Draw what accelerators made of the artifacts: how far from the checkpoint, a mark an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from imageqx_export.report.model import Proved
from imageqx_export.report.render.rows import finish_rows, make_rows
from imageqx_export.report.render.svg import SERIES, apply_style, write_inline

_MARKERS: Final = ("o", "s", "^", "D")
_LEAST: Final = 1e-4
"""Where smaller differences are drawn; they are no news."""


def draw_proofs(proved: Sequence[Proved]) -> str | None:
    """Return the plot of every artifact's largest |Δ| per target; hollow marks are wrong answers.

    Args:
        proved: As the report has them.

    Returns:
        None where no two numbers can be compared.
    """
    shown = [row for row in proved if any(proof.max_abs is not None for proof in row.proofs)]
    targets = list(dict.fromkeys(proof.target for row in shown for proof in row.proofs if proof.max_abs is not None))
    answers = [(place, proof) for place, row in enumerate(shown) for proof in row.proofs if proof.max_abs is not None]
    if len(answers) < 2:
        return None
    with apply_style():
        figure, axes = make_rows(len(shown), 0.3)
        for k, target in enumerate(targets):
            colour, marker = SERIES[k % len(SERIES)], _MARKERS[k % len(_MARKERS)]
            for name, right, fill in ((target, True, colour), (f"{target}, not right", False, "none")):
                mine = [(p.max_abs, y) for y, p in answers if p.target == target and (p.verdict == "right") == right]
                if mine:
                    distances = [max(distance or 0.0, _LEAST) for distance, _ in mine]
                    places = [place for _, place in mine]
                    axes.scatter(distances, places, s=55, marker=marker, facecolors=fill, edgecolors=colour, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # the scale's own is in TeX, which is off here
        finish_rows(figure, axes, [row.artifact for row in shown], "largest |Δ| from the checkpoint", 3)
        title = "Differences of accelerators from the checkpoint"
        return write_inline(
            figure, "proofs", title, f"{title}, by artifact: the numbers are in the table that follows."
        )
