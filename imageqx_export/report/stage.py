"""The report stage: two sides become a Report, and a folder with Markdown, JSON and one page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imageqx_export.bundle.manifest import PARITY_FILE, read_manifest
from imageqx_export.bundle.runtimes import read_runtimes
from imageqx_export.errors import MeasurementError
from imageqx_export.parity.compare import ParityReport
from imageqx_export.report.build import (
    build_parity,
    build_rows,
    describe_side,
    list_breakdowns,
    list_layers,
    list_points,
    list_proofs,
    list_runtimes,
)
from imageqx_export.report.model import Accuracy, NamedScore, Report
from imageqx_export.report.robustness import read_robustness
from imageqx_export.report.rules.decide import decide
from imageqx_export.report.rules.verdicts import Rules, exit_code
from imageqx_export.report.sensitivity import read_sensitivity
from imageqx_export.report.sides import Side, read_history, read_side
from imageqx_export.report.sizes.parts import Sizes
from imageqx_export.report.sizes.readers import read_sizes
from imageqx_export.support.files import digest
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.untrusted import describe, read_json

MARKDOWN, JSON, PAGE = "report.md", "report.json", "report.html"
FILES = (MARKDOWN, JSON, PAGE)
LAYOUT = Layout.of_names("a report", FILES)


@dataclass(frozen=True)
class ReportConfig:
    """The parameters of a report: its two sides, and what explains how they differ.

    Args:
        baseline: A baseline file, a history, or a commit of ``history``.
        current: Likewise.
        history: All runs that are known: they measure the A/A noise and are drawn as lines.
        artifacts: The folder of the current artifacts: where their bytes are, and ``parity.json``.
        baseline_artifacts: The folder of the baseline's, unless the baseline file says where their bytes are.
        evaluations: ``evaluation.json`` files, each of one artifact.
        runtimes: What artifacts gave on versions of runtimes, as ``imageqx compat --record`` wrote it.
        robustness: ``robustness.json`` files, each of one artifact.
        sensitivity: What ``imageqx quantize --analyze --json`` printed, each of one recipe.
        targets: Only these, or all.
        rules: The limits.
    """

    baseline: str
    current: str
    history: Path | None = None
    artifacts: Path | None = None
    baseline_artifacts: Path | None = None
    evaluations: Sequence[Path] = ()
    runtimes: Path | None = None
    robustness: Sequence[Path] = ()
    sensitivity: Sequence[Path] = ()
    targets: Sequence[str] = ()
    rules: Rules = field(default_factory=Rules)


def report(config: ReportConfig) -> Report:
    """Compare two sides, and gather what explains the difference.

    Args:
        config: The sides, and what else is known of them.

    Raises:
        MeasurementError: A side, the history or an evaluation cannot be read, or the artifacts are not those that were
            measured.
        ArtifactError: An artifact, or the record of runtimes, cannot be read.
        ParityError: A folder of artifacts has no manifest.
    """
    artifacts, targets = config.artifacts, config.targets
    runs = read_history(config.history)
    before, after = (read_side(source, config.history, targets) for source in (config.baseline, config.current))
    sizes = () if artifacts is None else read_measured_sizes(artifacts, after)
    old_sizes = before.sizes
    if config.baseline_artifacts is not None:
        old_sizes = read_measured_sizes(config.baseline_artifacts, before)
    compared = None if artifacts is None else _read_parity(artifacts / PARITY_FILE)
    known = [run for run in (*runs, *before.runs, *after.runs) if not targets or run.target in targets]
    decisions = decide(before, after, config.rules, history=runs, parity=compared)
    found = Report(
        baseline=describe_side(before),
        current=describe_side(after),
        rules=config.rules,
        decisions=decisions,
        exit_code=exit_code(decisions),
        rows=build_rows(before, after),
        breakdowns=list_breakdowns(old_sizes, sizes),
        layers=list_layers(after),
        points=list_points(known),
        accuracies=tuple(_read_accuracy(path) for path in config.evaluations),
        parity=None if compared is None else build_parity(compared),
        proved=() if artifacts is None else list_proofs(read_manifest(artifacts), after),
        robustness=tuple(read_robustness(path) for path in config.robustness),
        sensitivity=tuple(read_sensitivity(path) for path in config.sensitivity),
        runtimes=None if config.runtimes is None else list_runtimes(read_runtimes(config.runtimes), after),
    )
    return found.model_copy(update={"absent": _list_absent(found, artifacts)})


def write(report: Report, out: Path) -> Path:
    """Write ``report.md``, ``report.json`` and ``report.html``, all or none; an earlier report is replaced.

    Args:
        report: What to write.
        out: The folder.

    Raises:
        ImageQXError: The folder holds something else.
    """
    from imageqx_export.report.render.html import render_html
    from imageqx_export.report.render.markdown import render_markdown

    with stage_folder(out, LAYOUT) as staging:
        (staging.path / MARKDOWN).write_text(render_markdown(report), encoding="utf-8")
        (staging.path / JSON).write_text(to_json(report), encoding="utf-8")
        (staging.path / PAGE).write_text(render_html(report), encoding="utf-8")
        return staging.publish()


def check_folder(out: Path) -> None:
    """Refuse a place that holds anything but an earlier report, as the new one replaces the folder whole.

    Raises:
        ImageQXError: It does.
    """
    LAYOUT.check_place(out)


def to_json(report: Report) -> str:
    """Return a report as JSON that :class:`Report` reads again."""
    return report.model_dump_json(indent=2) + "\n"


def read_measured_sizes(folder: Path, side: Side) -> tuple[Sizes, ...]:
    """Read where the bytes of a folder's artifacts are, of those that ``side`` measured."""
    newest = {m.artifact: m.sha256 for run in side.runs for m in run.measurements}
    found = []
    for artifact in read_manifest(folder).artifacts:
        path = folder / artifact.path
        if artifact.path.name not in newest:
            continue
        got = digest(path) if path.exists() else "no such file"
        if got != newest[artifact.path.name]:
            raise MeasurementError(
                "the artifact is not the one that was measured",
                where=path,
                expected=newest[artifact.path.name],
                got=got,
                remedy="imageqx bench on this folder, or give the folder that was measured",
            )
        found.append(read_sizes(path))
    return tuple(found)


