"""Write a report as one page that needs nothing else: no network, no script, light and dark, wide and phone-wide."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from imageqx_export.compat.versions.grid import shorten_artifact
from imageqx_export.report import robustness, sensitivity
from imageqx_export.report.model import Breakdown, Layers, ParityCell, Report, Row
from imageqx_export.report.render import plots, words
from imageqx_export.report.render.accuracy_plot import draw_accuracies
from imageqx_export.report.render.proof_plot import draw_proofs
from imageqx_export.report.render.sensitivity_plot import draw_sensitivity
from imageqx_export.report.rules.verdicts import MARKS, Verdict
from imageqx_export.support.escapes import show_controls

_TOP = 15
_RUNTIME_CLASSES = {
    "right": "good",
    "read": "good",
    "wrong": "bad",
    "failed": "bad",
    "refused": "open",
    "unavailable": "none",
}
_CLASSES = {
    Verdict.OK: "good",
    Verdict.IMPROVED: "good",
    Verdict.NO_CHANGE: "good",
    Verdict.REGRESSION: "bad",
    Verdict.SUSPICIOUS: "open",
    Verdict.INSUFFICIENT: "open",
    Verdict.UNAVAILABLE: "none",
}
_HEAT_STEPS = 5
_DECADES = 4  # of the tolerance; what is smaller is as cold as it gets


def render_html(report: Report) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("imageqx_export.report.render", "."),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # Control characters would break the page where it is read as XML.
        finalize=_show_controls,
    )
    environment.filters.update(
        seconds=words.format_seconds,
        bytes=words.format_bytes,
        count=words.format_count,
        small=words.format_difference,
        percent=words.format_change,
        breakable=make_breakable,
        tight=bind_percent_signs,
    )
    return environment.get_template("report.html.j2").render(
        r=report,
        words=words,
        robustness=robustness,
        sensitivity=sensitivity,
        marks=MARKS,
        classes=_CLASSES,
        runtime_classes=_RUNTIME_CLASSES,
        shorten_artifact=shorten_artifact,
        heat=rate_heat,
        heat_table=build_heat_table,
        by_target=_group_by_target(report),
        tables=_build_tables(report),
        drawn=_draw_plots(report),
    )


def _show_controls(value: object) -> object:
    return show_controls(value) if type(value) is str else value  # Markup is ours


def make_breakable(name: str) -> Markup:
    """Return a name that may go on in the next line after "_", "/" and ";"; escaped.

    >>> print(make_breakable("a_<b>.onnx"))
    a_<wbr>&lt;b&gt;.onnx
    """
    parts = re.split(r"(?<=[_/;])", show_controls(name))
    return Markup("<wbr>").join(parts)  # which escapes each part


def bind_percent_signs(text: str) -> str:
    """Return a text whose percent signs stay with their numbers."""
    return text.replace(" %", "\u00a0%")


def _group_by_target(report: Report) -> list[tuple[str, list[Row]]]:
    targets = dict.fromkeys(row.target for row in report.rows)
    return [(target, [row for row in report.rows if row.target == target]) for target in targets]


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        target: What it is of.
        svg: The ``<svg>`` element; made here, every text in it escaped.
        head: Of the table that says the same, or nothing.
        rows: Likewise.
        note: What the reader must know.
    """

    target: str
    svg: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""


def _draw_plots(report: Report) -> dict[str, list[Plot]]:
    choices = []
    for k, pareto in enumerate(plots.find_paretos(report)):
        time = "p50" if pareto.timed else "instructions"
        head = ("", "artifact", time, "size", pareto.worth or "accuracy", "front")
        rows = tuple(plots.format_choice(pareto, choice) for choice in pareto.choices)
        choices.append(
            Plot(pareto.target, plots.draw_pareto(pareto, f"pareto{k}"), head, rows, _explain_worth(pareto.worth))
        )
    lines = []
    for k, (target, points) in enumerate(plots.group_history(report)):
        svg = plots.draw_history(points, f"history{k}")
        if svg is not None:
            lines.append(Plot(target, svg))
    proofs, accuracies = draw_proofs(report.proved), draw_accuracies(report.accuracies)
    layers = [(one, draw_sensitivity(one, f"sensitivity{k}")) for k, one in enumerate(report.sensitivity)]
    return {
        "sensitivity": [
            Plot(
                sensitivity.write_caption(one),
                svg,
                sensitivity.list_head(one),
                tuple(sensitivity.list_cells(one)),
            )
            for one, svg in layers
            if svg is not None
        ],
        "pareto": choices,
        "history": lines,
        "proofs": [] if proofs is None else [Plot("accelerators", proofs)],
        "accuracies": [] if accuracies is None else [Plot("accuracy", accuracies)],
    }


