"""An export that is over a budget: exit 1, the file named, nothing published."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Cli


def test_an_artifact_that_is_too_large_is_named_and_not_published(converted: None, cli: Cli, tmp_path: Path) -> None:
    limits = tmp_path / "budgets.toml"
    limits.write_text('schema_version = 1\n[size_bytes]\n"*_fp32.onnx" = 16_000_000\n')
    published = tmp_path / "out" / "imageqx"
    published.mkdir(parents=True)
    (published / "manifest.json").write_text("the one before")
    result = cli("export", "--formats", "onnx", "--precisions", "fp32", "--budgets", limits, "--out", tmp_path / "out")
    assert result.returncode == 1
    rejected = tmp_path / "out" / "imageqx.rejected"
    size = (rejected / "imageqx_fp32.onnx").stat().st_size
    assert f"OVER imageqx_fp32.onnx: {size:,} bytes > 16,000,000 — try: imageqx report" in result.stdout
    assert "a budget broke" in result.stderr and "imageqx.rejected" in result.stderr
    assert [path.name for path in published.iterdir()] == ["manifest.json"]
    row = json.loads((rejected / "budgets.json").read_text())["artifacts"][0]
    assert (row["path"], row["size_bytes"], row["size_limit"]) == ("imageqx_fp32.onnx", size, 16_000_000)


def test_budgets_that_cannot_be_read_stop_the_export_before_it_begins(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[size_bytes]\n")
    result = cli("export", "--budgets", tmp_path / "bad.toml", "--out", tmp_path / "out")
    assert result.returncode == 1 and "schema_version" in result.stderr
    assert not (tmp_path / "out").exists()
