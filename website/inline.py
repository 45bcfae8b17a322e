"""Look at commands within sentences of README and the site: that the command, its options and the target are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from imageqx_export.cli import app
from website.examples import FENCE, parse_words

_SPAN = re.compile(r"`(?:\.venv/bin/)?((?:imageqx|make) [a-z-][^`]*)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def find_inline_faults(text: str, makefile: str, *, whole: bool = False) -> Iterator[str]:
    """Yield what is named in code within a page's sentences and is not there.

    Args:
        text: The page.
        makefile: The Makefile's text.
        whole: Whether each command of imageqx is one that can be given as it stands, and not only mentioned.
    """
    for match in _SPAN.finditer(FENCE.sub("", text)):
        program, *words = _split(match[1])
        if program == "make":
            targets = [word for word in words if re.fullmatch(r"[a-z][a-z0-9-]*", word)]
            yield from (f"make {name}" for name in targets if not re.search(rf"(?m)^{re.escape(name)}:", makefile))
        elif whole:
            yield from parse_words(shlex.split(match[1])[1:])
        else:
            yield from _find_unknown(words)


def _split(command: str) -> list[str]:
    """Return a command's words as a shell sees them, or, where it would wait for a quote's end, as they stand."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _find_unknown(words: list[str]) -> Iterator[str]:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, *words = words
        if name not in command.commands:
            yield f"imageqx {name}"
            return
        command = command.commands[name]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    given = _OPTION.findall(" ".join(words))
    yield from (f"imageqx {command.name} {option}" for option in given if option not in known)
