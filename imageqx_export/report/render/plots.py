"""Draw a report's plots. Nothing is drawn through pyplot, so nothing is kept globally."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageqx_export.report.model import Point, Report
from imageqx_export.report.render import words
from imageqx_export.report.render.svg import INK, LINE, MUTED, SERIES, apply_style, write_inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", "-.", ":")
_BY_FORMAT = {".onnx": "o", ".tflite": "s", ".mlpackage": "^"}
_MOST_TICKS = 8


@dataclass(frozen=True)
class Choice:
    """One artifact as a choice: what it costs and what it is worth.

    Attributes:
        number: On the plot and in its table.
        artifact: The file's name.
        time: Seconds, or instructions where nothing was timed.
        size: Bytes.
        worth: Macro F1 (more is better), or largest |Δ| from the checkpoint (less is better), or None.
        best: Whether no other artifact is as good in all of them and better in one.
    """

    number: int
    artifact: str
    time: float
    size: float
    worth: float | None
    best: bool


@dataclass(frozen=True)
class Pareto:
    """The choices on one target.

    Attributes:
        target: Such as ``"host"``.
        timed: Whether ``time`` is seconds.
        worth: What ``worth`` is: ``"macro F1"``, ``"max |Δ|"`` or "" where it is not known of every artifact.
        choices: One an artifact that has a time.
    """

    target: str
    timed: bool
    worth: str
    choices: tuple[Choice, ...]


def find_paretos(report: Report) -> tuple[Pareto, ...]:
    """Return the choices on every target on which two artifacts or more were measured."""
    found = []
    for target in dict.fromkeys(row.target for row in report.rows):
        rows = [row for row in report.rows if row.target == target]
        timed = any(row.p50.after for row in rows)
        costs = {}
        for row in rows:
            time, size = (row.p50 if timed else row.instructions).after, row.size.after
            if time and size:
                costs[row.artifact] = (time, size)
        if len(costs) > 1:
            found.append(_build_pareto(report, target, timed, costs))
    return tuple(found)


def _build_pareto(report: Report, target: str, timed: bool, costs: dict[str, tuple[float, float]]) -> Pareto:
    scores = {row.artifact: row.macro_f1 for row in report.accuracies if row.artifact in costs}
    errors = {name: error for name in costs if (error := _find_error(report, name, target)) is not None}
    kind, worth = next(
        ((kind, known) for kind, known in (("macro F1", scores), ("max |Δ|", errors)) if len(known) == len(costs)),
        ("", {}),
    )
    sign = -1.0 if kind == "macro F1" else 1.0
    points = [(*cost, sign * worth[name]) if kind else cost for name, cost in costs.items()]
    best = find_front(points)
    choices = tuple(
        Choice(number, name, *cost, worth.get(name), number - 1 in best)
        for number, (name, cost) in enumerate(costs.items(), 1)
    )
    return Pareto(target, timed, kind, choices)


def _find_error(report: Report, artifact: str, target: str) -> float | None:
    here = next((row.max_error.after for row in report.rows if (row.artifact, row.target) == (artifact, target)), None)
    if here is not None or report.parity is None:
        return here
    cells = [cell.max_abs for cell in report.parity.cells if cell.artifact == artifact]
    known = [value for value in cells if value is not None]
    return max(known) if known and len(known) == len(cells) else None


def find_front(points: Sequence[tuple[float, ...]]) -> set[int]:
    """Return the places of the points that no other beats: not larger anywhere, and smaller somewhere.

    >>> sorted(find_front([(1, 3), (2, 2), (3, 3)]))
    [0, 1]
    """

    def beaten(one: tuple[float, ...]) -> bool:
        return any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in points)

    return {place for place, point in enumerate(points) if not beaten(point)}


def draw_pareto(pareto: Pareto, name: str) -> str:
    """Return the plot of size against time; numbers lead to the table below it."""
    from matplotlib.figure import Figure

    scale = 1e3 if pareto.timed else 1e-6
    with apply_style():
        figure = Figure(figsize=(5.4, 3.7), layout="constrained")
        axes = figure.subplots()
        if not pareto.worth:  # with a third number, the front is no line in this plane
            edge = sorted((c.time * scale, c.size / 1e6) for c in pareto.choices if c.best)
            axes.plot(*zip(*edge, strict=True), color=MUTED, linewidth=1, linestyle=":", zorder=1)
        for choice in pareto.choices:
            suffix = choice.artifact[choice.artifact.rfind(".") :]
            x, y = choice.time * scale, choice.size / 1e6
            fill = SERIES[0] if choice.best else "none"
            axes.scatter([x], [y], s=70, marker=_BY_FORMAT.get(suffix, "D"), facecolors=fill, edgecolors=SERIES[0])
        for (x, y), numbers in _merge_labels(pareto, scale).items():
            axes.annotate(numbers, (x, y), (7, 5), textcoords="offset points", color=INK, fontsize=12)
        axes.set_xlabel("p50 of one inference, ms" if pareto.timed else "instructions of one inference, millions")
        axes.set_ylabel("size, MB")
        axes.margins(0.14)
        axes.set_ylim(bottom=0)
        _simplify(axes)
        what = "time" if pareto.timed else "instructions"
        title = f"Size against {what} on {pareto.target}"
        return write_inline(figure, name, title, f"{title}: the numbers are in the table that follows.")


def _merge_labels(pareto: Pareto, scale: float) -> dict[tuple[float, float], str]:
    """Return the label of each place, one for choices whose own labels would lie upon one another."""
    places = [(choice.time * scale, choice.size / 1e6) for choice in pareto.choices]
    wide, high = (max(column) - min(column) or 1.0 for column in zip(*places, strict=True))
    high = max(high, max(y for _, y in places))  # that axis begins at 0
    labels: dict[tuple[float, float], str] = {}
    for choice, (x, y) in zip(pareto.choices, places, strict=True):
        near = (p for p in labels if abs(p[0] - x) < 0.05 * wide and abs(p[1] - y) < 0.05 * high)
        place = next(near, (x, y))
        labels[place] = f"{labels[place]}, {choice.number}" if place in labels else str(choice.number)
    return labels


def draw_history(points: Sequence[Point], name: str) -> str | None:
    """Return the lines of one target over its runs: time, instructions and size, each where there are two or more.

    Args:
        points: Of one target, the oldest first.
        name: Unique on the page.

    Returns:
        None where no artifact has two runs with a number.
    """
    from matplotlib.figure import Figure

    kinds: list[tuple[str, Callable[[Point], float | None]]] = [
        ("p50, ms", lambda point: None if point.p50 is None else point.p50 * 1e3),
        ("instructions, millions", lambda point: None if point.instructions is None else point.instructions / 1e6),
        ("size, MB", lambda point: point.size / 1e6),
    ]
    read = [(label, _collect_lines(points, value)) for label, value in kinds]
    panels = [(label, lines) for label, lines in read if any(len(line) > 1 for line in lines.values())]
    if not panels:
        return None
    runs = list(dict.fromkeys((point.run_id, point.commit[:7]) for point in points))
    artifacts = list(dict.fromkeys(point.artifact for point in points))
    with apply_style():
        height = 1.9 * len(panels) + 0.22 * len(artifacts) + 0.6
        figure = Figure(figsize=(5.4, height), layout="constrained")
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
        for axes, (label, lines) in zip(grid[:, 0], panels, strict=True):
            _draw_lines(axes, lines, artifacts, label)
        last = grid[-1, 0]
        step = -(-len(runs) // _MOST_TICKS)
        places = list(range(0, len(runs), step))
        last.set_xticks(places, [runs[place][1] for place in places], rotation=30, ha="right")
        last.set_xlabel("runs, the oldest first, by commit")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower left", fontsize=9.5, handlelength=3.2)
        title = f"{len(runs)} runs on {points[0].target}"
        shown = ", ".join(label.split(",")[0] for label, _ in panels)
        return write_inline(figure, name, title, f"Lines of {shown} for {', '.join(artifacts)}; one point a run.")


def _collect_lines(
    points: Sequence[Point], read: Callable[[Point], float | None]
) -> dict[str, list[tuple[int, float]]]:
    order = {run: place for place, run in enumerate(dict.fromkeys(point.run_id for point in points))}
    lines: dict[str, list[tuple[int, float]]] = {}
    for point in points:
        value = read(point)
        if value is not None:
            lines.setdefault(point.artifact, []).append((order[point.run_id], value))
    return lines


def _draw_lines(axes: Axes, lines: dict[str, list[tuple[int, float]]], artifacts: Sequence[str], label: str) -> None:
    for k, artifact in enumerate(artifacts):
        places, values = zip(*lines.get(artifact, [(float("nan"), float("nan"))]), strict=True)
        axes.plot(
            places,
            values,
            label=artifact,
            color=SERIES[k % len(SERIES)],
            linestyle=_DASHES[k % len(_DASHES)],
            marker=_MARKERS[k % len(_MARKERS)],
            markersize=5,
            linewidth=1.4,
        )
    axes.set_ylabel(label)
    axes.margins(y=0.12)
    _simplify(axes)


def _simplify(axes: Axes) -> None:
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def group_history(report: Report) -> tuple[tuple[str, tuple[Point, ...]], ...]:
    """Return the points of each target, the oldest first."""
    targets = dict.fromkeys(point.target for point in report.points)
    return tuple((target, tuple(p for p in report.points if p.target == target)) for target in targets)


def format_choice(pareto: Pareto, choice: Choice) -> tuple[str, ...]:
    """Return a choice's line in the table below its plot."""
    time = words.format_seconds(choice.time) if pareto.timed else words.format_count(choice.time)
    if pareto.worth == "":
        worth = words.ABSENT
    else:
        worth = words.format_difference(choice.worth) if pareto.worth != "macro F1" else f"{choice.worth:.3f}"
    return (
        str(choice.number),
        choice.artifact,
        time,
        words.format_megabytes(choice.size),
        worth,
        "yes" if choice.best else "no",
    )
