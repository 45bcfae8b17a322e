"""What the readers share: published tables, photos found by name, and errors that say where to download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from imageqx_export.data.annotations import Rating
from imageqx_export.data.photos import find_photos
from imageqx_export.data.tables import Row, read_columns, read_table
from imageqx_export.errors import DatasetError

UNSPECIFIED = "L98.9"
"""ICD-10's "disorder of the skin and subcutaneous tissue, unspecified": a lesion whose code the data do not give."""

V = TypeVar("V")


@dataclass(frozen=True)
class Published:
    """The place where a data set is published, and what its download holds.

    Args:
        name: What people call it.
        page: The publication's address.
        files: The files and folders expected below the folder.
    """

    name: str
    page: str
    files: tuple[str, ...]

    def missing(self, root: Path, got: str) -> DatasetError:
        """Make the error of a download that is not there, or not in full."""
        return DatasetError(
            f"no download of {self.name}",
            where=root,
            expected=", ".join(self.files),
            got=got,
            remedy=f"download it from {self.page}, unpack it, and pass the folder",
        )


@dataclass(frozen=True)
class Imported:
    """A download's ratings, and per reason how many rows or photos were left out.

    Args:
        ratings: Image names are relative to the folder of the download; ``line`` is that of the published table.
        left_out: Reason → how many; empty if everything was used.
    """

    ratings: tuple[Rating, ...]
    left_out: Mapping[str, int]


def read_published(published: Published, root: Path, name: str, columns: Sequence[str]) -> list[Row]:
    """Read the rows of a published CSV file with their lines; columns beyond ``columns`` are left out.

    Raises:
        DatasetError: There is no such file, it lacks a column, or it is damaged.
    """
    path = root / name
    if not path.is_file():
        raise published.missing(root, f"no {name}")
    names = read_columns(path)
    lacking = [column for column in columns if column not in names]
    if lacking:
        raise DatasetError(
            f"not {published.name}'s table as it is published",
            where=path,
            expected=f"the columns {', '.join(columns)}",
            got=f"no {', '.join(lacking)}",
            remedy=f"download it again from {published.page}",
        )
    rows, problems = read_table(path, columns, others=True)
    if problems:
        raise DatasetError(
            "the table is damaged", where=path, got=str(problems[0]), remedy=f"download it again from {published.page}"
        )
    return rows


def find_photos_by_name(published: Published, root: Path) -> dict[str, str]:
    """Find every photo below ``root``: file name → path relative to ``root``, with ``/``.

    Raises:
        DatasetError: There is none.
    """
    paths = find_photos(root)
    if not paths:
        raise published.missing(root, "no photo")
    return {path.name: path.relative_to(root).as_posix() for path in reversed(paths)}


def look_up(published: Published, where: str, value: str, meanings: Mapping[str, V]) -> V:
    """Look a published value up.

    Raises:
        DatasetError: It is none of the published values.
    """
    if value not in meanings:
        raise DatasetError(
            f"a value that {published.name} does not have",
            where=where,
            expected=f"one of {', '.join(meanings)}",
            got=value or "nothing",
            remedy=f"download it again from {published.page}",
        )
    return meanings[value]


def skin_type(text: str) -> int:
    """Read a Fitzpatrick type as the data sets write it (``3``, ``3.0``, ``FST3``); 0 for everything else.

    >>> [skin_type(text) for text in ("3", "3.0", "FST6", "-1", "NONE_SELECTED", "")]
    [3, 3, 6, 0, 0, 0]
    """
    digit = text.removeprefix("FST").removesuffix(".0")
    return int(digit) if digit in {"1", "2", "3", "4", "5", "6"} else 0
