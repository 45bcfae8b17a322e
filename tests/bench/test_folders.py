"""Two exports timed beside each other: what is read of their manifests, and what a pair's figures are."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bench_folders
from imageqx_export.artifact import Pixels


def test_a_folder_beside_itself_takes_as_long(exported: Path) -> None:
    rows = bench_folders.measure([exported, exported], "w8a8", 3)
    assert [row["kind"] for row in rows] == [".onnx", ".tflite"]
    assert all(row["ms"] > 0 and len(row["ratio"]) == 3 for row in rows)


def test_a_ratio_is_the_seconds_over_the_firsts(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: Path, pixels: Pixels) -> float:
        assert pixels.shape == (1, 224, 224, 3)
        return 1.0 if path.parent == exported else 4.0

    other = exported.parent / "." / exported.name / ".." / exported.name
    monkeypatch.setattr(bench_folders, "load", load)
    monkeypatch.setattr(bench_folders, "time_call", lambda seconds: seconds)
    for row in bench_folders.measure([exported, other], "w8a8", 5):
        assert row["ratio"] == (4, 4, 4) and row["ms"] == 1000


def test_a_precision_that_is_not_there_is_told(exported: Path) -> None:
    with pytest.raises(SystemExit, match=r"0 w4 files with \.onnx, expected 1"):
        bench_folders.find_file(exported, ".onnx", "w4")
