"""Show where the model looks: photos × reasons, with each reason's Grad-CAM map over the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import POOR, decide
from imageqx_export.evaluation.figures import to_words
from imageqx_export.evaluation.heatmap import blend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CAPTION = 24  # letters that fit above a tile


@dataclass(frozen=True)
class Example:
    """One row of the figure.

    Args:
        pixels: uint8 [224,224,3].
        maps: Grad-CAM per reason, float32 [5,7,7], ≥ 0.
        shares: Probability per reason.
        given: Whether the model gives the reason.
        truth: Whether the reason holds.
        caption: The photo's name, the truth, and what was decided.
    """

    pixels: NDArray[np.uint8]
    maps: NDArray[np.float32]
    shares: tuple[float, ...]
    given: tuple[bool, ...]
    truth: tuple[bool, ...]
    caption: str


def choose_examples(photos: LabelledPhotos, outputs: Outputs, spec: ModelSpec) -> tuple[Example, ...]:
    """Choose what to show: for each reason a photo that has it, and one good photo.

    Of the photos that have a reason it is the one with the median probability, not the best, so that the figure
    shows how the model usually does; where no photo has it, the most probable. The good photo is chosen likewise.

    Args:
        photos: N ≥ 1, with the truth.
        outputs: The model's ``quality``, ``explanations`` and ``attention``.
        spec: Names and thresholds.

    Returns:
        At most six, no photo twice.
    """
    chosen: list[int] = []
    for k in range(len(spec.reasons)):
        has = np.flatnonzero(photos.reasons[:, k] >= 0.5)
        chosen.append(_find_middle(has, outputs["explanations"][:, k], chosen))
    poor = spec.labels.index(POOR)
    good = np.flatnonzero((photos.quality != poor) & (photos.reasons < 0.5).all(1))
    if len(good):
        chosen.append(_find_middle(good, 1 - outputs["quality"][:, poor], chosen))
    decided = decide(outputs["quality"], spec)
    return tuple(_draw_example(k, photos, outputs, spec, int(decided[k])) for k in dict.fromkeys(chosen))


def _find_middle(places: NDArray[np.int64], probability: NDArray[np.float32], taken: Sequence[int]) -> int:
    free = np.setdiff1d(places, taken)
    if len(free) == 0:
        return int(probability.argmax())
    return int(free[np.argsort(probability[free], kind="stable")[len(free) // 2]])


def _draw_example(k: int, photos: LabelledPhotos, outputs: Outputs, spec: ModelSpec, decided: int) -> Example:
    probabilities = outputs["explanations"][k]
    name = photos.names[k]
    name = name if len(name) <= _CAPTION else "…" + name[1 - _CAPTION :]
    labels = f"{to_words(spec.labels[photos.quality[k]])} → {to_words(spec.labels[decided])}"
    return Example(
        pixels=photos.pixels[k],
        maps=outputs["attention"][k],
        shares=tuple(float(p) for p in probabilities),
        given=tuple(
            bool(p >= np.float32(spec.thresholds[r])) for r, p in zip(spec.reasons, probabilities, strict=True)
        ),
        truth=tuple(bool(flag >= 0.5) for flag in photos.reasons[k]),
        caption=f"{name}\n{labels}",
    )


def draw_attention_figure(rows: Sequence[Example], reasons: Sequence[str], title: str) -> Figure:
    """Draw the rows: the photo, then a tile per reason; bold where it is given, and with a tick where it holds.

    Within a row the maps share one scale, so that a weak map looks weak.

    Args:
        rows: One at least.
        reasons: Names of the maps.
        title: The figure's title.
    """
    from matplotlib.figure import Figure
    from PIL import Image

    columns = len(reasons) + 1
    height = 2.25 * len(rows) + 0.4
    # The places are known: a constrained layout would measure every letter for seconds to find the same.
    figure = Figure(figsize=(1.9 * columns, height))
    grid = figure.subplots(
        len(rows),
        columns,
        squeeze=False,
        gridspec_kw={
            "left": 0.01,
            "right": 0.99,
            "bottom": 0.08 / height,
            "top": 1 - 0.75 / height,
            "wspace": 0.04,
            "hspace": 0.24,
        },
    )
    for line, row in zip(grid, rows, strict=True):
        _tile(line[0], row.pixels, row.caption, bold=False)
        top = max(float(row.maps.max()), 1e-9)
        for k, reason in enumerate(reasons):
            tick = " ✓" if row.truth[k] else ""
            picture = np.asarray(blend(Image.fromarray(row.pixels), row.maps[k] / top))
            _tile(line[k + 1], picture, f"{to_words(reason)}\n{row.shares[k]:.0%}{tick}", bold=row.given[k])
    figure.suptitle(title, fontsize=11, y=1 - 0.08 / height, va="top")
    return figure


def _tile(axes: Axes, picture: NDArray[np.uint8], caption: str, *, bold: bool) -> None:
    axes.imshow(picture, interpolation="bilinear")
    axes.set_title(caption, fontsize=8.5, fontweight="bold" if bold else "normal")
    axes.set_axis_off()
