"""Print how fine-tuning goes and what it brought beside post-training quantization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show.console import note, out, print_json
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.evaluation.accuracy_loss import Accuracy
    from imageqx_export.quantize.qat.loop import Closeness
    from imageqx_export.quantize.qat.stage import FineTuneResult


def show_epoch(number: int, loss: float, near: Closeness) -> None:
    """Print one epoch's line on standard error; epoch 0 is before any."""
    start = "before fine-tuning:" if number == 0 else f"epoch {number}: loss {loss:.4f},"
    note(
        f"{start} mean |Δ| from the float network {near.quality:.4f} (labels), {near.explanations:.4f} (reasons); "
        f"same label {near.agreement:.1f} %"
    )


def show_finetuning(result: FineTuneResult, *, as_json: bool) -> None:
    """Print what quantization costs before and after; as JSON, the same figures in full."""
    if as_json:
        print_json(_to_json(result))
    else:
        title = f"{result.request.out}: w8a8 against fp32 on {result.after.photos:,} photos ({result.source})"
        out.print(title, highlight=False, soft_wrap=True)
        out.print(_make_table(result.before, result.after))
    note(f"recipe: {result.request.out}; weights: {result.request.weights}")
    for problem in result.problems:
        note(f"over the budget: {problem}")


def _make_table(before: Accuracy, after: Accuracy) -> Table:
    table = Table()
    for name in ("loss, points", "post-training", "fine-tuned"):
        table.add_column(name, justify="left" if name.startswith("loss") else "right")
    rows = {
        "labels' macro-F1": (before.quality.points, after.quality.points),
        f"{after.kind}' macro-F1": (before.explanations.points, after.explanations.points),
        **{f"  {n.replace('_', ' ')}: F1": (before.reasons[n].points, after.reasons[n].points) for n in after.reasons},
        "label's calibration error": (before.label_ece, after.label_ece),
    }
    for name, values in rows.items():
        table.add_row(name, *(f"{value:+.2f}" for value in values))
    table.add_row("same label, %", f"{before.agreement:.2f}", f"{after.agreement:.2f}")
    table.add_row("labels' mean |Δ|", f"{before.mean_abs:.4f}", f"{after.mean_abs:.4f}")
    return table


def _to_json(result: FineTuneResult) -> dict[str, Any]:
    named = result.recipe.finetuned
    return {
        "recipe": str(result.request.out),
        "weights": None if named is None else named.model_dump(mode="json"),
        "source": result.source,
        "before": result.before.model_dump(mode="json"),
        "after": result.after.model_dump(mode="json"),
        "problems": list(result.problems),
    }
