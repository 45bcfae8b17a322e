"""Print how a training run goes and what it reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show.console import note, out, print_json
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.artifact import Checkpoint
    from imageqx_export.training.seeds import Spread, Summary


def show_epoch(number: int, loss: float, metrics: dict[str, Any]) -> None:
    """Print one epoch's line on standard error; epoch 0 is before any."""
    weakest = min(metrics["explanations"], key=lambda name: metrics["explanations"][name]["f1"])
    start = "before training:" if number == 0 else f"epoch {number}: loss {loss:.3f},"
    note(
        f"{start} held-out quality macro-F1 {metrics['quality_macro_f1']:.3f}, "
        f"reasons macro-F1 {metrics['explanations_macro_f1']:.3f} (weakest: {weakest})"
    )


def show_training(checkpoint: Checkpoint, reached: Summary, *, as_json: bool) -> None:
    """Print what every seed reaches on the test side."""
    if as_json:
        print_json({"checkpoint": checkpoint.model_dump(mode="json"), "reached": reached.model_dump(mode="json")})
        return
    runs = f"{len(reached.seeds)} seeds, mean ± SD" if len(reached.seeds) > 1 else f"seed {reached.seeds[0]}"
    for name, scores in reached.tests.items():
        table = Table(title=f"{name}: {scores.source} ({runs})", title_justify="left")
        table.add_column("")
        for column in ("F1", "recall", "specificity"):
            table.add_column(column, justify="right")
        spec = checkpoint.spec
        for group, labels in (("quality", spec.labels), ("explanations", spec.reasons)):
            for label in labels:
                table.add_row(label.replace("_", " "), *_make_cells(scores.rows[label]))
            table.add_row("mean", *_make_cells(scores.macro[group]), style="bold")
            table.add_section()
        out.print(table)
    out.print(f"{checkpoint.path}  sha256 {checkpoint.sha256[:12]}", highlight=False)


def _make_cells(row: dict[str, Spread]) -> tuple[str, ...]:
    return tuple(_format_spread(row[key]) for key in ("f1", "recall", "specificity"))


def _format_spread(value: Spread) -> str:
    return f"{value.mean:.3f}" + ("" if value.sd is None else f" ± {value.sd:.3f}")
