"""What actionlint and zizmor cannot know of the workflows: whether what they call exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml

from imageqx_export.cli import app

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOW = GITHUB / "workflows" / "export.yml"
RELEASE = GITHUB / "workflows" / "release.yml"
ACTION = GITHUB / "actions" / "export" / "action.yml"
MAKEFILE = ROOT / "Makefile"

Document = dict[str, Any]


def parse(text: str) -> Document:
    """Return a workflow or action; ``on`` is a string here, and not what YAML 1.1 takes it for."""
    document = yaml.safe_load(text)
    assert isinstance(document, dict), "not a mapping"
    return {"on" if key is True else key: value for key, value in document.items()}


def steps_of(document: Document) -> list[Document]:
    """Return every step of a workflow's jobs, or of a composite action."""
    jobs = document.get("jobs", {}).values()
    return [step for job in jobs for step in job.get("steps", ())] or list(document.get("runs", {}).get("steps", ()))


def scripts_of(document: Document) -> Iterator[tuple[str, str]]:
    """Yield each shell script, with the name of its step."""
    for step in steps_of(document):
        if "run" in step:
            yield str(step.get("name", step["run"])), str(step["run"])


def commands_in(script: str, program: str) -> list[list[str]]:
    """Return the words after a program's name, for every command of a script that begins with it."""
    commands = re.split(r"\n|;|&&|\|\|", script.replace("\\\n", " "))
    words = [command.split() for command in commands]
    return [line[1:] for line in words if line and line[0].rpartition("/")[2] == program]


def make_problems(text: str, makefile: str) -> Iterator[str]:
    """Find targets and variables of make that the Makefile does not have."""
    for _, script in scripts_of(parse(text)):
        for words in commands_in(script, "make"):
            for word in words:
                name, given, _ = word.partition("=")
                found = rf"\$\(.*\b{name}\b|\b{name}\b *\??=" if given else rf"^{re.escape(name)}:"
                if not re.search(found, makefile, re.MULTILINE):
                    yield f"make {' '.join(words)}: the Makefile has no {name}"


def command_problems(text: str) -> Iterator[str]:
    """Find subcommands and options that imageqx does not have."""
    commands: dict[str, Any] = getattr(typer.main.get_command(app), "commands", {})
    for _, script in scripts_of(parse(text)):
        for words in commands_in(script, "imageqx"):
            if words[0] not in commands:
                yield f"imageqx has no {words[0]}"
                continue
            options = {option for parameter in _find(commands, words).params for option in parameter.opts}
            yield from (f"imageqx {words[0]} has no {w}" for w in words if w.startswith("--") and w not in options)


def _find(commands: dict[str, Any], words: list[str]) -> Any:
    """Return a command, or that of a group which the second word names."""
    group: dict[str, Any] = getattr(commands[words[0]], "commands", {})
    return group.get(words[1], commands[words[0]]) if len(words) > 1 else commands[words[0]]


def find_problems(workflow: str, action: str, makefile: str) -> list[str]:
    """Return every call of make and imageqx that does not hold."""
    return [
        problem for text in (workflow, action) for problem in (*make_problems(text, makefile), *command_problems(text))
    ]
