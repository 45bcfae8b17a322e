"""Print how a training run goes and what it reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show.console import note, out, print_json
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.artifact import Checkpoint
    from imageqx_export.training.seeds import Spread, Summary
    from imageqx_export.training.targets.base import Targets

_HEADS = {"f1": "F1", "auc": "AUC", "ppv": "PPV", "tpr": "TPR", "npv": "NPV", "tnr": "TNR"}


def show_epoch(targets: Targets, number: int, loss: float, metrics: dict[str, Any]) -> None:
    """Print one epoch's line on standard error; epoch 0 is before any."""
    start = "before training:" if number == 0 else f"epoch {number}: loss {loss:.3f},"
    note(f"{start} {targets.describe(metrics)}")


def show_training(checkpoint: Checkpoint, reached: Summary, *, as_json: bool) -> None:
    """Print what every seed reaches on the test side."""
    if as_json:
        print_json({"checkpoint": checkpoint.model_dump(mode="json"), "reached": reached.model_dump(mode="json")})
        return
    runs = f"{len(reached.seeds)} seeds, mean ± SD" if len(reached.seeds) > 1 else f"seed {reached.seeds[0]}"
    for test, scores in reached.tests.items():
        table = Table(title=f"{test}: {scores.source} ({runs})", title_justify="left")
        table.add_column("")
        columns = list(next(iter(scores.rows.values())))
        for column in columns:
            table.add_column(_HEADS.get(column, column), justify="right")
        spec = checkpoint.spec
        groups = {"quality": spec.labels, "explanations": spec.reasons}
        for group, mean in scores.macro.items():
            names = groups.get(group, tuple(scores.rows))
            for name in names:
                table.add_row(name.replace("_", " "), *(_format_spread(scores.rows[name][key]) for key in columns))
            if len(names) > 1:
                table.add_row("mean", *(_format_spread(mean[key]) for key in columns), style="bold")
            table.add_section()
        out.print(table)
    data: Any = checkpoint.provenance.get("data", {})
    for gap in data.get("photos", {}).get("gaps", ()):
        note(gap)
    out.print(f"{checkpoint.path}  sha256 {checkpoint.sha256[:12]}", highlight=False)


def _format_spread(value: Spread) -> str:
    return f"{value.mean:.3f}" + ("" if value.sd is None else f" ± {value.sd:.3f}")
