"""Where results are printed: tables for people, JSON for machines, remarks and errors on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from imageqx_export.cli.streams import CLOSED, discard
from imageqx_export.errors import ImageQXError
from imageqx_export.support.escapes import show_controls


class _PlainConsole(Console):
    """A console to which every string is text: no markup, no emoji names, and no control character gets through.

    Names in files say ``[red]`` or an escape sequence; what shall have a style is made by :func:`style`.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as it will be shown."""
        return super().render_str(show_controls(text), **{**options, "markup": False, "emoji": False})

    def on_broken_pipe(self) -> None:
        """End as where nobody reads any more; rich's own way says 1, which here means that something failed."""
        self.quiet = True
        discard(self.file.fileno())
        raise SystemExit(CLOSED)


# A pipe or a CI log has no width of its own, and rich would then cut the tables at 80 columns.
out = _PlainConsole(width=None if sys.stdout.isatty() else 112)
err = _PlainConsole(stderr=True)


def style(text: object, style: str) -> Text:
    """Return a text in a style, such as ``"bold red"``."""
    return Text(show_controls(str(text)), style)


def join(*parts: object) -> Text:
    """Return texts, with or without a style, one after another."""
    return Text.assemble(*(part if isinstance(part, Text) else show_controls(str(part)) for part in parts))


def print_error(failure: ImageQXError) -> None:
    """Print one error on standard error."""
    err.print(join(style("error:", "bold red"), f" {failure}"), highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Print one remark on standard error."""
    err.print(text, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output."""
    print(json.dumps(value, indent=2))


def print_line(text: str) -> None:
    """Print a line on standard output now, as it is: above a bar, if one shows on the same terminal."""
    if out.is_terminal:
        out.print(Text(text), soft_wrap=True, highlight=False)
    else:
        print(text, flush=True)
