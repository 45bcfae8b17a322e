"""Files that share a process: each answers as alone, one that is bad spoils none, and what is kept is not run again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageqx_export.artifact import Pixels, TensorSpec
from imageqx_export.errors import ArtifactError, ImageQXError
from imageqx_export.runtimes import recalled
from imageqx_export.support.processes import run_isolated
from imageqx_export.support.store import NO_STORE, Store

PIXELS = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)


def answer(path: Path, pixels: Pixels) -> recalled.Run:
    """Stand for a runtime: files say what becomes of it."""
    word = path.read_text()
    if word == "crash":
        os.abort()
    if word == "raise":
        raise ValueError("not this one")
    outputs = {"quality": np.full((len(pixels), 1), len(word), np.float32)}
    return (TensorSpec(name="quality", shape=(1, 1), dtype="float32", meaning=word),), outputs


def run_files(paths: Sequence[Path], pixels: Pixels) -> Any:
    vars(recalled)["run_file"] = answer
    return recalled.run_files(paths, pixels)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    words = {"a.onnx": "whole", "b.onnx": "raise", "c.onnx": "crash", "d.onnx": "another"}
    for name, word in words.items():
        (tmp_path / name).write_text(word)
    return [tmp_path / name for name in words]


def test_a_crash_and_an_error_are_those_of_one_file(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def isolate(function: Any, paths: Sequence[Path], pixels: Pixels) -> Any:
        started.append(len(paths))
        return run_isolated(run_files, paths, pixels)

    monkeypatch.setattr(recalled, "run_isolated", isolate)
    first, second, third, fourth = recalled.recall_runs(NO_STORE, files, PIXELS)
    assert started == [4, 1, 1, 1, 1]
    assert not isinstance(first, ImageQXError) and first[1]["quality"].tolist() == [[5], [5]]
    assert isinstance(second, ArtifactError) and "ValueError: not this one" in str(second)
    assert isinstance(third, ArtifactError) and "process died" in str(third)
    assert not isinstance(fourth, ImageQXError) and fourth[0][0].meaning == "another"


def test_what_is_kept_is_not_run_again(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run_here(function: Any, paths: Sequence[Path], pixels: Pixels) -> Any:
        ran.extend(path.name for path in paths)
        return recalled.run_files(paths, pixels)

    monkeypatch.setattr(recalled, "run_isolated", run_here)
    monkeypatch.setattr(recalled, "run_file", answer)
    store, some = Store(tmp_path / "cache", lambda: {"code": "1"}), [files[0], files[1], files[3]]
    before = recalled.recall_runs(store, some, PIXELS)
    after = recalled.recall_runs(store, some, PIXELS)
    assert ran == ["a.onnx", "b.onnx", "d.onnx", "b.onnx"]  # a failure is not kept
    assert [run[0] for run in before if not isinstance(run, ImageQXError)] == [
        run[0] for run in after if not isinstance(run, ImageQXError)
    ]
    recalled.recall_runs(store, some[:1], PIXELS[:1])
    (files[0]).write_text("changed")
    recalled.recall_runs(store, some[:1], PIXELS)
    assert ran[4:] == ["a.onnx", "a.onnx"]