def _read_parity(path: Path) -> ParityReport | None:
    if not path.is_file():
        return None
    try:
        body = read_json(path)
        for output in [row for artifact in body["artifacts"] for row in artifact["outputs"]]:
            for name in ("max_abs", "mean_abs"):  # infinite where they could not be computed, which JSON cannot say
                output[name] = math.inf if output[name] is None else output[name]
        return ParityReport.model_validate(body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeasurementError(
            "the comparison with the checkpoint cannot be read",
            where=path,
            got=describe(error),
            remedy="imageqx export",
        ) from error


def _read_accuracy(path: Path) -> Accuracy:
    try:
        body = read_json(path)
        interval = body["quality_macro_f1_ci"]
        return Accuracy(
            artifact=body["model"],
            macro_f1=body["quality_macro_f1"],
            interval=None if interval is None else tuple(interval),
            photos=body["photos"],
            source=body["source"],
            scores=tuple(
                NamedScore(name=name, f1=row["f1"], interval=None if row["f1_ci"] is None else tuple(row["f1_ci"]))
                for group in ("quality", "explanations")
                for name, row in body.get(group, {}).items()
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeasurementError(
            "not an evaluation that can be shown",
            where=path,
            expected="evaluation.json with a macro F1 of quality",
            got=describe(error),
            remedy="imageqx evaluate ARTIFACT --out DIR",
        ) from error


def _list_absent(report: Report, artifacts: Path | None) -> tuple[str, ...]:
    """Say what the report could show and does not, with what would bring it."""
    gaps = []
    if artifacts is None:
        gaps.append("where bytes are, and parity of the files: --artifacts DIR")
    elif report.parity is None:
        gaps.append(f"parity of the files: {artifacts} has no {PARITY_FILE}")
    if report.proved and not any(one.proofs for one in report.proved):
        gaps.append("answers of accelerators: imageqx compat --record models/imageqx.proofs.json, then imageqx export")
    if report.runtimes is None or not report.runtimes.rows:
        gaps.append(
            "versions of runtimes: imageqx compat ARTIFACTS --record models/imageqx.runtimes.json, then --runtimes"
        )
    if report.breakdowns and any(one.changes is None for one in report.breakdowns):
        gaps.append("where a size changed: --baseline-artifacts DIR, or a baseline that was written with --artifacts")
    if not report.accuracies:
        gaps.append("accuracy on photos: imageqx evaluate ARTIFACT, then --evaluation DIR/evaluation.json")
    if not report.robustness:
        gaps.append("robustness: imageqx evaluate ARTIFACT --robustness, then --robustness DIR/robustness.json")
    if not report.sensitivity:
        gaps.append("cost of each layer in int8: imageqx quantize --analyze --json > analysis.json, then --sensitivity")
    if not any(row.instructions.after for row in report.rows):
        gaps.append("instruction counts: imageqx bench --instructions, or an emulated target")
    if not any(row.p50.after for row in report.rows):
        gaps.append("latency: no current run was timed")
    if not report.layers:
        gaps.append("time per layer: no current run has a profile")
    if not any(count > 1 for count in _count_runs_per_line(report).values()):
        gaps.append("a history: --history FILE with more than one run")
    return tuple(gaps)


def _count_runs_per_line(report: Report) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for point in report.points:
        key = (point.artifact, point.target)
        counts[key] = counts.get(key, 0) + 1
    return counts
