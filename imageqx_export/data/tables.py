"""Read and write tables, CSV or Parquet, so that everything wrong can be told with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.errors import DatasetError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.files import write_aside
from imageqx_export.support.untrusted import UntrustedError, describe

Row = tuple[int, dict[str, str]]
"""A row's line and its cells by column; a cell that is not there is ``""``."""

SUFFIXES = (".csv", ".parquet")
DELIMITERS = (",", ";", "\t")
"""What may stand between the cells of a CSV file; of a tie the first."""
MOST_ROWS = 10_000_000
"""Rows of a Parquet table, where a few bytes can stand for any number of them."""
MOST_BYTES = 2**30
"""Bytes of a Parquet table, unpacked, as it says of itself."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a table.

    Args:
        line: CSV: the line of the file on which the row begins, the header being line 1. Parquet: the row, from 1.
            0 where the columns of a Parquet file are at fault.
        column: The column concerned.
        what: What is wrong, in a clause.
        got: What the cell says.
    """

    line: int
    column: str
    what: str
    got: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.what}" + (f" ('{self.got}')" if self.got else "")


def read_columns(path: Path) -> tuple[str, ...]:
    """Return a table's column names, in their order.

    Raises:
        DatasetError: As :func:`read_table`.
    """
    if _find_suffix(path) == ".parquet":
        return tuple(_read_parquet(path)[0])
    return tuple(name.strip() for name in next((cells for _, cells in _read_records(path)), []))


def read_table(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), *, others: bool = False
) -> tuple[list[Row], list[Problem]]:
    """Read a table's rows as text, without spaces around the cells.

    Args:
        path: A ``.csv`` file (UTF-8, or UTF-16 with its mark; quoted as RFC 4180 says; commas, semicolons or tabs
            between cells, whichever the header has most of, or what a first line ``sep=;`` says), or ``.parquet``.
        required: Columns that must be there.
        optional: Columns that may be there.
        others: Whether further columns are allowed (and left out), rather than taken for misspelt ones.

    Returns:
        The rows, and what is wrong with the columns and with the number of cells. No rows if a column is missing.

    Raises:
        DatasetError: There is no such file, or it is no table.
    """
    parquet = _find_suffix(path) == ".parquet"
    rows, names, problems = _read_parquet_rows(path) if parquet else _read_csv_rows(path)
    head = 0 if parquet else 1
    known = (*required, *optional)
    missing = [name for name in required if name not in names]
    if missing:  # whatever else there is, such as a misspelt column or rows of other lengths, has this cause
        what = "the column is missing" if len(missing) == 1 else "the columns are missing"
        there = ", ".join(name or "(no name)" for name in names if name not in known)
        return [], [Problem(head, ", ".join(missing), what, there and f"there is {there}")]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [Problem(head, name, "the column is there twice", "") for name in twice]
    if not others:
        what = f"not a column of this table ({', '.join(known)})"
        problems += [Problem(head, name or "(no name)", what, "") for name in names if name not in known]
    return [(line, {name: cells.get(name, "") for name in known}) for line, cells in rows], problems


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table in one step.

    Args:
        path: A ``.csv`` or ``.parquet`` file.
        columns: The column names.
        rows: Per row its cells: text, or numbers, which Parquet keeps as numbers.

    Raises:
        DatasetError: The file's name ends otherwise.
    """
    suffix = _find_suffix(path, reading=False)
    with write_aside(path) as aside:
        if suffix == ".csv":
            with aside.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows([columns, *rows])
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        by_column = {name: [row[i] for row in rows] for i, name in enumerate(columns)}
        pq.write_table(pa.table(by_column), aside)


def _find_suffix(path: Path, *, reading: bool = True) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DatasetError("not a kind of table", where=path, expected="a file that ends in .csv or .parquet")
    if reading and not path.is_file():
        raise DatasetError("no such table", where=path, expected="a .csv or .parquet file")
    return suffix


def _read_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the CSV records that are not blank, each with the line on which it begins."""
    text, delimiter, skipped = _find_delimiter(_read_text(path))
    # Strict, as a quote that is never closed would otherwise swallow the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    line = 1 + skipped
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise DatasetError(
            "not a whole CSV table",
            where=f"{path}: line {line}",
            got=str(error),
            remedy='close every " and double those inside a cell',
        ) from error


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError("the table is not UTF-8", where=path, got=str(error), remedy="save it as UTF-8") from error


def _find_delimiter(text: str) -> tuple[str, str, int]:
    """Return a table without Excel's line ``sep=``, what stands between its cells, and how many lines were taken off.

    >>> _find_delimiter("sep=;" + chr(10) + "image;reasons")
    ('image;reasons', ';', 1)
    >>> _find_delimiter("image,reasons" + chr(10) + "a.jpg,blurry;bad_light;too_far_away")[1]
    ','
    """
    first, _, rest = text.partition("\n")
    mark = first.strip('"\r').removeprefix("sep=")
    if first.strip('"').startswith("sep=") and len(mark) == 1:
        return rest, mark, 1
    if first.strip('"').startswith("sep=\t"):
        return rest, "\t", 1
    header = next((line for line in text.splitlines() if line.strip()), "")
    return text, max(DELIMITERS, key=header.count), 0


def _read_csv_rows(path: Path) -> tuple[list[Row], list[str], list[Problem]]:
    records = list(_read_records(path))
    names = [name.strip() for name in records[0][1]] if records else []
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, cells in records[1:]:
        if len(cells) != len(names):
            problems.append(Problem(line, "(row)", f"expected {len(names)} cells, got {len(cells)}", ""))
        else:
            rows.append((line, {name: cell.strip() for name, cell in zip(names, cells, strict=True)}))
    return rows, names, problems


def _read_parquet(path: Path) -> tuple[list[str], list[dict[str, object]]]:
    """Return a Parquet table's column names and rows.

    Raises:
        DatasetError: It is not a whole one, or is too large.
    """
    import pyarrow.parquet as pq

    with (
        translate_errors(
            lambda error: DatasetError(
                "not a whole Parquet table", where=path, got=describe(error), remedy="write it again, or as .csv"
            )
        ),
        pq.ParquetFile(path) as file,  # read_table would add columns from folder names such as a=b
    ):
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
        if not (0 <= file.metadata.num_rows <= MOST_ROWS and 0 <= size <= MOST_BYTES):
            raise UntrustedError(f"it says that it has {file.metadata.num_rows:,} rows of {size:,} bytes")
        table = file.read(use_threads=False)
        return list(table.column_names), table.to_pylist()  # which fails on values that Python does not have


def _read_parquet_rows(path: Path) -> tuple[list[Row], list[str], list[Problem]]:
    names, rows = _read_parquet(path)
    return [(i, {k: _format_cell(v) for k, v in row.items()}) for i, row in enumerate(rows, 1)], names, []


def _format_cell(value: object) -> str:
    if value is None or value != value:  # NaN is what pandas writes where there is nothing
        return ""
    if isinstance(value, list):
        return ";".join(str(part) for part in value)
    return str(value).strip()
