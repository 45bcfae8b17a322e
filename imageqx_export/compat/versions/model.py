"""What artifacts gave on versions of runtimes: values that tables, records and reports read."""

from __future__ import annotations

from typing import Literal

from imageqx_export.bundle.runtimes import RuntimeRow, RuntimeTable
from imageqx_export.parity.compare import OutputParity
from imageqx_export.support.frozen import Frozen


class RuntimeResult(RuntimeRow):
    """One file on one version of one runtime.

    Attributes:
        must: Whether the budget wants it to be a pass.
        outputs: How each output compares; empty where nothing was computed.
        program: Digest of what a reader made of a package; "" of files that are run.
        recorded: Whether it is a record's of the very same bytes, and was not asked now.
    """

    must: bool = False
    outputs: tuple[OutputParity, ...] = ()
    program: str = ""
    recorded: bool = False

    def strip(self) -> RuntimeRow:
        """Return what a record keeps."""
        return RuntimeRow.model_validate(self.model_dump(include=set(RuntimeRow.model_fields)))


class RuntimeReport(Frozen):
    """Artifacts × versions of runtimes.

    Attributes:
        images: How many pictures each file was asked about.
        source: Which: the export's golden ones, or those that parity makes.
        results: One row a file, version, variant and machine.
    """

    images: int
    source: Literal["golden", "generated"]
    results: tuple[RuntimeResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every row that must be a pass is one, and something was asked."""
        return bool(self.results) and not self.broken

    @property
    def broken(self) -> tuple[RuntimeResult, ...]:
        """The rows that must be a pass and are none; what is unavailable is none."""
        return tuple(row for row in self.results if row.must and not row.holds)

    def to_table(self) -> RuntimeTable:
        """Return what a record keeps; what could not be had is not in it."""
        rows = tuple(row.strip() for row in self.results if row.verdict != "unavailable")
        return RuntimeTable(images=self.images, rows=rows)
