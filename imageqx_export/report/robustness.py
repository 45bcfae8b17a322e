"""What an artifact calls poor, per kind of degradation, as ``imageqx evaluate --robustness`` measured it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from imageqx_export.errors import MeasurementError
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, read_json

HEAD = ("kind", "strong is", "photos", "mild called poor", "strong called poor", "first hint right")
NOTE = (
    "Each kind of degradation alone, on photos that are good as they are. What is called poor should be little of the "
    "mild, much of the strong, and little of what is harmless. In brackets 95 % intervals."
)


class Share(Frozen):
    """A share with its 95 % interval; None where no photo allowed to measure it."""

    value: float | None = Field(default=None, ge=0, le=1)
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        if self.interval is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.interval[0]:.2f}–{self.interval[1]:.2f})"


class RobustnessRow(Frozen):
    """One kind of degradation.

    Args:
        kind: Its name.
        reason: What its strong version gives; None where it is harmless or nothing was done.
        photos: How many.
        mild: The share of the mild that is called poor; of the photos as they are where nothing was done.
        strong: Of the strong.
        first_hint: Of the strong that are called poor, the share whose first hint is the reason.
    """

    kind: str
    reason: str | None
    photos: int
    mild: Share
    strong: Share = Share()
    first_hint: Share = Share()


class RobustnessTable(Frozen):
    """What one artifact calls poor.

    Args:
        artifact: The file's name.
        photos: How many were degraded.
        source: Which.
        rows: The photos as they are first.
    """

    artifact: str
    photos: int
    source: str
    rows: tuple[RobustnessRow, ...]


def read_robustness(path: Path) -> RobustnessTable:
    """Read a ``robustness.json``.

    Raises:
        MeasurementError: It is none.
    """
    try:
        body = read_json(path)
        clean = body["clean"]["all"]
        rows = [RobustnessRow(kind="as it is", reason=None, photos=clean["photos"], mild=_share(clean, "poor"))]
        rows += [_read_row(kind) for kind in body["kinds"]]
        return RobustnessTable(artifact=body["model"], photos=body["photos"], source=body["source"], rows=tuple(rows))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeasurementError(
            "not a check of robustness that can be shown",
            where=path,
            expected="robustness.json",
            got=describe(error),
            remedy="imageqx evaluate ARTIFACT --robustness --out DIR",
        ) from error


def _read_row(kind: dict[str, Any]) -> RobustnessRow:
    return RobustnessRow(
        kind=kind["name"],
        reason=kind["reason"] or "harmless",
        photos=kind["mild"]["photos"],
        mild=_share(kind["mild"], "poor"),
        strong=_share(kind["strong"], "poor"),
        first_hint=_share(kind["strong"], "first_hint_right"),
    )


def _share(cell: dict[str, Any], name: str) -> Share:
    interval = cell[f"{name}_ci"]
    return Share(value=cell[name], interval=None if interval is None else tuple(interval))


def list_cells(table: RobustnessTable) -> list[tuple[str, ...]]:
    """Return the rows as text, as long as :data:`HEAD`."""
    return [
        (
            row.kind,
            (row.reason or "").replace("_", " "),
            f"{row.photos:,}",
            str(row.mild),
            "" if row.reason is None else str(row.strong),
            "" if row.reason in (None, "harmless") else str(row.first_hint),
        )
        for row in table.rows
    ]


def render_markdown(tables: Sequence[RobustnessTable], escape: Callable[[str], str]) -> list[str]:
    """Return the lines of a Markdown report; none without a table."""
    if not tables:
        return []
    lines = ["<details><summary>Robustness</summary>", "", NOTE, ""]
    for table in tables:
        lines += [f"{escape(table.artifact)}, {table.photos:,} photos: {escape(table.source)}", ""]
        lines += ["| " + " | ".join(HEAD) + " |", "|---|---|" + "--:|" * (len(HEAD) - 2)]
        lines += ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in list_cells(table)]
        lines += [""]
    return [*lines, "</details>", ""]
