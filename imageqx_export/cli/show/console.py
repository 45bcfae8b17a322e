"""Where results are printed: tables for people, JSON for machines, remarks and errors on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape

from imageqx_export.errors import ImageQXError

# A pipe or a CI log has no width of its own, and rich would then cut the tables at 80 columns.
out = Console(width=None if sys.stdout.isatty() else 112)
err = Console(stderr=True)


def print_error(failure: ImageQXError) -> None:
    """Print one error on standard error."""
    err.print(f"[bold red]error:[/] {escape(str(failure))}", highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Print one remark on standard error."""
    err.print(escape(text), highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output."""
    print(json.dumps(value, indent=2))
