"""What runtimes gave: the oldest version that works, and what a record keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from imageqx_export.bundle.runtimes import (
    RuntimeRow,
    RuntimeTable,
    RuntimeVerdict,
    find_oldest,
    parse_version,
    read_runtimes,
    read_runtimes_beside,
    record_runtimes,
)
from imageqx_export.errors import ArtifactError


def row(version: str, verdict: RuntimeVerdict = "right", **changed: str) -> RuntimeRow:
    fields = {"artifact": "a.tflite", "sha256": "1", "runtime": "litert", "variant": "xnnpack", "machine": "x86-64"}
    return RuntimeRow.model_validate({**fields, "app": "", **changed, "version": version, "verdict": verdict})


def test_versions_are_numbers_and_not_words() -> None:
    assert sorted(["1.9.0", "1.15.1", "2.0", "1.2.0"], key=parse_version) == ["1.2.0", "1.9.0", "1.15.1", "2.0"]


@pytest.mark.parametrize(
    ("seen", "oldest"),
    [
        ({"1.0.1": "right", "1.2.0": "right", "2.3.0": "right"}, "1.0.1"),
        ({"1.0.1": "right", "1.2.0": "refused", "1.4.0": "right", "2.3.0": "right"}, "1.4.0"),
        ({"1.0.1": "right", "1.2.0": "unavailable", "2.3.0": "right"}, "2.3.0"),
        ({"1.0.1": "right", "2.3.0": "wrong"}, None),
        ({"7.2": "read", "9.0": "read"}, "7.2"),
        ({}, None),
    ],
)
def test_the_oldest_version_is_that_after_the_last_which_fails(
    seen: dict[str, RuntimeVerdict], oldest: str | None
) -> None:
    assert find_oldest([row(version, verdict) for version, verdict in seen.items()]) == oldest


def test_one_machine_that_fails_is_enough_and_another_variant_is_another_question() -> None:
    rows = [
        row("1.4.0"),
        row("2.3.0"),
        row("1.4.0", "wrong", machine="cortex-a53"),
        row("2.3.0", "wrong", variant="reference"),
        row("1.15.1", runtime="onnxruntime", variant="default"),
    ]
    table = RuntimeTable(images=12, rows=tuple(rows))
    assert table.find_minimum("a.tflite", "litert") == "2.3.0"
    assert table.find_minimum("a.tflite", "litert", "reference") is None
    assert table.list_minimums("a.tflite") == {"onnxruntime": "1.15.1", "litert": "2.3.0"}
    assert table.list_minimums("b.tflite") == {}


def test_a_record_keeps_what_was_not_asked_again_and_drops_older_bytes(tmp_path: Path) -> None:
    path = tmp_path / "imageqx.runtimes.json"
    assert read_runtimes_beside(tmp_path / "imageqx.safetensors") is None
    record_runtimes(path, RuntimeTable(images=12, rows=(row("1.0.1", "refused"), row("2.3.0"))))
    record_runtimes(path, RuntimeTable(images=12, rows=(row("2.3.0", "wrong", problem="far off"),)))
    found = read_runtimes_beside(tmp_path / "imageqx.safetensors")
    assert found is not None
    assert [(one.version, one.verdict) for one in found.rows] == [("1.0.1", "refused"), ("2.3.0", "wrong")]
    assert found.rows[1].problem == "far off"
    record_runtimes(path, RuntimeTable(images=12, rows=(row("2.3.0", sha256="2"),)))
    assert [(one.version, one.sha256) for one in read_runtimes(path).rows] == [("2.3.0", "2")]


@pytest.mark.parametrize("version", ["", "x", "1.", "1-2", "²", "NaN", "9" * 5000, "../x"])
def test_what_is_no_version_is_refused_where_it_is_read(version: str) -> None:
    with pytest.raises(ValidationError, match="version"):
        row(version)


@pytest.mark.parametrize("text", ["{", '{"images": 1, "rows": [{"artifact": 3}]}', '{"images": 1, "rows": [], "x": 1}'])
def test_a_damaged_record_says_where_it_is_and_how_it_is_made(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.runtimes.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"what runtimes gave cannot be read[\s\S]*--record"):
        read_runtimes(tmp_path / "a.runtimes.json")
