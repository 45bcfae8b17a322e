"""Print what an export wrote, and how it compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show import budgets, lint
from imageqx_export.cli.show.console import join, note, out, print_json, style
from imageqx_export.cli.show.tables import Table
from imageqx_export.data.photos import describe_left_out

if TYPE_CHECKING:
    from imageqx_export.artifact import ModelSpec
    from imageqx_export.export.stage import ExportResult
    from imageqx_export.parity.compare import OutputParity, ParityReport


def show_export(result: ExportResult, *, as_json: bool) -> None:
    """Print what an export wrote, how it compares and how it stands beside its budgets."""
    manifest, report, held = result.manifest, result.parity, result.budgets
    if as_json:
        body = {
            "manifest": manifest.model_dump(mode="json"),
            "parity": _describe_parity(report),
            "lint": lint.to_json(result.lint),
            "budgets": None if held is None else budgets.to_json(held),
        }
        print_json({"folder": str(result.folder), "notes": list(result.notes), "from_cache": result.kept, **body})
        return
    table = Table(title=f"{result.folder}/", title_justify="left")
    for name in ("artifact", "format", "precision"):
        table.add_column(name)
    table.add_column("bytes", justify="right")
    for name in ("sha256", "from"):
        table.add_column(name)
    for artifact in manifest.artifacts:
        row = (str(artifact.path), artifact.format.value, artifact.precision.value)
        table.add_row(*row, f"{artifact.size_bytes:,}", artifact.sha256[:12], _name_minimums(artifact.spec))
    out.print(table)
    if result.kept:
        note("nothing has changed since this was exported: all of it is from the cache; --no-cache makes it anew")
    for remark in result.notes:
        note(remark)
    for reason in manifest.unavailable.values():
        out.print(join(style("unavailable", "yellow"), f" {reason}"))
    show_parity(report, as_json=False)
    lint.show_findings(result.lint)
    if held is not None:
        budgets.show_budgets(held)
    if not result.passed:
        what = "parity" if not report.passed else "lint" if not result.lint.passed else "a budget"
        note(f"{what} broke: the new artifacts are in {result.folder}, the published ones are as they were")


def _name_minimums(spec: ModelSpec) -> str:
    """Return the oldest runtimes for a file, such as ``litert 1.0.1``; of a Core ML package the iOS."""
    found = {name: version for name, version in spec.min_runtime.items() if version is not None}
    return f"iOS {found['ios']}" if "ios" in found else ", ".join(f"{name} {found[name]}" for name in found)


def show_parity(report: ParityReport, *, as_json: bool) -> None:
    """Print what quantization and what conversion changed; every failing row says by how much, and what to try."""
    if as_json:
        print_json(_describe_parity(report))
        return
    images = f"{report.images} images ({report.source})"
    if report.left_out:
        note(describe_left_out(report.left_out).strip(" ()"))
    if report.quantization:
        table = _make_table(f"quantization: in PyTorch, against float32, on {images}", "recipe")
        for loss in report.quantization:
            _add_rows(table, loss.recipe, loss.outputs, compared=False)
        out.print(table)
    table = _make_table(
        f"conversion: each file against PyTorch in its own scheme (fp16: in float32), on {images}", "artifact"
    )
    for artifact in report.artifacts:
        if artifact.problems:
            table.add_row(artifact.path, "(file)", "", "", "", "", "", style("FAIL", "bold red"))
        _add_rows(table, artifact.path, artifact.outputs, compared=True)
    out.print(table)
    for artifact in report.artifacts:
        for problem in artifact.problems:
            out.print(join(style("FAIL", "bold red"), f" {artifact.path}: {problem}"), soft_wrap=True)
        for row in artifact.outputs:
            for problem in row.problems:
                out.print(join(style("FAIL", "bold red"), f" {artifact.path}: {row.output}: {problem}"), soft_wrap=True)
    passed = sum(artifact.passed for artifact in report.artifacts)
    color = "green" if report.passed else "red"
    out.print(style(f"{passed} of {len(report.artifacts)} artifacts agree with PyTorch", color))


def _make_table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    table.add_column("output")
    for name in ("max |Δ|", "mean |Δ|", "cosine", "SQNR dB", "decisions differ"):
        table.add_column(name, justify="right")
    table.add_column("")
    return table


def _add_rows(table: Table, name: str, outputs: Sequence[OutputParity], *, compared: bool) -> None:
    for index, row in enumerate(outputs):
        sqnr = "exact" if row.sqnr_db is None and not row.problems else f"{row.sqnr_db or 0:.1f}"
        excused = f" +{row.excused} ties" if row.excused else ""
        differ = f"{row.differing}/{row.decisions}{excused}" if row.decisions else "–"
        mark = style("FAIL", "bold red") if row.problems else style("ok", "green") if compared else ""
        numbers = (f"{row.max_abs:.1e}", f"{row.mean_abs:.1e}", f"{row.cosine:.7f}", sqnr, differ)
        table.add_row(name if index == 0 else "", row.output, *numbers, mark)


def _describe_parity(report: ParityReport) -> dict[str, Any]:
    body: dict[str, Any] = report.model_dump(mode="json")
    for row, artifact in zip(body["artifacts"], report.artifacts, strict=True):
        row["passed"] = artifact.passed
    return {"passed": report.passed, **body}
