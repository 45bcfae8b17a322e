"""Print what annotation tables say: bad rows, counts, fused labels, agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from imageqx_export.cli.show.console import join, note, out, print_json, style
from imageqx_export.cli.show.tables import Table
from imageqx_export.data.labels import SPLITS, Label
from imageqx_export.data.photos import describe_left_out
from imageqx_export.data.vocabulary import LABELS, REASONS

if TYPE_CHECKING:
    from imageqx_export.data.check import Check, Summary
    from imageqx_export.data.readers.download import Imported
    from imageqx_export.evaluation.agreement import Agreement, PairF1


def show_check(path: Path, result: Check, *, as_json: bool) -> None:
    """Print every bad row with its line, then what the table says."""
    if as_json:
        print_json(
            {
                "passed": not result.problems,
                "problems": [asdict(p) for p in result.problems],
                "summary": _describe_summary(result.summary),
                **({} if result.left_out is None else {"left_out": result.left_out}),
            }
        )
        return
    for problem in result.problems:
        got = style(f"  {problem.got}", "dim") if problem.got else ""
        head = style(f"{path}:{problem.line}", "red")
        out.print(join(head, f" {problem.column}: {problem.what}", got), highlight=False, soft_wrap=True)
    _print_counts(path, result.summary)
    summary = result.summary
    if summary.unreadable and summary.unreadable == summary.images:
        none = "the photo cannot" if summary.images == 1 else f"none of the {summary.images:,} photos can"
        out.print(style(f"{none} be read", "red"), highlight=False)
    if result.left_out:
        out.print(describe_left_out(result.left_out).strip(" ()"), highlight=False)
    if summary.never_given:
        out.print(style(f"no rater gave {' or '.join(summary.never_given)}", "yellow"), highlight=False)
    lines = len({problem.line for problem in result.problems})
    verdict = style(_count(lines, "bad row"), "red") if lines else style("no bad row", "green")
    out.print(verdict, highlight=False)


def show_labels(path: Path, labels: Sequence[Label], *, as_json: bool) -> None:
    """Print how many photos got which label, per split."""
    counts = {split: Counter(label.quality for label in labels if label.split == split) for split in SPLITS}
    reasons = {
        split: [sum(label.reasons[i] for label in labels if label.split == split) for i in range(len(REASONS))]
        for split in SPLITS
    }
    rows: dict[str, dict[str, dict[str, int]]] = {
        "labels": {name: {split: counts[split][i] for split in SPLITS} for i, name in enumerate(LABELS)},
        "reasons": {name: {split: reasons[split][i] for split in SPLITS} for i, name in enumerate(REASONS)},
    }
    if as_json:
        groups = {split: len({label.group for label in labels if label.split == split}) for split in SPLITS}
        print_json({"table": str(path), "photos": len(labels), "groups": groups, **rows})
        return
    _print_title(f"{path}: {_count(len(labels), 'photo')}")
    table = Table()
    table.add_column("photos")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for part in rows.values():
        for name, row in part.items():
            table.add_row(name.replace("_", " "), *(f"{row[split]:,}" for split in SPLITS))
        table.add_section()
    out.print(table)


def show_import(path: Path, result: Imported, summary: Summary, *, as_json: bool) -> None:
    """Print what was read from a download, and what was left out."""
    if as_json:
        print_json({"table": str(path), "left_out": dict(result.left_out), "summary": _describe_summary(summary)})
        return
    _print_counts(path, summary)
    for reason, count in result.left_out.items():
        note(f"left out: {count:,} × {reason}")


def show_agreement(
    result: Agreement, scores: Mapping[str, float], expert: Mapping[str, bool | None], *, as_json: bool
) -> None:
    """Print the raters' F1 per label and reason and, beside it, a model's."""
    if as_json:
        experts = {name: {"f1": scores[name], "expert_level": expert[name]} for name in scores}
        print_json({**asdict(result), "model": experts})
        return
    raters, pairs = _count(result.raters, "rater"), _count(result.pairs, "pair")
    _print_title(f"{raters}, {pairs}, {_count(result.images, 'photo')} rated by two or more")
    table = Table()
    columns = ("raters' F1 ± SD", "pairs", *(("model's F1", "expert level") if scores else ()))
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for part, mean in ((result.labels, result.labels_mean), (result.reasons, result.reasons_mean)):
        for name, row in part.items():
            table.add_row(name.replace("_", " "), *_make_cells(row, scores.get(name), expert.get(name))[: len(columns)])
        model = [scores[name] for name in part if name in scores]
        average = sum(model) / len(model) if len(model) == len(part) else None
        table.add_row("mean", *_make_cells(mean, average, None)[: len(columns) - bool(scores)], style="dim")
        table.add_section()
    out.print(table)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_title(text: str) -> None:
    out.print(text, highlight=False, soft_wrap=True)  # a title in a table is cut to the table's width


def _make_cells(row: PairF1, f1: float | None, expert: bool | None) -> list[str | Text]:
    spread = "" if row.sd is None else f" ± {row.sd:.2f}"
    mark = style("yes", "green") if expert else "–" if expert is None else "no"
    return [
        "–" if row.mean is None else f"{row.mean:.2f}{spread}",
        str(row.pairs),
        "–" if f1 is None else f"{f1:.2f}",
        mark,
    ]


def _print_counts(path: Path, summary: Summary) -> None:
    people = f", {_count(summary.patients, 'patient')}" if summary.patients else ""
    ratings, photos = _count(summary.ratings, "rating"), _count(summary.images, "photo")
    _print_title(f"{path}: {ratings} of {photos} by {_count(summary.raters, 'rater')}{people}")
    table = Table()
    table.add_column("ratings")
    table.add_column("", justify="right")
    for part in (summary.labels, summary.reasons):
        for name, count in part.items():
            dropped = " (not used)" if name == "lesion_covered" else ""
            table.add_row(name.replace("_", " ") + dropped, f"{count:,}")
        table.add_section()
    out.print(table)
    known = {name: count for name, count in summary.fitzpatrick.items() if name != "unknown" and count}
    if known:
        types = "  ".join(f"{name}: {count:,}" for name, count in summary.fitzpatrick.items())
        out.print(f"photos per Fitzpatrick type  {types}", highlight=False)
    if any(summary.splits.values()):
        sides = "  ".join(f"{name}: {count:,}" for name, count in summary.splits.items())
        out.print(f"photos per split  {sides}", highlight=False)


def _describe_summary(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "never_given": list(summary.never_given)}
