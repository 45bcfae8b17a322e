"""What must hold of the workflows, as functions that list what does not: tests feed them good and bad ones."""

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
ACTION = GITHUB / "actions" / "export" / "action.yml"
MAKEFILE = ROOT / "Makefile"

Document = dict[str, Any]
_PIN = re.compile(r"uses: *([\w.-]+/[\w./-]+)@(\S+)(?: +# *(\S+))?")
_INPUT = re.compile(r"\binputs\.([\w-]+)")
_STEP = re.compile(r"\bsteps\.([\w-]+)\.outputs\.([\w-]+)")
_FORBIDDEN = ("pull_request_target", "workflow_run")  # both run a stranger's code with a token that may write


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


def pin_problems(text: str) -> Iterator[str]:
    """Find actions of others that are not pinned by commit, with the version in a comment."""
    for action, reference, version in _PIN.findall(text):
        if not re.fullmatch(r"[0-9a-f]{40}", reference):
            yield f"{action}@{reference} is not pinned by commit"
        elif not re.fullmatch(r"v\d+\.\d+\.\d+", version):
            yield f"{action}@{reference[:7]} does not say its version"


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
            options = {option for parameter in commands[words[0]].params for option in parameter.opts}
            yield from (f"imageqx {words[0]} has no {w}" for w in words if w.startswith("--") and w not in options)


def script_problems(document: Document) -> Iterator[str]:
    """Find expressions in scripts: what they give is run as code."""
    scripts = dict(scripts_of(document))
    scripts |= {step["name"]: step["with"]["script"] for step in steps_of(document) if "script" in step.get("with", {})}
    yield from (f"{name}: an expression in a script" for name, script in scripts.items() if "${{" in script)


def right_problems(workflow: Document) -> Iterator[str]:
    """Find rights that are not asked for one by one, and code of a pull request beside a right to write."""
    yield from (f"on {event}" for event in _FORBIDDEN if event in workflow["on"])
    if workflow.get("permissions") != {}:
        yield "the workflow's permissions are not {}"
    if "concurrency" not in workflow:
        yield "no concurrency"
    for name, job in workflow["jobs"].items():
        if "timeout-minutes" not in job:
            yield f"{name}: no timeout"
        rights, checkouts = job.get("permissions"), 0
        if not isinstance(rights, dict):
            yield f"{name}: permissions are not listed"
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                checkouts += 1
                if step.get("with", {}).get("persist-credentials") is not False:
                    yield f"{name}: checkout keeps its token"
        if checkouts and "write" in str(rights):
            yield f"{name}: may write, and runs what it checked out"


def action_problems(workflow: Document, action: Document) -> Iterator[str]:
    """Find what the workflow and the action mean to pass to one another, and do not."""
    inputs, outputs = set(action["inputs"]), set(action["outputs"])
    for step in steps_of(workflow):
        if step.get("uses", "").startswith("./.github/actions/"):
            yield from (f"the action has no input {name}" for name in step.get("with", {}) if name not in inputs)
    yield from (f"the action uses no input of its own: {n}" for n in _INPUT.findall(str(action)) if n not in inputs)
    for step in steps_of(action):
        if "run" in step and step.get("shell") != "bash":
            yield f"{step['name']}: no shell"
    known = {step["id"]: str(step) for step in [*steps_of(workflow), *steps_of(action)] if "id" in step}
    for document in (workflow, action):
        for step, output in _STEP.findall(str(document)):
            local = "uses" in known.get(step, "") and output in outputs
            if step not in known or not (local or f'echo "{output}=' in known[step]):
                yield f"no step {step} has an output {output}"


def all_problems(workflow: str, action: str, makefile: str) -> list[str]:
    """Return everything that does not hold."""
    documents = parse(workflow), parse(action)
    return [
        *(problem for text in (workflow, action) for problem in pin_problems(text)),
        *(problem for text in (workflow, action) for problem in make_problems(text, makefile)),
        *(problem for text in (workflow, action) for problem in command_problems(text)),
        *(problem for document in documents for problem in script_problems(document)),
        *right_problems(documents[0]),
        *action_problems(*documents),
    ]
