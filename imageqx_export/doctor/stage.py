"""Examine a machine: one check after another, none of which can stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from imageqx_export.doctor import parts
from imageqx_export.doctor.model import Diagnosis, Finding, State
from imageqx_export.doctor.programs import PROGRAMS, Program, examine_program
from imageqx_export.support.untrusted import describe

Check = Callable[[], Iterable[Finding]]
"""Yields what it finds."""


def list_checks(checkpoint: Path) -> tuple[tuple[str, Check], ...]:
    """Return every check behind its name, in the order in which findings are shown.

    Args:
        checkpoint: The file that commands take by default.
    """
    return (
        ("python", parts.examine_python),
        ("formats", parts.examine_formats),
        ("runtimes", parts.examine_runtimes),
        ("checkpoint", partial(parts.examine_checkpoint, checkpoint)),
        ("disk", parts.examine_disk),
        ("extras", parts.examine_extras),
        ("emulated phones", parts.examine_emulator),
        ("attached phones", parts.examine_phones),
        ("accelerators", parts.examine_accelerators),
        ("stores", parts.examine_stores),
        ("swift", parts.examine_swift),
        ("root", parts.examine_root),
        *((program.names[0], partial(_examine_one, program)) for program in PROGRAMS),
    )


def examine(checks: Sequence[tuple[str, Check]]) -> Diagnosis:
    """Run the checks; one that fails is a finding of its own, and the rest go on.

    Args:
        checks: Each behind its name, as :func:`list_checks` gives them.

    Returns:
        The findings, those of a group together, groups in the order of their first finding.
    """
    found = [finding for name, check in checks for finding in _run(name, check)]
    groups = list(dict.fromkeys(finding.group for finding in found))
    return Diagnosis(findings=tuple(sorted(found, key=lambda finding: groups.index(finding.group))))


def _run(name: str, check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # whatever is wrong with a machine, the other findings are wanted all the same
        yield Finding(
            group="checks",
            part=name,
            state=State.UNKNOWN,
            detail=f"{type(error).__name__}: {describe(error)}"[:200],
            stops="this finding",
            remedy="report it, with the output of imageqx doctor --json",
        )


def _examine_one(program: Program) -> Iterator[Finding]:
    yield examine_program(program)
