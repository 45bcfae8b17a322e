"""Show progress on standard error, so that ``--json`` on standard output stays clean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Opens a bar: called with a description and a total, it yields a function that advances it by one."""


@contextmanager
def silent(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show nothing."""
    yield lambda: None


@contextmanager
def bar(
    description: str, total: int, *, console: Console | None = None, after: float = 0.0
) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error (a line at the end where that is no terminal).

    Args:
        description: What is done.
        total: How often it will advance.
        console: Where else to show it; whatever is printed on it meanwhile stands above the bar.
        after: Seconds until it shows; never, if all is done by then.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Standard output is not redirected: where it is a file, rich would print its lines on the terminal instead.
    progress = RichProgress(*columns, TimeRemainingColumn(), console=console or _make_console(), redirect_stdout=False)
    task, begun = progress.add_task(description, total=total), time.monotonic()

    def start_if_due() -> None:
        if not progress.live.is_started and time.monotonic() - begun >= after:
            progress.start()

    def advance() -> None:
        progress.advance(task)
        start_if_due()

    start_if_due()
    try:
        yield advance
    finally:
        if progress.live.is_started:
            progress.stop()


def _make_console() -> Console:
    from rich.console import Console

    class ErrorConsole(Console):
        def on_broken_pipe(self) -> None:  # rich would end the work with 1, because nobody looks at its bar
            self.quiet = True

    return ErrorConsole(stderr=True)
