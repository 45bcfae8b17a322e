"""Each format is converted once, in one process, and the bar follows the files; no converter runs here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.errors import ConversionError
from imageqx_export.export import convert

Files = Mapping[Precision, Path]


def test_a_process_a_format_and_an_advance_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Format, tuple[Precision, ...]]] = []
    shown: list[str] = []

    def write(
        function: object, format: Format, checkpoint: Path, model: str, sha256: str, paths: Files, *others: object
    ) -> None:
        calls.append((format, tuple(paths)))
        for path in paths.values():
            path.write_text(format)
            time.sleep(0.01)

    @contextmanager
    def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
        shown.append(f"{title}, {total}")
        yield lambda: shown.append("file")

    monkeypatch.setattr(convert, "run_isolated", write)
    files = {convert.Variant(f, p): tmp_path / f"x_{p}{f.suffix}" for f in Format for p in Precision}
    convert.convert_all(tmp_path / "x.safetensors", "x", "0", files, {}, bar)
    assert sorted(calls) == sorted((f, tuple(Precision)) for f in Format)
    assert shown == ["converting to tflite, coreml, onnx, 12", *["file"] * 12]


def test_a_converter_that_fails_is_named_and_its_words_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(function: object, format: Format, *others: object) -> None:
        if format is Format.COREML:
            raise KeyError("no such operator")

    @contextmanager
    def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
        yield lambda: None

    monkeypatch.setattr(convert, "run_isolated", fail)
    files = {convert.Variant(f, Precision.FP32): tmp_path / f"x{f.suffix}" for f in Format}
    with pytest.raises(ConversionError, match="the coreml converter failed") as caught:
        convert.convert_all(tmp_path / "x.safetensors", "x", "0", files, {}, bar)
    assert "no such operator" in str(caught.value)
