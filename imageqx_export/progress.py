"""Show progress on standard error, so that ``--json`` on standard output stays clean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Open a bar: called with a description and a total, it yields a function that advances it by one."""

    def __call__(self, description: str, total: int) -> _Bar:
        """Open a bar."""
        ...


class _Bar(Protocol):
    def __enter__(self) -> Callable[[], None]: ...
    def __exit__(self, *error: object) -> bool | None: ...


@contextmanager
def silent(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show nothing."""
    yield lambda: None


@contextmanager
def bar(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error (a line at the end where that is no terminal)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with RichProgress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(description, total=total)
        yield lambda: progress.advance(task)
