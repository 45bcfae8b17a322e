"""The nouns of a report: what the Markdown, the JSON and the page all show."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from imageqx_export.artifact import Proof
from imageqx_export.bench.model import LayerCost
from imageqx_export.bundle.runtimes import RuntimeTable
from imageqx_export.report.robustness import RobustnessTable
from imageqx_export.report.rules.verdicts import Decision, Quantity, Rules, Verdict, exit_code
from imageqx_export.report.sensitivity import SensitivityTable
from imageqx_export.report.sizes.parts import SizeChange, Sizes
from imageqx_export.support.frozen import Frozen


class Pair(Frozen):
    """A number of both sides; None where a side has none.

    Args:
        before: The baseline's.
        after: The current one.
    """

    before: float | None = None
    after: float | None = None

    @property
    def change(self) -> float | None:
        """Return after / before − 1, or None where one is missing or ``before`` is 0."""
        return None if self.after is None or not self.before else self.after / self.before - 1


class Row(Frozen):
    """One line of the table: an artifact on a target.

    Args:
        artifact: The file's name.
        target: Such as ``"host"``.
        size: Bytes.
        load: Seconds from the file to a runtime that can run: median over processes, then over runs; likewise the next.
        first: Seconds of the first inference.
        p50: Seconds.
        p90: Seconds.
        p99: Seconds.
        memory: Peak resident bytes.
        instructions: Per inference.
        max_error: Largest |Δ| of the outputs as they came from this target.
        photo: Seconds from a photo of 12 megapixels to a verdict: median of a run's warm turns, then over runs.
        photo_cold: Likewise, once in a fresh process, the load included.
        kernels: Which instruction set the current run showed, or None.
        remarks: Why the current run lacks a number.
    """

    artifact: str
    target: str
    size: Pair
    load: Pair
    first: Pair
    p50: Pair
    p90: Pair
    p99: Pair
    memory: Pair
    instructions: Pair
    max_error: Pair
    photo: Pair = Pair()
    photo_cold: Pair = Pair()
    kernels: str | None = None
    remarks: tuple[str, ...] = ()


class Point(Frozen):
    """One run of one artifact, for the lines of the history; None where the run has no such number.

    Args:
        artifact: The file's name.
        target: Such as ``"host"``.
        run_id: The run's.
        commit: The run's.
        started: Seconds since 1970.
        size: Bytes.
        p50: Seconds.
        instructions: Per inference.
    """

    artifact: str
    target: str
    run_id: str
    commit: str
    started: float
    size: int
    p50: float | None
    instructions: float | None


class Layers(Frozen):
    """The times of an artifact's operations on a target, in the newest run that profiled it."""

    artifact: str
    target: str
    layers: tuple[LayerCost, ...]


class Breakdown(Frozen):
    """The places of an artifact's bytes, and of a change in them.

    Args:
        sizes: Of the current file.
        changes: Against the baseline's file, or None where its parts are not known.
    """

    sizes: Sizes
    changes: tuple[SizeChange, ...] | None


class NamedScore(Frozen):
    """How well one label or reason is told.

    Args:
        name: Its name.
        f1: Its F1, in [0, 1]; None where there was nothing to measure.
        interval: Its 95 % interval, or None.
    """

    name: str
    f1: float | None
    interval: tuple[float, float] | None


class Accuracy(Frozen):
    """The quality of an artifact's answers, as ``imageqx evaluate`` measured it.

    Args:
        artifact: The file's name.
        macro_f1: Mean F1 of the quality labels, in [0, 1].
        interval: Its 95 % interval, or None.
        photos: How many.
        source: Which.
        scores: Of each label, then of each reason; empty in a record of before there were any.
    """

    artifact: str
    macro_f1: float
    interval: tuple[float, float] | None
    photos: int
    source: str
    scores: tuple[NamedScore, ...] = ()


class ParityCell(Frozen):
    """One output of one artifact, compared with the checkpoint's.

    Args:
        artifact: The file's name.
        output: The output's name, or ``"file"`` for what concerns the file as a whole.
        max_abs: Largest |Δ|, or None where it could not be computed.
        mean_abs: Mean |Δ|, or None.
        limit: Largest |Δ| that is allowed.
        differing: Decisions that differ, excused ones not counted.
        decisions: Decisions taken.
        problems: Every reason for failing; none is a pass.
    """

    artifact: str
    output: str
    max_abs: float | None
    mean_abs: float | None
    limit: float
    differing: int
    decisions: int
    problems: tuple[str, ...]


class Parity(Frozen):
    """The artifacts' own comparison with their checkpoint.

    Args:
        images: On how many.
        source: ``"generated"`` or ``"photos"``.
        cells: One an artifact and output.
    """

    images: int
    source: str
    cells: tuple[ParityCell, ...]


class Proved(Frozen):
    """What was shown of one artifact on phones' accelerators, by compilers and simulators.

    Args:
        artifact: The file's name.
        proofs: One an answer; empty where this very file was never asked about.
    """

    artifact: str
    proofs: tuple[Proof, ...]


class SideFacts(Frozen):
    """The facts of one side, for the reader who doubts a number.

    Args:
        label: The file or commit that was asked for.
        runs: Per run: target, commit, date, machine, schedule and tools, in words.
    """

    label: str
    runs: tuple[str, ...]


class Report(Frozen):
    """A whole comparison.

    Args:
        schema_version: Of this record.
        baseline: What was compared with.
        current: What was compared with it.
        rules: The limits.
        decisions: Everything that was decided.
        exit_code: 0 nothing regressed, 1 something did, 2 something could not be decided: what ``decisions`` say.
        rows: One an artifact and target.
        breakdowns: Where bytes are; empty where no artifacts were given.
        layers: Where time goes; empty where no run profiled.
        points: Every run that is known, the oldest first.
        accuracies: Empty where no evaluation was given.
        parity: The artifacts' own comparison, or None where none was given.
        proved: What was shown of the artifacts on accelerators; empty where no artifacts were given.
        runtimes: What the measured files gave on versions of runtimes; None where no record was given.
        robustness: What files call poor, per kind of degradation; empty where no check was given.
        sensitivity: What layers cost alone in int8; empty where no analysis was given.
        absent: What the report could show and does not, with what would bring it.
    """

    schema_version: Literal[1] = 1
    baseline: SideFacts
    current: SideFacts
    rules: Rules
    decisions: tuple[Decision, ...]
    exit_code: int
    rows: tuple[Row, ...]
    breakdowns: tuple[Breakdown, ...] = ()
    layers: tuple[Layers, ...] = ()
    points: tuple[Point, ...] = ()
    accuracies: tuple[Accuracy, ...] = ()
    parity: Parity | None = None
    proved: tuple[Proved, ...] = ()
    runtimes: RuntimeTable | None = None
    robustness: tuple[RobustnessTable, ...] = ()
    sensitivity: tuple[SensitivityTable, ...] = ()
    absent: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        if self.exit_code != exit_code(self.decisions):
            raise ValueError(f"the decisions make exit code {exit_code(self.decisions)}, not {self.exit_code}")
        return self

    def decision(self, artifact: str, target: str, quantity: Quantity) -> Decision | None:
        """Return the decision about one quantity, or None where none was taken."""
        for decision in self.decisions:
            if (decision.artifact, decision.target, decision.quantity) == (artifact, target, quantity):
                return decision
        return None

    def having(self, *verdicts: Verdict) -> tuple[Decision, ...]:
        """Return the decisions with one of ``verdicts``."""
        return tuple(decision for decision in self.decisions if decision.verdict in verdicts)
