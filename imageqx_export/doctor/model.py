"""What an examination of a machine finds."""

from __future__ import annotations

from enum import StrEnum

from imageqx_export.support.frozen import Frozen


class State(StrEnum):
    """Whether a part can be used."""

    READY = "ready"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """The examination itself failed; what it stumbled over is the finding's detail."""


class Finding(Frozen):
    """One part that the package uses, and whether this machine has it.

    Args:
        group: What it belongs to, such as ``"export"`` or ``"android"``.
        part: Its name, such as ``"coreml"`` or ``"java"``.
        state: Whether it can be used.
        detail: Its version or place; of a missing part, what was looked for.
        stops: What cannot be done without it.
        remedy: The command that closes the gap; empty where nothing is missing.
    """

    group: str
    part: str
    state: State
    detail: str = ""
    stops: str = ""
    remedy: str = ""


class Diagnosis(Frozen):
    """All findings of one machine.

    Args:
        findings: In the order of the groups.
    """

    findings: tuple[Finding, ...]

    @property
    def exports(self) -> bool:
        """Whether the main job can run here: every part of the group ``"export"`` is ready."""
        return all(finding.state is State.READY for finding in self.findings if finding.group == "export")
