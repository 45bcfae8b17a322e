"""Print what quantization costs, what stays float and why, and what each layer costs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show.console import note, out, print_json
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.evaluation.accuracy_loss import Accuracy, Budget, Loss
    from imageqx_export.quantize.stage import Analysis, QuantizeResult


def show_quantized(result: QuantizeResult, *, as_json: bool) -> None:
    """Print a recipe's tables; as JSON, the same figures in full."""
    request = result.request
    if as_json:
        print_json(_to_json(result))
    else:
        if result.accuracy is not None:
            _print_accuracy(result, result.accuracy)
        out.print(_make_float_table(result))
    if result.accuracy is None:
        note("accuracy loss: not measured, as raters are not asked for the network's labels or reasons")
    if result.analysis is not None:
        found = result.analysis.search
        outcome = "the budget holds" if found.holds else "no set of float layers holds the budget"
        on = f"on {result.analysis.photos:,} validation photos, their answers jittered"
        note(f"search: {len(found.floats)} layers stay float, {found.trials} sets tried: {outcome} {on}")
    if request.chart is not None:
        note(f"chart: {request.chart}")
    if result.recipe.excitations:
        note(f"constant: the excitations of {len(result.recipe.excitations)} blocks, which hardly vary between photos")
    note(f"recipe: {request.out}")
    for problem in result.problems:
        note(f"over the budget: {problem}")


def _print_accuracy(result: QuantizeResult, found: Accuracy) -> None:
    request = result.request
    if result.analysis is not None:
        out.print(_make_layer_table(result.analysis, found.kind))
    title = f"{request.out}: {request.precision} against fp32 on {found.photos:,} photos ({result.source})"
    out.print(title, highlight=False, soft_wrap=True)
    out.print(make_loss_table(found, request.budget))


def make_loss_table(found: Accuracy, budget: Budget | None) -> Table:
    """Return what a network's answers cost, a row a figure, beside its budget where there is one."""
    table = Table()
    for name in ("", "loss, points", "95 % interval", "budget"):
        table.add_column(name, justify="right" if name else "left")
    limits = ("none",) * 4 if budget is None else _format_limits(budget)
    for name, loss in {"labels' macro-F1": found.quality, f"{found.kind}' macro-F1": found.explanations}.items():
        table.add_row(name, *_format_loss(loss), limits[0])
    for name, loss in found.reasons.items():
        table.add_row(f"  {name.replace('_', ' ')}: F1", *_format_loss(loss), limits[1])
    table.add_row("label's calibration error", f"{found.label_ece:+.2f}", "", limits[2])
    table.add_row("same label, %", f"{found.agreement:.2f}", "", limits[3])
    return table


def _format_limits(budget: Budget) -> tuple[str, ...]:
    return (f"≤ {budget.macro_f1:g}", f"≤ {budget.reason_f1:g}", f"≤ {budget.ece:g}", f"≥ {budget.agreement:g}")


def _format_loss(loss: Loss) -> tuple[str, str]:
    ends = "" if loss.interval is None else "{:+.2f} … {:+.2f}".format(*loss.interval)
    return f"{loss.points:+.2f}", ends


def _make_float_table(result: QuantizeResult) -> Table:
    table = Table(title="stays float", title_justify="left")
    for name in ("operations", "why"):
        table.add_column(name)
    reasons: dict[str, list[str]] = {}
    for row in result.recipe.floats:
        reasons.setdefault(row.reason, []).append(row.tensor)
    for reason, names in reasons.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        table.add_row(shown, reason)
    if result.recipe.precision == "w8":
        table.add_row("every activation", "w8 holds weights alone as int8")
    return table


def _make_layer_table(analysis: Analysis, kind: str) -> Table:
    title = f"each layer alone in int8, on {analysis.photos:,} photos ({analysis.source})"
    table = Table(title=title, title_justify="left")
    table.add_column("layer", no_wrap=True)
    for name in ("SQNR, dB", "mean |Δ|", "labels' macro-F1", f"{kind}' macro-F1", ""):
        table.add_column(name, justify="right")
    for row in analysis.layers:
        kept = "float" if row.layer in analysis.search.floats else ""
        table.add_row(
            row.layer,
            f"{row.sqnr_db:.1f}",
            f"{row.mean_abs:.4f}",
            _format_change(row.quality),
            _format_change(row.explanations),
            kept,
        )
    return table


def _format_change(lost: float) -> str:
    return f"{round(-lost, 2) + 0.0:+.2f}"  # -0.0 + 0.0 is 0.0, and is printed as one


def _to_json(result: QuantizeResult) -> dict[str, Any]:
    recipe, analysis = result.recipe, result.analysis
    body: dict[str, Any] = {
        "recipe": str(result.request.out),
        "precision": str(result.request.precision),
        "checkpoint_sha256": recipe.checkpoint_sha256,
        "calibration": None if recipe.calibration is None else recipe.calibration.model_dump(mode="json"),
        "source": result.source,
        "accuracy": None if result.accuracy is None else result.accuracy.model_dump(mode="json"),
        "problems": list(result.problems),
        "int8_weights": len(recipe.weights),
        "int8_activations": dict(Counter(row.observer for row in recipe.activations)),
        "rescaled": [row.module for row in recipe.channels],
        "constant_excitations": [row.module for row in recipe.excitations],
        "floats": [row.model_dump(mode="json") for row in recipe.floats],
    }
    if analysis is not None:
        body["analysis"] = {
            "photos": analysis.photos,
            "source": analysis.source,
            "layers": [row.model_dump(mode="json") for row in analysis.layers],
            "float_layers": list(analysis.search.floats),
            "holds": analysis.search.holds,
            "trials": analysis.search.trials,
        }
    return body
