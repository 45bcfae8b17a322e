"""Generate the reference: commands from typer, Python names from ``__init__.pyi``, files from their pydantic models."""

from __future__ import annotations

import ast
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

import imageqx_export
from imageqx_export.artifact import Manifest, ModelSpec
from imageqx_export.bench.model import BenchRun
from imageqx_export.cli import app
from imageqx_export.model_spec import Thresholds
from imageqx_export.parity.compare import ParityReport
from imageqx_export.quantize.recipe import Recipe
from website.file_examples import make_examples

FILES: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("manifest.json", "What an export wrote; beside the artifacts.", Manifest),
    ("ModelSpec", "In every artifact's own metadata, and per artifact in `manifest.json`.", ModelSpec),
    (
        "parity.json",
        "How far each artifact is from PyTorch; `imageqx export` and `imageqx parity` write it.",
        ParityReport,
    ),
    ("A recipe", "How a network is quantized; `imageqx quantize` writes it, and a person reviews it.", Recipe),
    (
        "Thresholds",
        "A clinic's own; `imageqx thresholds --thresholds-out` writes it, `--thresholds` takes it.",
        Thresholds,
    ),
    ("A history", "One line a run; `imageqx bench --history` adds it, `imageqx report` reads it.", BenchRun),
)
"""Title, what it is, and the model of each kind of file."""


def write_reference(out: Path) -> None:
    """Write ``cli.md``, ``python.md`` and ``files.md``."""
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in (("cli", list_commands()), ("python", list_names()), ("files", list_files())):
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
    examples = make_examples()
    for title, what, model in FILES:
        yield from (f"## {title}", "", what, "")
        yield from _fold("example", "An example, cut to a few rows", examples[model].model_dump(mode="json"))
        yield from _fold("note", "JSON Schema", model.model_json_schema())


def _fold(kind: str, title: str, value: object) -> Iterator[str]:
    """Yield JSON in a block that opens when it is clicked."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    yield from (f'??? {kind} "{title}"', "")
    yield from (f"    {line}" for line in ("```json", *text.splitlines(), "```"))
    yield ""
