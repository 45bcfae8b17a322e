"""An examination goes on whatever it meets, and every gap names what closes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imageqx_export.doctor import parts, programs
from imageqx_export.doctor.model import Diagnosis, Finding, State
from imageqx_export.doctor.programs import PROGRAMS, Program, examine_program
from imageqx_export.doctor.stage import examine, list_checks
from tests.conftest import Cli


def ready(group: str, part: str = "part") -> Finding:
    return Finding(group=group, part=part, state=State.READY)


def test_a_check_that_fails_is_a_finding_and_the_rest_go_on() -> None:
    def fail() -> Iterator[Finding]:
        yield ready("export", "before")
        raise RuntimeError("a \x1b[31mbroken\x1b[0m machine")

    found = examine([("broken", fail), ("after", lambda: [ready("bench")])]).findings
    assert [finding.part for finding in found] == ["before", "broken", "part"]
    assert found[1].state is State.UNKNOWN
    assert "RuntimeError" in found[1].detail


def test_groups_stay_together() -> None:
    checks = [("1", lambda: [ready("a"), ready("b")]), ("2", lambda: [ready("a", "late")])]
    assert [(f.group, f.part) for f in examine(checks).findings] == [("a", "part"), ("a", "late"), ("b", "part")]


def test_only_what_an_export_needs_decides() -> None:
    gap = Finding(group="bench", part="adb", state=State.MISSING)
    assert Diagnosis(findings=(ready("export"), gap)).exports
    assert not Diagnosis(findings=(ready("export"), gap.model_copy(update={"group": "export"}))).exports


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.names[0])
def test_every_missing_program_says_what_it_stops_and_what_brings_it(program: Program) -> None:
    found = examine_program(program, which=lambda name: None)
    assert found.state is State.MISSING
    assert found.stops and found.remedy and program.names[0] in found.detail


def make_program(folder: Path, body: str) -> Program:
    script = folder / "tool"
    script.write_text(f"#!{sys.executable}\n{body}\n")
    script.chmod(0o755)
    return Program("bench", (str(script),), "--version", "something", "install it")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("print('tool 1.2')", "tool 1.2"),
        ("import sys; print('tool 1.3', file=sys.stderr); sys.exit(3)", "tool 1.3"),
        ("print('\\x1b[1mtool 1.4\\x1b[m')", "tool 1.4"),
    ],
)
def test_a_version_is_read_wherever_a_program_prints_it(tmp_path: Path, body: str, detail: str) -> None:
    found = examine_program(make_program(tmp_path, body), which=lambda name: name)
    assert (found.state, found.detail) == (State.READY, detail)


def test_a_program_that_does_not_answer_is_waited_for_briefly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SECONDS", 0.2)
    found = examine_program(make_program(tmp_path, "import time; time.sleep(60)"), which=lambda name: name)
    assert "did not say its version within 0.2 s" in found.detail


def test_a_full_disk_and_a_missing_checkpoint_are_gaps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(parts, "EXPORT_BYTES", 10**18)
    assert {finding.state for finding in parts.examine_disk()} == {State.MISSING}
    (missing,) = parts.examine_checkpoint(tmp_path / "nothing.safetensors")
    assert missing.remedy.endswith("pass --checkpoint FILE")


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_EXTRAS", {"bench": ("bench", "bench, report")})
    monkeypatch.setattr(parts, "EXTRAS", {"bench": ("no_such_library", "no.such.one")})
    (gap,) = parts.examine_extras()
    assert (gap.state, gap.detail) == (State.MISSING, "no_such_library, no.such.one not installed")
    assert "pip install 'imageqx-export[bench]'" in gap.remedy


def test_a_compiler_in_the_cache_is_found_and_its_lack_says_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parts, "find_folder", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (gap,) = parts.examine_swift()
    assert gap.state is State.MISSING and gap.stops == "make test-ios" and gap.remedy.startswith("make test-ios")
    compiler = tmp_path / "swift-0123" / "root" / "usr" / "libexec" / "swift" / "bin" / "swift"
    compiler.parent.mkdir(parents=True)
    compiler.touch()
    (found,) = parts.examine_swift()
    assert found.state is State.READY and found.detail == str(compiler)


def test_the_libraries_of_addresses_are_named_with_what_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_is_there", lambda library: library == "s3fs")
    s3, gs = parts.examine_stores()
    assert s3.state is State.READY
    assert gs.state is State.MISSING and "gs://" in gs.stops and gs.remedy == "pip install gcsfs, beside imageqx"


def test_this_machine_is_examined_without_a_failure() -> None:
    found = examine(list_checks(Path("models/imageqx.safetensors"))).findings
    assert not [finding for finding in found if finding.state is State.UNKNOWN]
    assert {"onnx", "coreml", "tflite", "emulated phones"} <= {finding.part for finding in found}


def test_the_command_prints_json_and_its_exit_code(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageqx_export.cli.doctor.DEFAULT_CHECKPOINT", tmp_path / "none.safetensors")
    result = cli("doctor", "--json", cwd=tmp_path)
    body = json.loads(result.stdout)
    assert (result.returncode, body["exports"]) == (1, False)
    gaps = [row for row in body["findings"] if row["group"] == "export" and row["state"] != "ready"]
    assert [row["part"] for row in gaps] == ["checkpoint"]