def _explain_worth(kind: str) -> str:
    if kind == "macro F1":
        return "Accuracy is the macro F1 of the quality labels, from the evaluations that were given."
    missing = "No evaluation of every artifact was given, so this page does not know their accuracy. "
    if kind:
        return missing + "In its place stands the largest difference from the checkpoint's outputs."
    return missing + "Nor is the difference from the checkpoint known of each: the front is of size and time alone."


@dataclass(frozen=True)
class Bar:
    """A line of a table with a bar.

    Attributes:
        name: What it is.
        kind: Of which kind.
        value: In words.
        share: Of the whole, in [0, 1].
    """

    name: str
    kind: str
    value: str
    share: float


@dataclass(frozen=True)
class Costs:
    """The costs of one artifact's parts.

    Attributes:
        artifact: The file's name.
        target: Such as ``"host"``, or "" for bytes.
        total: In words.
        kinds: By kind, the largest first.
        parts: The largest parts.
        rest: How many parts are not shown.
    """

    artifact: str
    target: str
    total: str
    kinds: tuple[Bar, ...]
    parts: tuple[Bar, ...]
    rest: int


def _build_tables(report: Report) -> dict[str, list[Costs]]:
    return {"time": [_sum_times(one) for one in report.layers], "size": [_sum_bytes(one) for one in report.breakdowns]}


def _sum_times(profile: Layers) -> Costs:
    total = sum(layer.seconds for layer in profile.layers) or 1.0
    kinds: Counter[str] = Counter()
    for layer in profile.layers:
        kinds[layer.kind] += layer.seconds  # type: ignore[assignment]  # a Counter adds up floats too
    bars = [Bar(kind, "", words.format_seconds(n), n / total) for kind, n in kinds.most_common(_TOP)]
    ranked = sorted(profile.layers, key=lambda layer: -layer.seconds)
    parts = [
        Bar(
            layer.name,
            layer.kind + (f" on {layer.compute_unit}" if layer.compute_unit else ""),
            words.format_seconds(layer.seconds),
            layer.seconds / total,
        )
        for layer in ranked[:_TOP]
    ]
    rest = max(0, len(ranked) - _TOP)
    return Costs(profile.artifact, profile.target, words.format_seconds(total), tuple(bars), tuple(parts), rest)


def _sum_bytes(breakdown: Breakdown) -> Costs:
    sizes = breakdown.sizes
    total = sizes.total or 1
    bars = [Bar(section, "", words.format_bytes(n), n / total) for section, n in sizes.sections.items()]
    ranked = sorted(sizes.parts, key=lambda part: -part.bytes)
    parts = [Bar(part.name, part.section, words.format_bytes(part.bytes), part.bytes / total) for part in ranked[:_TOP]]
    rest = max(0, len(ranked) - _TOP)
    return Costs(sizes.artifact, "", f"{sizes.total:,} bytes", tuple(bars), tuple(parts), rest)


def rate_heat(value: float | None, limit: float) -> int:
    """Return how near a difference is to its limit: 0 far below it, 5 beyond it.

    >>> rate_heat(0.0, 1e-4), rate_heat(1e-9, 1e-4), rate_heat(5e-5, 1e-4), rate_heat(2e-4, 1e-4), rate_heat(None, 1e-4)
    (0, 0, 4, 5, 5)
    """
    if value is None or value > limit:
        return _HEAT_STEPS
    if value <= 0:
        return 0
    decades = math.log10(limit / value)
    return max(0, min(_HEAT_STEPS - 1, round((_HEAT_STEPS - 1) * (1 - decades / _DECADES))))


@dataclass(frozen=True)
class HeatRow:
    """A line of the heat table: an artifact's cells by column."""

    artifact: str
    limit: float
    cells: tuple[ParityCell | None, ...]
    here: tuple[float | None, ...]


def build_heat_table(report: Report) -> tuple[tuple[str, ...], tuple[str, ...], tuple[HeatRow, ...]]:
    """Return the outputs, the targets whose own outputs were compared, and a line an artifact."""
    cells = {(c.artifact, c.output): c for c in (report.parity.cells if report.parity else ())}
    outputs = tuple(dict.fromkeys(output for _, output in cells))
    by_place: dict[tuple[str, str], Row] = {(row.artifact, row.target): row for row in report.rows}
    targets = tuple(dict.fromkeys(row.target for row in report.rows if row.max_error.after is not None))
    limits = {c.artifact: c.limit for c in cells.values()}
    rows = [
        HeatRow(
            name,
            limits[name],
            tuple(cells.get((name, output)) for output in outputs),
            tuple(by_place[name, t].max_error.after if (name, t) in by_place else None for t in targets),
        )
        for name in dict.fromkeys(artifact for artifact, _ in cells)
    ]
    return outputs, targets, tuple(rows)
