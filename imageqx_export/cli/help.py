"""Plain help in panels: rich's boxes cost 0.4 s at every ``--help``, and lines of theirs cannot be copied."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

from typer.core import TyperCommand, TyperGroup

_WHOLE_SENTENCE = 500  # characters; Click would cut a command's sentence at 45


class PlainCommand(TyperCommand):
    """A command whose help lists its options by panel, the rest last, and whose examples stand as they were written."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each panel of options, in the order of the parameters."""
        records = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                panel = "Arguments" if parameter.param_type_name == "argument" else "Options"
                records.append((getattr(parameter, "rich_help_panel", None) or panel, record))
        _write_panels(formatter, records, "Options")

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples unwrapped, so that they can be copied."""
        _write_examples(formatter, self.epilog)


class PlainGroup(TyperGroup):
    """A group whose help lists its commands by panel, each with its whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each panel of commands, in the order in which they were added."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        records = [
            (
                getattr(command, "rich_help_panel", None) or "Commands",
                (name, command.get_short_help_str(_WHOLE_SENTENCE)),
            )
            for name, command in commands
            if command is not None and not command.hidden
        ]
        _write_panels(formatter, records, "Commands")

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples unwrapped, so that they can be copied."""
        _write_examples(formatter, self.epilog)


def _write_panels(formatter: Any, records: Iterable[tuple[str, tuple[str, str]]], last: str) -> None:
    panels: dict[str, list[tuple[str, str]]] = {}
    for panel, record in records:
        panels.setdefault(panel, []).append(record)
    for panel in sorted(panels, key=lambda name: name == last):
        with formatter.section(panel):
            formatter.write_dl(panels[panel])


def _write_examples(formatter: Any, text: str | None) -> None:
    if text:
        formatter.write_paragraph()
        formatter.write("".join(f"  {line}\n" for line in cleandoc(text).splitlines()))
