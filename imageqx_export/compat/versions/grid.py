"""Lay out what runtimes gave as tables: a row a range of versions that agree, a column a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imageqx_export.artifact import Format, Precision
from imageqx_export.bench.emulator import CPUS
from imageqx_export.bundle.runtimes import ORDER, RuntimeRow, RuntimeVerdict, parse_version

_VARIANTS = {
    "xnnpack": "",
    "builtin": ", without XNNPACK",
    "reference": ", reference kernels",
    "compiled": ", CompiledModel",
}


@dataclass(frozen=True)
class Cell:
    """What one file gave in one place.

    Attributes:
        verdict: See :data:`~imageqx_export.bundle.runtimes.RuntimeVerdict`.
        text: The largest |Δ| in one digit, or the verdict; and how many decisions differ, where one does.
    """

    verdict: RuntimeVerdict
    text: str


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        place: Such as ``"litert 1.4.0 to 2.3.0, without XNNPACK"``.
        app: What an app depends on to have the first of these, such as ``"litert:1.4.0"``; "" where there is nothing.
        cells: By file; None where it was not asked.
    """

    place: str
    app: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Grid:
    """The table of one format.

    Attributes:
        suffix: Such as ``".onnx"``.
        artifacts: The columns' files.
        lines: The rows.
    """

    suffix: str
    artifacts: tuple[str, ...]
    lines: tuple[Line, ...]


def lay_out(rows: Iterable[RuntimeRow]) -> list[Grid]:
    """Return a table a format; neighbouring versions that give the same in every cell share a row."""
    grids: dict[str, list[RuntimeRow]] = {}
    for row in rows:
        grids.setdefault(f".{row.artifact.rpartition('.')[2]}", []).append(row)
    formats = [format.suffix for format in (Format.ONNX, Format.TFLITE, Format.COREML)]
    return [_lay_out_format(suffix, grids[suffix]) for suffix in formats if suffix in grids]


def _lay_out_format(suffix: str, rows: Sequence[RuntimeRow]) -> Grid:
    artifacts = tuple(sorted(dict.fromkeys(row.artifact for row in rows), key=_rank_precision))
    variants = {variant: position for position, variant in enumerate(_VARIANTS)}
    families: dict[tuple[str, str, str], dict[str, dict[str, RuntimeRow]]] = {}
    for row in sorted(
        rows,
        key=lambda row: (ORDER.get(row.runtime, 9), row.machine in CPUS, row.machine, variants.get(row.variant, 0)),
    ):
        family = families.setdefault((row.runtime, row.variant, row.machine), {})
        family.setdefault(row.version, {})[row.artifact] = row
    lines: list[Line] = []
    for (runtime, variant, machine), versions in families.items():
        runs: list[tuple[list[str], tuple[Cell | None, ...]]] = []
        for version in sorted(versions, key=parse_version):
            found = versions[version]
            cells = tuple(make_cell(found[name]) if name in found else None for name in artifacts)
            if runs and runs[-1][1] == cells:
                runs[-1][0].append(version)
            else:
                runs.append(([version], cells))
        for covered, cells in runs:
            span = covered[0] if len(covered) == 1 else f"{covered[0]} to {covered[-1]}"
            where = f" on {machine}" if machine in CPUS else ""
            apps = {row.app for row in versions[covered[0]].values()}
            lines.append(Line(f"{runtime} {span}{_VARIANTS.get(variant, '')}{where}", "".join(apps), cells))
    return Grid(suffix, artifacts, tuple(lines))


def _rank_precision(name: str) -> int:
    """Return where a file stands in its format: an export's by precision, others' behind them as they come."""
    precisions = [str(precision) for precision in Precision]
    return precisions.index(found) if (found := shorten_artifact(name)) in precisions else len(precisions)


def make_cell(row: RuntimeRow) -> Cell:
    """Return what a table says of a file in one place."""
    if row.verdict == "read":
        return Cell(row.verdict, "same program")
    if row.max_abs is None:
        return Cell(row.verdict, row.verdict)
    differing = f", {row.differing} of {row.decisions} differ" if row.differing else ""
    return Cell(row.verdict, f"{row.max_abs:.0e}{differing}")


def shorten_artifact(name: str) -> str:
    """Return what tells a file from the others of its export and format; of a stranger's, all but the suffix.

    >>> shorten_artifact("imageqx_w8a8.onnx"), shorten_artifact("quantize_static.onnx")
    ('w8a8', 'quantize_static')
    """
    stem = name.rpartition(".")[0]
    precision = stem.rpartition("_")[2]
    return precision if precision in list(Precision) else stem
