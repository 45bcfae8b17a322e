"""Keep every run in a JSON Lines file: one line a run, appended whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from imageqx_export.bench.model import BenchRun
from imageqx_export.errors import MeasurementError
from imageqx_export.support.files import check_room, name_full_disk
from imageqx_export.support.untrusted import describe, parse_json, read_bytes

SCHEMA_VERSION = 1
LOCK_SECONDS = 60.0
MOST_BYTES = 512 * 2**20
"""Of a history: some thousand full runs."""
_RUN_BYTES = 2**20
"""As large as a run of many artifacts."""


def check_history(path: Path) -> None:
    """Refuse a history that a run could not be appended to, before minutes are spent on measuring.

    Args:
        path: The file; nothing is written to it, and where it is missing, it is not made.

    Raises:
        MeasurementError: The last line is cut off, it is no file, or another writer holds it.
        OSError: The disk is full, or the file or its folder may not be written.
    """
    if path.exists() and not path.is_file():
        raise MeasurementError(
            "the history is not a file", where=path, expected="a file, or nothing there yet", remedy="--history FILE"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with _hold_lock(path):
        if path.exists():
            with path.open("ab"):
                _refuse_torn(path, _read_whole(path))
        check_room(path, _RUN_BYTES)


def append_run(path: Path, run: BenchRun) -> None:
    """Append ``run`` to a history; two writers wait for one another.

    Args:
        path: The file; it and its folder are made if they are missing.
        run: What was measured.

    Raises:
        MeasurementError: The last line is cut off, as after a writer that was killed, or another writer holds the file.
        OSError: The disk is full or the file may not be written; what was there is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    line = run.model_dump_json().encode() + b"\n"
    with _hold_lock(path), name_full_disk(path), path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        _refuse_torn(path, path.read_bytes())
        try:
            left = memoryview(line)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except BaseException:
            os.ftruncate(file.fileno(), size)
            if new and size == 0:
                path.unlink()
            raise


def load_history(path: Path) -> tuple[BenchRun, ...]:
    """Read every run of a history, in the order in which they were written.

    Raises:
        MeasurementError: There is no such file, a line is not a run, its schema is another version's, or the last line
            is cut off; the message names the line.
    """
    if not path.is_file():
        raise MeasurementError("no such history", where=path, remedy=f"imageqx bench --history {path}")
    content = _read_whole(path)
    if content and not content.endswith(b"\n") and _name_lock(path).exists():
        with _hold_lock(path):  # perhaps a writer is in the middle of its line
            content = _read_whole(path)
    _refuse_torn(path, content)
    lines = enumerate(content.split(b"\n"), 1)
    return tuple(_parse_line(f"{path}:{number}", line) for number, line in lines if line.strip())


def select(
    runs: Iterable[BenchRun],
    *,
    commit: str | None = None,
    artifact: str | None = None,
    target: str | None = None,
    tool_versions: Mapping[str, str] | None = None,
) -> tuple[BenchRun, ...]:
    """Return the runs that have each key that is given; with ``artifact``, its measurement alone.

    Args:
        runs: From :func:`load_history`.
        commit: The commit, ``+dirty`` included.
        artifact: The file's name.
        target: As it was asked for.
        tool_versions: Versions that the run must have had, by tool; it may have had more tools.
    """
    found = []
    for run in runs:
        kept = tuple(m for m in run.measurements if artifact in (None, m.artifact))
        same = commit in (None, run.commit) and target in (None, run.target)
        if same and kept and dict(tool_versions or {}).items() <= run.tool_versions.items():
            found.append(run.model_copy(update={"measurements": kept}))
    return tuple(found)


def _read_whole(path: Path) -> bytes:
    try:
        return read_bytes(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise MeasurementError("the history cannot be read", where=path, got=describe(error)) from error


def _parse_line(where: str, line: bytes) -> BenchRun:
    try:
        body = parse_json(line)
    except ValueError as error:
        raise _make_error(where, describe(error)) from error
    version = body.get("schema_version") if isinstance(body, dict) else None
    if version != SCHEMA_VERSION:
        raise MeasurementError(
            "a run of another schema",
            where=where,
            expected=f"schema_version {SCHEMA_VERSION}",
            got=str(version),
            remedy="read it with the version of imageqx-export that wrote it",
        )
    try:
        return BenchRun.model_validate_json(line)
    except ValueError as error:
        raise _make_error(where, describe(error)) from error


def _make_error(where: str, got: str) -> MeasurementError:
    return MeasurementError(
        "a line of the history is not a run",
        where=where,
        expected="what imageqx bench --history writes",
        got=got,
        remedy="delete the line, or take the file from its backup",
    )


def _refuse_torn(path: Path, content: bytes) -> None:
    if content and not content.endswith(b"\n"):
        number = content.count(b"\n") + 1
        raise MeasurementError(
            "the history's last line is cut off: a writer was killed",
            where=f"{path}:{number}",
            expected="a line end",
            remedy=f"delete the line: sed -i '{number}d' {path}",
        )


def _name_lock(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


@contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(_name_lock(path))
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise MeasurementError(
            "another process holds the history",
            where=path,
            expected=f"an end within {LOCK_SECONDS:g} s",
            remedy="wait for it to end",
        ) from error
    try:
        yield
    finally:
        lock.release()
