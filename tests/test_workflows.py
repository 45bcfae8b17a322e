"""The workflow and its composite action: they call what exists, and fail when they should."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.workflows import ACTION, MAKEFILE, RELEASE, WORKFLOW, commands_in, find_problems, parse, steps_of

TEXTS = (WORKFLOW.read_text(), ACTION.read_text(), MAKEFILE.read_text())


def test_the_workflow_and_the_action_hold() -> None:
    assert find_problems(*TEXTS) == []


def test_the_release_holds() -> None:
    text = RELEASE.read_text()
    assert find_problems(text, ACTION.read_text(), MAKEFILE.read_text()) == []
    for old, new, problem in (
        ("keys renew", "keys refresh", "--to"),
        ("--history build", "--bench build", "imageqx publish has no --bench"),
        ("make test-compat", "make test-old", "the Makefile has no test-old"),
    ):
        found = find_problems(text.replace(old, new), ACTION.read_text(), MAKEFILE.read_text())
        assert any(problem in one for one in found), found


BROKEN = {
    "a target that make has not": (1, "run: make export", "run: make exports", "the Makefile has no exports"),
    "a variable that make has not": (1, "HISTORY=", "HISTORIE=", "the Makefile has no HISTORIE"),
    "a command that imageqx has not": (1, "imageqx report", "imageqx reports", "imageqx has no reports"),
    "an option that imageqx has not": (1, "--current", "--now", "imageqx report has no --now"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_hold_is_found(case: str) -> None:
    which, pattern, instead, problem = BROKEN[case]
    texts = list(TEXTS)
    texts[which] = re.sub(pattern, lambda _: instead, texts[which], count=1)
    assert texts[which] != TEXTS[which]
    assert any(problem in found for found in find_problems(*texts)), find_problems(*texts)


def test_calls_are_found_wherever_they_stand() -> None:
    assert commands_in("a/imageqx report \\\n  --out b || c=$?\nmake x Y=1; make z", "imageqx") == [
        ["report", "--out", "b"]
    ]
    assert commands_in("make x Y=1", "make") == [["x", "Y=1"]] and commands_in("cmake x", "make") == []


PULL_REQUEST = {
    "github.event_name": "pull_request",
    "github.event.pull_request.head.repo.full_name": "us/project",
    "github.repository": "us/project",
    "github.actor": "somebody",
}


@pytest.mark.parametrize(
    ("change", "posts"),
    [
        ({}, True),
        ({"github.event.pull_request.head.repo.full_name": "fork/project"}, False),
        ({"github.event_name": "push"}, False),
        ({"github.actor": "dependabot[bot]"}, False),
    ],
)
def test_only_a_pull_request_of_our_own_gets_a_comment(change: Mapping[str, str], posts: bool) -> None:
    condition = parse(TEXTS[0])["jobs"]["comment"]["if"].replace("!cancelled()", "True").replace("&&", "and")
    for name, value in sorted({**PULL_REQUEST, **change}.items(), key=lambda item: -len(item[0])):
        condition = condition.replace(name, repr(value))
    assert eval(condition, {}) is posts


@pytest.mark.parametrize(
    ("code", "verdict", "exit_code", "says"),
    [(0, "ok", 0, ""), (1, "regression", 0, ""), (2, "insufficient", 0, "::warning"), (3, None, 3, "")],
)
def test_each_exit_code_of_the_report_is_told_apart(
    tmp_path: Path, code: int, verdict: str | None, exit_code: int, says: str
) -> None:
    done, outputs, summary = run_report_step(tmp_path, code, "# Report\n")
    assert done.returncode == exit_code and says in done.stdout and bool(says) == ("::" in done.stdout)
    assert outputs == ({} if verdict is None else {"verdict": verdict, "name": "bundle-report"})
    assert summary == ("" if verdict is None else "# Report\n")
    words = (tmp_path / "arguments").read_text().split()
    assert words[:6] == ["report", "--baseline", "a", "b.json", "--current", "build/history.jsonl"]


def test_a_failed_command_without_a_report_is_no_regression_but_a_failure(tmp_path: Path) -> None:
    done, outputs, _ = run_report_step(tmp_path, 1, None)
    assert done.returncode == 1 and "::error title=No report" in done.stdout and outputs == {}


@pytest.mark.parametrize(
    ("verdict", "fails"), [("regression", True), ("ok", False), ("insufficient", False), ("", False)]
)
def test_a_regression_fails_after_everything_is_uploaded(verdict: str, fails: bool) -> None:
    *_, last = steps = steps_of(parse(TEXTS[1]))
    condition = last["if"].replace("steps.report.outputs.verdict", repr(verdict))
    assert eval(condition, {}) is (verdict == "regression") and "exit 1" in last["run"]
    assert [step["uses"].split("@")[0] for step in steps[-3:-1]] == ["actions/upload-artifact"] * 2


def run_report_step(
    folder: Path, code: int, report: str | None
) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """Run the action's own script as GitHub does, on an imageqx that ends with ``code``."""
    script = next(step["run"] for step in steps_of(parse(TEXTS[1])) if step.get("id") == "report")
    program = folder / ".venv" / "bin" / "imageqx"
    program.parent.mkdir(parents=True)
    written = "" if report is None else f"mkdir -p build/report; printf '{report}' > build/report/report.md"
    program.write_text(f'#!/bin/sh\necho "$@" > arguments\n{written}\nexit {code}\n')
    program.chmod(0o755)
    (folder / "output").touch()
    (folder / "summary").touch()
    environment = {
        "PATH": "/usr/bin:/bin",
        "BASELINE": "a b.json",
        "NAME": "bundle-report",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    lines = (folder / "output").read_text().splitlines()
    return (
        done,
        {name: value for name, _, value in (line.partition("=") for line in lines)},
        (folder / "summary").read_text(),
    )
