"""Choose the runs that are compared: a baseline file, a history, or a commit of a history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from imageqx_export.bench.model import BenchRun, Measurement
from imageqx_export.errors import MeasurementError
from imageqx_export.report.sizes.parts import Sizes
from imageqx_export.support.files import write_aside
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, parse_json, read_bytes

_SHORTEST = 4  # of a commit's digits; fewer are rather a mistyped file name


class Baseline(Frozen):
    """The runs that later ones are compared with: ``benchmarks/baseline.json``.

    Args:
        runs: Several a target, as the A/A noise is measured between them.
        sizes: Where the bytes of the measured artifacts are, so that a change can be shown by tensor without them.
    """

    schema_version: Literal[1] = 1
    runs: tuple[BenchRun, ...] = Field(min_length=1)
    sizes: tuple[Sizes, ...] = ()

    @model_validator(mode="after")
    def _refuse_repeats(self) -> Baseline:
        names, ids = [sizes.artifact for sizes in self.sizes], [run.run_id for run in self.runs]
        if len(set(names)) != len(names) or len(set(ids)) != len(ids):
            raise ValueError("each artifact's sizes once, and each run once")
        return self


class Side(Frozen):
    """One of the two sides of a comparison.

    Args:
        label: What was asked for: a file's name or a commit.
        runs: At least one, the oldest first.
        sizes: As of :class:`Baseline`.
    """

    label: str
    runs: tuple[BenchRun, ...] = Field(min_length=1)
    sizes: tuple[Sizes, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target, in order of appearance."""
        return tuple(dict.fromkeys(run.target for run in self.runs))

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Every artifact's name, in order of appearance."""
        return tuple(dict.fromkeys(m.artifact for run in self.runs for m in run.measurements))

    @property
    def commits(self) -> tuple[str, ...]:
        """Every commit, in order of appearance."""
        return tuple(dict.fromkeys(run.commit for run in self.runs))

    def find(self, artifact: str, target: str | None = None) -> tuple[tuple[BenchRun, Measurement], ...]:
        """Return every run that has ``artifact``, with its measurement, the oldest first."""
        return tuple(
            (run, m)
            for run in self.runs
            for m in run.measurements
            if m.artifact == artifact and target in (None, run.target)
        )


def read_side(source: str, history: Path | None = None, targets: Sequence[str] = ()) -> Side:
    """Read the runs that ``source`` names.

    Args:
        source: A baseline file (all its runs); a history (per target, the runs of the commit that ran last); or a
            commit or its first digits, whose runs are taken from ``history``.
        history: A JSON Lines history, for commits.
        targets: Only these, or all.

    Raises:
        MeasurementError: There is no such file or commit, it is not valid, or it has no run of those targets.
    """
    path = Path(source)
    sizes: tuple[Sizes, ...] = ()
    if path.is_file():
        baseline = _read_baseline(path)
        runs, sizes = (baseline.runs, baseline.sizes) if baseline else (_select_newest(_read_history(path)), ())
    elif history is None or len(source) < _SHORTEST:
        raise MeasurementError(
            "no such baseline or history",
            where=source,
            expected="a file, or a commit together with --history",
            remedy="imageqx bench, or --history with the file of its runs",
        )
    else:
        runs = _select_commit(_read_history(history), source, history)
    chosen = tuple(sorted((run for run in runs if not targets or run.target in targets), key=lambda run: run.started))
    if not chosen:
        known = ", ".join(dict.fromkeys(run.target for run in runs)) or "no run at all"
        raise MeasurementError(
            "no run of these targets", where=source, expected=", ".join(targets) or "a run", got=known
        )
    return Side(label=path.name if path.is_file() else source, runs=chosen, sizes=sizes)


def read_history(path: Path | None) -> tuple[BenchRun, ...]:
    """Read all runs of a history; none where there is no history.

    Raises:
        MeasurementError: It is missing or not valid.
    """
    return () if path is None else _read_history(path)


def write_baseline(baseline: Baseline, path: Path) -> Path:
    """Write a baseline file, in one step."""
    with write_aside(path) as aside:
        aside.write_text(baseline.model_dump_json(exclude_defaults=False) + "\n", encoding="utf-8")
    return path


def _read_history(path: Path) -> tuple[BenchRun, ...]:
    from imageqx_export.bench.history import load_history

    return tuple(load_history(path))


def _read_baseline(path: Path) -> Baseline | None:
    """Return a baseline file's content, or None where the file is a history."""
    try:
        text = read_bytes(path)
        content = parse_json(text)
    except (OSError, ValueError):
        return None  # several lines are no JSON value; if they are no history either, its reader says so
    if not isinstance(content, dict) or "runs" not in content:
        return None
    try:
        return Baseline.model_validate_json(text)
    except ValueError as error:
        raise MeasurementError(
            "the baseline is not valid", where=path, got=describe(error), remedy="make baseline"
        ) from error


def _select_newest(runs: Iterable[BenchRun]) -> tuple[BenchRun, ...]:
    by_target: dict[str, list[BenchRun]] = {}
    for run in sorted(runs, key=lambda run: run.started):
        by_target.setdefault(run.target, []).append(run)
    return tuple(run for group in by_target.values() for run in group if run.commit == group[-1].commit)


def _select_commit(runs: Sequence[BenchRun], commit: str, history: Path) -> tuple[BenchRun, ...]:
    commits = dict.fromkeys(run.commit for run in runs)
    exact = [name for name in commits if name == commit]
    found = exact or [name for name in commits if name.startswith(commit)]
    if len(found) != 1:
        problem = "no run of this commit" if not found else "several commits begin so"
        known = ", ".join(found or list(commits)[-5:]) or "no run at all"
        raise MeasurementError(problem, where=f"{history}: {commit}", got=known, remedy="imageqx bench at that commit")
    return tuple(run for run in runs if run.commit == found[0])
