"""What must hold of artifacts on versions of runtimes: one file of it, and the check."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from imageqx_export.bundle.runtimes import RuntimeRow, parse_version
from imageqx_export.compat.versions.catalogue import Version
from imageqx_export.errors import MeasurementError
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, read_toml

SHIPPED = Path(__file__).with_name("budget.toml")
"""The budget that comes with the package."""


class Must(Frozen):
    """One demand.

    Args:
        artifacts: Files' names, ``*`` and ``?`` allowed.
        runtime: Whose rows it speaks of.
        variants: Of these alone; empty for all.
        oldest: The version from which on every row must be a pass; ``from`` in the file.
    """

    artifacts: str
    runtime: str
    variants: tuple[str, ...] = ()
    oldest: Annotated[Version, Field(alias="from")]

    def covers(self, row: RuntimeRow) -> bool:
        """Whether it speaks of a row."""
        return (
            self.runtime == row.runtime
            and fnmatchcase(row.artifact, self.artifacts)
            and (not self.variants or row.variant in self.variants)
            and parse_version(row.version) >= parse_version(self.oldest)
        )


class RuntimeBudget(Frozen):
    """A file of demands."""

    schema_version: Literal[1]
    must: tuple[Must, ...]

    def covers(self, row: RuntimeRow) -> bool:
        """Whether a row must be a pass."""
        return any(must.covers(row) for must in self.must)


def read_runtime_budget(path: Path | None = None) -> RuntimeBudget:
    """Read a file of demands.

    Args:
        path: TOML, as the package's own ``budget.toml``; None for that one.

    Raises:
        MeasurementError: It is missing, no TOML, or not such a file.
    """
    path = path or SHIPPED
    try:
        return RuntimeBudget.model_validate(read_toml(path))
    except (OSError, ValueError) as error:
        raise MeasurementError(
            "not a budget of runtimes", where=path, got=describe(error), remedy=f"see {SHIPPED}"
        ) from error
