"""Generate the reference: commands from typer, Python names from ``__init__.pyi``, files from their pydantic models."""

from __future__ import annotations

import ast
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import imageqx_export
from imageqx_export.cli import app
from website.examples import read_omissions
from website.file_examples import make_examples
from website.file_kinds import FILES


def write_reference(out: Path) -> None:
    """Write ``cli.md``, ``python.md``, ``files.md`` and ``examples.md``."""
    out.mkdir(parents=True, exist_ok=True)
    pages = {"cli": list_commands(), "python": list_names(), "files": list_files(), "examples": list_omissions()}
    for name, lines in pages.items():
        (out / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def list_commands() -> Iterator[str]:
    """Yield a page with every command, its arguments and options."""
    yield from ("# Commands", "", "Generated from the command line itself. Exit codes: 0 ok, 1 failed (of `report`: a")
    yield from (
        "regression), 2 undecided or wrong usage, 130 after Ctrl-C, 143 after SIGTERM, 141 on a closed pipe.",
        "",
    )
    group = typer.main.get_command(app)
    yield from _describe_commands(group, group.context_class(group, info_name="imageqx"))


def _describe_commands(command: Any, context: Any) -> Iterator[str]:
    if hasattr(command, "list_commands"):  # typer brings a click of its own, whose classes are others than click's
        for name in sorted(command.list_commands(context)):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _describe_commands(child, child.context_class(child, info_name=name, parent=context))
        return
    yield from (f"## {context.command_path}", "", *_tidy(command.help), "")
    yield from (
        "```",
        " ".join(command.collect_usage_pieces(context)).join((f"{context.command_path} ", "")),
        "```",
        "",
    )
    rows = [row for parameter in command.get_params(context) if (row := _describe_parameter(parameter, context))]
    yield from ("| argument or option | |", "|---|---|", *rows, "")
    if command.epilog:
        yield from ("```", *(line.strip() for line in command.epilog.strip().splitlines()), "```", "")


def _describe_parameter(parameter: Any, context: Any) -> str | None:
    record = parameter.get_help_record(context)
    if record is None:
        text = getattr(parameter, "help", None)
        record = (parameter.make_metavar(context), text) if text else None
    if record is None:
        return None
    names, text = (" ".join(part.split()) for part in record)
    names = html.escape(names, quote=False).replace("|", "&#124;")  # in a table even code ends at a bar
    return f"| <code>{names}</code> | {_escape(text)} |"


def _tidy(text: str | None) -> list[str]:
    return [_escape(line.strip()) for line in (text or "").replace("\f", "").replace("\b", "").strip().splitlines()]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def list_names() -> Iterator[str]:
    """Yield a page with every public name, for mkdocstrings to fill."""
    yield from ("# Python", "", "The public names; `import imageqx_export` has each, and loads it when it is used.", "")
    tree = ast.parse(Path(imageqx_export.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield from (f"::: imageqx_export.{node.module}.{alias.name}", "")


def list_files() -> Iterator[str]:
    """Yield a page with the JSON schema of every kind of file, and an example."""
    yield from ("# Files", "", "What is in the files that commands write and read, as JSON Schema.", "")
    yield from (
        "A checkpoint's header is described with [the models](../models/README.md).",
        "",
    )
    examples = make_examples()
    for title, what, model in FILES:
        example = examples[model].model_dump(mode="json", by_alias=True)
        yield from (f"## {title}", "", what, "")
        yield from _fold("example", "An example, cut to a few rows", example)
        yield from _fold("note", "JSON Schema", model.model_json_schema())


def list_omissions() -> Iterator[str]:
    """Yield a page that says which commands of the pages CI does not run as they stand."""
    yield from (
        "# Examples",
        "",
        "`make test-docs` runs every command and all Python of README and the site, in a folder with a few photos,",
        "ratings and runs, and compares what is printed where a page shows it. `make` targets are lines of `.ci/run`.",
        "Of every command `make test` sees that its options and targets exist.",
        "",
        "## Run small",
        "",
        "With options added, and with 34 drawn scenes where the program has 64 to 408 (`website/small.py`).",
        "",
        "| begins | why it is not run as it stands | added |",
        "|---|---|---|",
    )
    rows = read_omissions()
    yield from (f"| `{one.begins}` | {_escape(one.why)} | `{one.add or 'nothing'}` |" for one in rows if one.small)
    yield from ("", "## Not run", "", "| begins | why | what `.ci/run` has of it |", "|---|---|---|")
    for one in (row for row in rows if not row.small):
        yield f"| `{one.begins}` | {_escape(one.why)} | {f'`{one.instead}`' if one.instead else 'nothing'} |"


def _fold(kind: str, title: str, value: object) -> Iterator[str]:
    """Yield JSON in a block that opens when it is clicked."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    yield from (f'??? {kind} "{title}"', "")
    yield from (f"    {line}" for line in ("```json", *text.splitlines(), "```"))
    yield ""
