"""Print how a training run goes and what it reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from imageqx_export.show.console import json, note, out

if TYPE_CHECKING:
    from imageqx_export.artifact import Checkpoint


def epoch(number: int, loss: float, metrics: dict[str, Any]) -> None:
    """Print one epoch's line on standard error."""
    weakest = min(metrics["explanations"], key=lambda name: metrics["explanations"][name]["f1"])
    note(
        f"epoch {number}: loss {loss:.3f}, held-out quality macro-F1 {metrics['quality_macro_f1']:.3f}, "
        f"reasons macro-F1 {metrics['explanations_macro_f1']:.3f} (weakest: {weakest})"
    )


def trained(checkpoint: Checkpoint, *, as_json: bool) -> None:
    """Print a checkpoint's metrics."""
    if as_json:
        json(checkpoint.model_dump(mode="json"))
        return
    table = Table(title=f"{checkpoint.path}, {checkpoint.metrics['samples']} held-out samples", title_justify="left")
    table.add_column("")
    for name in ("F1", "recall", "specificity"):
        table.add_column(name, justify="right")
    for group in ("quality", "explanations"):
        rows: Any = checkpoint.metrics[group]
        for name, row in rows.items():
            table.add_row(name.replace("_", " "), *(f"{row[key]:.2f}" for key in ("f1", "recall", "specificity")))
        table.add_section()
    out.print(table)
