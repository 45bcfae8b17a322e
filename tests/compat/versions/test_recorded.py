"""A record's rows are taken, not asked again; rows are kept as they come, and a killed run loses none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Outputs, Precision
from imageqx_export.bundle.golden import load_golden_outputs
from imageqx_export.bundle.runtimes import RuntimeTable, read_runtimes, record_runtimes
from imageqx_export.compat.versions import stage
from imageqx_export.compat.versions.model import RuntimeReport
from imageqx_export.compat.versions.places import Reply
from imageqx_export.errors import ArtifactError
from tests.compat.versions.test_stage import Told
from tests.conftest import Cli

READER = {"format": Format.COREML, "runtime": "coremltools", "variant": "reader"}


@pytest.fixture
def golden(exported: Path) -> Outputs:
    return load_golden_outputs(exported, Precision.FP32)


def refuse(version: str) -> Told:
    return Told(version, lambda: pytest.fail(f"{version} was asked again"))


def ask(
    monkeypatch: pytest.MonkeyPatch, exported: Path, record: Path, *places: Told, again: bool = False
) -> RuntimeReport:
    """Ask as the command does with --record."""
    monkeypatch.setattr(stage, "list_places", lambda wanted: list(places))
    known = read_runtimes(record) if record.exists() else None
    return stage.check_runtimes(
        exported,
        precisions=[Precision.FP32],
        recorded=known.model_copy(update={"rows": ()}) if again and known else known,
        keep=lambda report: record_runtimes(record, report.to_table()),
    )


def test_what_the_record_has_of_these_bytes_is_not_asked_again(
    exported: Path, golden: Outputs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "a.runtimes.json"
    right, old = Told("1.1", lambda: Reply(outputs=golden)), Told("1.0", lambda: Reply(refused="too old"))
    first = ask(monkeypatch, exported, record, old, right)
    assert [row.recorded for row in first.results] == [False, False]
    third = Told("1.2", lambda: Reply(outputs=golden))
    report = ask(monkeypatch, exported, record, refuse("1.0"), refuse("1.1"), third)
    assert [(row.version, row.verdict, row.recorded) for row in report.results] == [
        ("1.0", "refused", True),
        ("1.1", "right", True),
        ("1.2", "right", False),
    ]
    assert report.results[1].max_abs == 0 and report.results[0].problem == "too old"
    turned = {name: values[::-1].copy() for name, values in golden.items()}
    report = ask(monkeypatch, exported, record, Told("1.1", lambda: Reply(outputs=turned)), again=True)
    assert [(row.verdict, row.recorded) for row in report.results] == [("wrong", False)]


def test_other_bytes_and_what_broke_off_are_asked_again(
    exported: Path, golden: Outputs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "a.runtimes.json"
    broken = Told("1.0", lambda: Reply(failed="the tool hung"))
    ask(monkeypatch, exported, record, broken, Told("1.1", lambda: Reply(outputs=golden)))
    table = read_runtimes(record)
    other = [row.model_copy(update={"sha256": "0" * 64}) if row.version == "1.1" else row for row in table.rows]
    record.unlink()
    record_runtimes(record, RuntimeTable(images=12, rows=tuple(other)))
    places = [Told(version, lambda: Reply(outputs=golden)) for version in ("1.0", "1.1")]
    report = ask(monkeypatch, exported, record, *places)
    assert [(row.verdict, row.recorded) for row in report.results] == [("right", False)] * 2


def test_rows_are_kept_as_they_come(
    exported: Path, golden: Outputs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two threads take the first two places; the third one's is never answered."""
    record = tmp_path / "a.runtimes.json"

    def break_off() -> Reply:
        raise KeyboardInterrupt

    right = Told("1.0", lambda: Reply(outputs=golden))
    with pytest.raises(KeyboardInterrupt):
        ask(monkeypatch, exported, record, right, Told("1.1", lambda: Reply(refused="no")), Told("1.2", break_off))
    assert [(row.version, row.verdict) for row in read_runtimes(record).rows] == [("1.0", "right"), ("1.1", "refused")]


def test_a_files_readers_are_asked_together(exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are held to the newest, whose program a record does not have."""
    record = tmp_path / "a.runtimes.json"
    told = [Told(version, lambda: Reply(program="same"), **READER) for version in ("7.2", "9.0")]  # type: ignore[arg-type]
    first = ask(monkeypatch, exported, record, *told)
    assert not record.exists(), "decided about at the end"
    record_runtimes(record, first.to_table())
    assert all(row.recorded for row in ask(monkeypatch, exported, record, *told).results)
    newer = Told("10.0", lambda: Reply(program="another"), **READER)  # type: ignore[arg-type]
    report = ask(monkeypatch, exported, record, *told, newer)
    assert [(row.verdict, row.recorded) for row in report.results] == [
        ("wrong", False),
        ("wrong", False),
        ("read", False),
    ]


def test_a_record_is_of_one_number_of_pictures(exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = tmp_path / "a.runtimes.json"
    record_runtimes(record, RuntimeTable(images=64, rows=()))
    with pytest.raises(ArtifactError, match=r"one number of pictures[\s\S]*64, as it says[\s\S]*12 now"):
        ask(monkeypatch, exported, record, refuse("1.0"))
    with pytest.raises(ArtifactError, match="one number of pictures"):
        record_runtimes(record, RuntimeTable(images=12, rows=()))


def test_the_command_says_what_the_record_gave(
    exported: Path, golden: Outputs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Cli
) -> None:
    monkeypatch.setattr(stage, "list_places", lambda wanted: [Told("1.15.1", lambda: Reply(outputs=golden))])
    command = ("compat", exported, "--precisions", "fp32", "--record", tmp_path / "a.runtimes.json")
    first, second, third = cli(*command), cli(*command), cli(*command, "--again")
    assert [result.returncode for result in (first, second, third)] == [0, 0, 0], first.stderr
    assert "1 of 1 rows are the record's" in second.stdout
    assert "record's" not in first.stdout + third.stdout
