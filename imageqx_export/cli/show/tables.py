"""Tables that fit their terminal: no word of theirs is ever cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rich import box, table
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.text import Text

_BOXED = (3, 1)  # what a column adds to its width, and what the table adds once: lines and blanks
_OPEN = (2, -2)
_INDENT = 2
_DOT = Text(" · ")
_FIRST_WORD = re.compile(r"\s*\S+")


class Table(table.Table):
    """A table that gives up its lines first, then wraps at words, then puts each row's cells below each other.

    Rich's own cuts a word that its column has no room for, with an ellipsis or in two: twelve artifacts would
    have one name.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render in the widest of the three forms that fits ``options.max_width``."""
        measured = [self._measure(console, options, k) for k in range(len(self.columns))]
        for (per_column, once), lines in ((_BOXED, self.box), (_OPEN, box.SIMPLE_HEAD)):
            widths = fit(measured, options.max_width - per_column * len(measured) - once)
            if widths is not None:
                if lines is box.SIMPLE_HEAD:
                    self.box, self.padding, self.pad_edge, self.show_edge = lines, (0, 1, 0, 0), False, False
                for column, width in zip(self.columns, widths, strict=True):
                    column.width = width
                yield from super().__rich_console__(console, options)
                return
        yield from self._stack(console, options.max_width - _INDENT)

    def _measure(self, console: Console, options: ConsoleOptions, index: int) -> Measurement:
        """Return a column's longest word and its longest line; a column that must not wrap has the line twice."""
        column = self.columns[index]
        cells = (column.header, *column.cells)
        found = [Measurement.get(console, options, cell) for cell in cells]
        widest = max(cell.maximum for cell in found)
        longest = max(*(cell.minimum for cell in found), *map(_measure_first_words, cells))
        return Measurement(widest if column.no_wrap else longest, widest)

    def _stack(self, console: Console, width: int) -> Iterator[RenderableType]:
        """Yield each row as its first cell and, indented, the others behind their columns' names."""
        if self.title:
            yield _to_text(console, self.title)
        heads = [_to_text(console, column.header) for column in self.columns]
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            first, *others = (_to_text(console, cell) for cell in cells)
            if first.plain.strip():
                yield first
            named = [
                Text.assemble(head, " " if head.plain else "", cell)
                for head, cell in zip(heads[1:], others, strict=True)
                if cell.plain.strip()
            ]
            for line in _fill(named, width):
                yield Padding(line, (0, 0, 0, _INDENT), expand=False)
        if self.caption:
            yield _to_text(console, self.caption)


def fit(columns: list[Measurement], width: int) -> list[int] | None:
    """Return columns' widths whose sum is at most ``width``, or None where not even the longest words fit.

    Args:
        columns: Per column, the widths of its longest word and of its longest line.
        width: Characters that there are for all of them.

    The widest column that can still wrap gives way first.

    >>> fit([Measurement(4, 20), Measurement(5, 8)], 20)
    [12, 8]
    """
    widths = [column.maximum for column in columns]
    while sum(widths) > width:
        slack = [k for k, column in enumerate(columns) if widths[k] > column.minimum]
        if not slack:
            return None
        widths[max(slack, key=lambda k: widths[k])] -= 1
    return widths


def _fill(items: list[Text], width: int) -> Iterator[Text]:
    """Yield lines of as many items as fit in ``width``, a dot between two; an item longer than that has its own."""
    line: list[Text] = []
    for item in items:
        if line and _DOT.join([*line, item]).cell_len > width:
            yield _DOT.join(line)
            line = []
        line.append(item)
    if line:
        yield _DOT.join(line)


def _measure_first_words(cell: Any) -> int:
    """Return the width of the longest first word of a line, with the blanks before it, which rich does not part."""
    text = cell.plain if isinstance(cell, Text) else str(cell)
    return max((cell_len(first[0]) for line in text.splitlines() if (first := _FIRST_WORD.match(line))), default=0)


def _to_text(console: Console, cell: Any) -> Text:
    """Return a cell on one line, in its style."""
    text = cell if isinstance(cell, Text) else console.render_str(str(cell))
    lines = [line for line in text.split("\n") if line.plain.strip()]
    return Text(" ").join(lines)
