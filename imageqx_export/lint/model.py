"""The nouns of lint: findings and reports, and a graph as every format's reader gives it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from imageqx_export.support.frozen import Frozen

Level = Literal["error", "warning", "note"]
"""``error``: somewhere it fails, or is computed wrong. ``warning``: slower, or left to the CPU. ``note``: to know."""


class Finding(Frozen):
    """One rule that a file breaks.

    Attributes:
        rule: The rule's name.
        level: How bad it is.
        count: How often.
        text: What was found, with examples.
        reason: Why it matters.
        source: Who says so.
        mend: What to do.
    """

    rule: str
    level: Level
    count: int
    text: str
    reason: str
    source: str
    mend: str


class FileFindings(Frozen):
    """One file's findings.

    Attributes:
        path: The file.
        kind: What it is: ``"onnx"``, ``"tflite"``, ``"mlpackage"`` or ``"library"``.
        operators: How many it has.
        findings: What is wrong with it, the worst first.
        unread: Why it could not be read; None where it was.
    """

    path: Path
    kind: str
    operators: int
    findings: tuple[Finding, ...] = ()
    unread: str | None = None

    def lower(self, rules: Container[str]) -> FileFindings:
        """Return it with what some rules found as notes."""
        findings = (one.model_copy(update={"level": "note"}) if one.rule in rules else one for one in self.findings)
        return self.model_copy(update={"findings": tuple(findings)})

    @property
    def passed(self) -> bool:
        """Whether it was read, and no finding is an error."""
        return self.unread is None and not any(finding.level == "error" for finding in self.findings)


class LintReport(Frozen):
    """Several files' findings."""

    files: tuple[FileFindings, ...]

    @property
    def passed(self) -> bool:
        """Whether there are files, and all passed."""
        return bool(self.files) and all(file.passed for file in self.files)

    def lower(self, rules: Container[str], paths: Container[Path]) -> LintReport:
        """Return the report with what rules found in some files as notes: there, it follows from what was asked for."""
        return LintReport(
            files=tuple(file.lower(rules) if file.path in paths else file for file in self.files),
        )


EXAMPLES = 3
"""Places that a finding names."""


@dataclass(frozen=True)
class Value:
    """A tensor.

    Attributes:
        name: Its name.
        dtype: As NumPy calls it, such as ``"uint8"``; ``"?"`` where the file does not say.
        shape: Sizes, None for one that is not fixed; None where the file does not say.
        constant: Whether its numbers are in the file.
        scales: Quantization scales that the file gives it: 0 for none, 1, or one a channel.
    """

    name: str
    dtype: str = "?"
    shape: tuple[int | None, ...] | None = None
    constant: bool = False
    scales: int = 0


@dataclass(frozen=True)
class Operator:
    """An operation.

    Attributes:
        kind: As the format calls it.
        inputs: What it reads.
        outputs: What it gives.
        version: The format's version of it; of ONNX, the opset that brought it.
        domain: Of ONNX, whose it is; empty for the standard's own.
    """

    kind: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    version: int = 1
    domain: str = ""


@dataclass(frozen=True)
class Graph:
    """What a file holds.

    Attributes:
        kind: ``"onnx"``, ``"tflite"``, ``"mlpackage"`` or ``"library"``.
        operators: In order.
        inputs: The graph's inputs.
        outputs: The graph's outputs.
        opset: ONNX's opset; None elsewhere.
        ir: ONNX's version of the file format; None elsewhere.
        alignments: Of a library: each segment's alignment in bytes, by the library's name.
    """

    kind: str
    operators: tuple[Operator, ...] = ()
    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    opset: int | None = None
    ir: int | None = None
    alignments: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """What is looked for.

    Attributes:
        name: In kebab case.
        level: Of its findings.
        kinds: Of files that it is for.
        reason: Why it matters.
        source: Who says so.
        mend: What to do.
        find: Yields a description of each place that breaks it.
    """

    name: str
    level: Level
    kinds: tuple[str, ...]
    reason: str
    source: str
    mend: str
    find: Callable[[Graph], Iterable[str]]


def apply_rule(rule: Rule, graph: Graph) -> Finding | None:
    """Return what a rule finds in a graph; None where it is kept, or not for such files."""
    places = list(rule.find(graph)) if graph.kind in rule.kinds else []
    if not places:
        return None
    named = list(dict.fromkeys(places))
    text = ", ".join(named[:EXAMPLES]) + (f" and {len(named) - EXAMPLES} more" if len(named) > EXAMPLES else "")
    return Finding(
        rule=rule.name,
        level=rule.level,
        count=len(places),
        text=text,
        reason=rule.reason,
        source=rule.source,
        mend=rule.mend,
    )
