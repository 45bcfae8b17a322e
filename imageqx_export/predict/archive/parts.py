"""The folder beside a table where each block of rows is kept as it comes, and what becomes of them at the end."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from imageqx_export.errors import DatasetError, ImageQXError
from imageqx_export.predict.addresses import hide_secrets, is_address, open_place, show_place
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.files import check_places, write_aside
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.untrusted import name_error

if TYPE_CHECKING:
    import pyarrow as pa

ENDING: Final = ".parts"
"""What the folder's name has after the table's."""

_PART: Final = re.compile(r"[0-9a-f]{64}\.parquet")  # what is called otherwise is somebody else's, and stays
_LOCAL: Final = re.compile(r"(file|local)://(?!.*::)")
_ROWS_A_GROUP: Final = 16384  # of the finished table


class _GoneError(Exception):
    """What a part is that is not there."""


class Place(Protocol):
    """Where a table and its parts are; what is written there is whole or not there."""

    def list_parts(self) -> set[str]:
        """Return the names of the parts."""

    def read_part(self, name: str) -> bytes | None:
        """Return a part; None where there is none."""

    def write_part(self, name: str, content: bytes) -> None:
        """Keep a part."""

    def finish(self, write: Callable[[Path], None], names: Sequence[str]) -> None:
        """Put what ``write`` writes in the table's place, and delete the parts of these names, and no others."""


def open_output(out: str) -> Place:
    """Return where a table is to be, by its path or its address; nothing is written yet.

    Raises:
        DatasetError: The name does not end in ``.parquet``, or the address cannot be used.
        ImageQXError: A folder is there, or a file where the folder of the parts would be.
        OSError: Nothing can be written there.
    """
    if not out.endswith(".parquet"):
        raise DatasetError(
            "not a name of a table", where=show_place(out), expected="a file or an address that ends in .parquet"
        )
    if not is_address(out):
        return _LocalPlace(Path(out))
    if not _LOCAL.match(out):
        return _RemotePlace(out)
    with _translate(out):
        path = Path(open_place(out)[1])
    return _LocalPlace(path)


def join_parts(place: Place, names: Sequence[str], count: Callable[[pa.Table], None]) -> bool:
    """Make one table of parts in the order of ``names``, put it in its place, and delete these parts.

    No more is held than a group of rows.

    Args:
        place: Where they are.
        names: Of the parts.
        count: Is given every part.

    Returns:
        Whether all were there; otherwise nothing is written.

    Raises:
        DatasetError: A part is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(path: Path) -> None:
        writer: pq.ParquetWriter | None = None
        held: list[pa.Table] = []
        try:
            for index, part in enumerate(_read_parts(place, names)):
                count(part)
                held.append(part)
                writer = writer or pq.ParquetWriter(path, part.schema)
                if index == len(names) - 1 or sum(map(len, held)) >= _ROWS_A_GROUP:
                    writer.write_table(pa.concat_tables(held), row_group_size=2 * _ROWS_A_GROUP)
                    held.clear()
        finally:
            if writer is not None:
                writer.close()

    try:
        place.finish(write, names)
    except _GoneError:
        return False
    return True


def _read_parts(place: Place, names: Sequence[str]) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    for name in names:
        content = place.read_part(name)
        if content is None:
            raise _GoneError
        with translate_errors(lambda error, name=name: _blame_part(name, error)):  # type: ignore[misc]
            part = pq.read_table(io.BytesIO(content))
        yield part


def _blame_part(name: str, error: Exception) -> ImageQXError:
    return DatasetError(
        "a part of the table is damaged",
        where=name,
        got=hide_secrets(name_error(error)),
        remedy="delete it, and give the same command again: what is missing is assessed",
    )


def _refuse_parts(folder: Path | str) -> ImageQXError:
    return DatasetError(
        "the parts of the table have no place",
        where=show_place(folder),
        expected="a folder, or nothing there yet",
        got="something else",
        remedy="move it away, or give --out another name",
    )


@contextmanager
def _translate(address: str) -> Iterator[None]:
    reason = "the address cannot be used"
    with translate_errors(
        lambda error: DatasetError(reason, where=hide_secrets(address), got=hide_secrets(name_error(error)))
    ):
        yield


class _LocalPlace:
    def __init__(self, out: Path) -> None:
        check_places(out)
        self._out, self._folder = out, out.with_name(out.name + ENDING)
        if os.path.lexists(self._folder) and not self._folder.is_dir():
            raise _refuse_parts(self._folder)

    def list_parts(self) -> set[str]:
        return {path.name for path in self._folder.glob("*.parquet") if _PART.fullmatch(path.name)}

    def read_part(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write_part(self, name: str, content: bytes) -> None:
        try:
            self._write(name, content)
        except FileNotFoundError:  # another run of the same command was done, and took the empty folder away
            self._write(name, content)

    def _write(self, name: str, content: bytes) -> None:
        with write_aside(self._folder / name) as aside:
            aside.write_bytes(content)

    def finish(self, write: Callable[[Path], None], names: Sequence[str]) -> None:
        with write_aside(self._out) as aside:
            write(aside)
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # another run's parts, or somebody's own files, are there
            self._folder.rmdir()


class _RemotePlace:
    """One put is whole or not at all there, as with S3 and Google Cloud Storage."""

    def __init__(self, out: str) -> None:
        self._out = out
        with _translate(out):
            self._files, self._path = open_place(out)
            self._folder = self._path + ENDING
            if self._files.isdir(self._path):
                raise DatasetError("the output is not a file", where=show_place(out), got="a folder")
            if self._files.isfile(self._folder):
                raise _refuse_parts(out + ENDING)

    def list_parts(self) -> set[str]:
        with _translate(self._out):
            self._files.invalidate_cache()
            rows: list[dict[str, Any]] = (
                self._files.ls(self._folder, detail=True) if self._files.exists(self._folder) else []
            )
        names = (str(row["name"]).rpartition("/")[2] for row in rows)
        return {name for name in names if _PART.fullmatch(name)}

    def read_part(self, name: str) -> bytes | None:
        with _translate(self._out):
            try:
                content: bytes = self._files.cat_file(f"{self._folder}/{name}")
            except FileNotFoundError:
                return None
        return content

    def write_part(self, name: str, content: bytes) -> None:
        with _translate(self._out):
            self._files.makedirs(self._folder, exist_ok=True)
            self._files.pipe_file(f"{self._folder}/{name}", content)

    def finish(self, write: Callable[[Path], None], names: Sequence[str]) -> None:
        with temporary_folder("table") as scratch:
            write(scratch / "table.parquet")
            with _translate(self._out):
                self._files.put_file(str(scratch / "table.parquet"), self._path)
                own = sorted(self.list_parts() & set(names))
                with suppress(FileNotFoundError):  # another run of the same command was quicker
                    self._files.rm([f"{self._folder}/{name}" for name in own])
                left = self._files.ls(self._folder, detail=False) if self._files.exists(self._folder) else []
        if not left:
            with suppress(Exception):  # most such places have no folders but of names
                self._files.rmdir(self._folder)
