"""A few versions of each runtime, for real: make test-compat.

The whole matrix is asked by hand: ``imageqx compat artifacts/imageqx``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Precision
from imageqx_export.compat.versions.stage import check_runtimes
from imageqx_export.errors import UnavailableError
from tests.conftest import ROOT, run_cli

ARTIFACTS = ROOT / "artifacts" / "imageqx"
OLDEST_AND_NEWEST = "onnxruntime==1.15,onnxruntime==1.32,litert==2.3,coremltools==9"


def ask(*arguments: str | Path) -> dict[str, Any]:
    result = run_cli("compat", ARTIFACTS, "--json", *arguments)
    assert result.stdout, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.returncode == (0 if report["passed"] else 1)
    return report


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return ask("--runtimes", OLDEST_AND_NEWEST, "--precisions", "fp16,w8a8")


def test_the_oldest_and_the_newest_version_are_right(report: dict[str, Any]) -> None:
    assert report["passed"], [row for row in report["results"] if row["must"] and row["verdict"] != "right"]
    asked = {(row["runtime"], row["version"], row["variant"]) for row in report["results"]}
    assert ("onnxruntime", "1.15.1", "default") in asked and ("litert", "2.3.0", "compiled") in asked
    for row in report["results"]:
        if row["runtime"] == "coremltools":
            assert row["verdict"] == "read" and len(row["program"]) == 64
        elif row["verdict"] == "right":
            assert row["load_seconds"] > 0 and row["outputs"][0]["output"] == "quality"


def test_every_row_says_what_an_app_depends_on(report: dict[str, Any]) -> None:
    apps = {row["app"] for row in report["results"]}
    assert {"onnxruntime-android:1.15.1", "onnxruntime-android:1.32.0", "litert:2.3.0", ""} == apps


def test_what_an_old_runtime_refuses_or_computes_otherwise_is_seen() -> None:
    """The negative control: tflite-runtime 2.14's reference kernels do not know w8's DEQUANTIZE."""
    rows = ask("--runtimes", "tflite-runtime", "--precisions", "w8")["results"]
    verdicts = {row["variant"]: row["verdict"] for row in rows}
    assert verdicts == {"xnnpack": "right", "builtin": "right", "reference": "refused"}
    assert "DEQUANTIZE" in next(row["problem"] for row in rows if row["verdict"] == "refused")


def test_other_pictures_outputs_are_found_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "imageqx"
    (folder / "golden").mkdir(parents=True)
    for path in ARTIFACTS.iterdir():
        if path.name != "golden":
            (folder / path.name).symlink_to(path)
    for path in (path for path in (ARTIFACTS / "golden").iterdir() if path.is_file()):
        text = path.read_bytes()
        if path.name.startswith("expected"):
            rows = json.loads(text)
            text = json.dumps(dict(zip(rows, reversed(rows.values()), strict=True))).encode()
        (folder / "golden" / path.name).write_bytes(text)
    found = check_runtimes(folder, ["onnxruntime==1.32"], precisions=[Precision.FP16])
    assert [row.verdict for row in found.results] == ["wrong"]


def test_without_a_network_what_is_cached_is_asked_and_the_rest_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: dict[str, Any]
) -> None:
    """The environments of the newest versions are there by now; the others' wheels cannot be had."""
    cache = tmp_path / "compat"
    cache.mkdir()
    for folder in find_environments():
        if folder.name.startswith("onnxruntime-1.32"):
            (cache / folder.name).symlink_to(folder)
    for name, value in {"IMAGEQX_COMPAT": cache, "UV_CACHE_DIR": tmp_path / "uv", "UV_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, str(value))
    result = run_cli(
        "compat", ARTIFACTS, "--runtimes", "onnxruntime==1.15,onnxruntime==1.32", "--precisions", "fp16", "--json"
    )
    old, new = json.loads(result.stdout)["results"]
    assert (old["verdict"], new["verdict"], result.returncode) == ("unavailable", "right", 1)
    assert "\n" not in old["problem"] and "onnxruntime-1.15.1 cannot be made" in old["problem"]
    assert [path.name for path in cache.iterdir() if path.name.endswith(".part")] == []
    with pytest.raises(UnavailableError, match="no runtime could be asked"):
        check_runtimes(ARTIFACTS, ["onnxruntime==1.15"], precisions=[Precision.FP16])


def test_on_a_full_disk_it_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("only root mounts a tmpfs, and not on every machine")
    try:
        monkeypatch.setenv("IMAGEQX_COMPAT", str(disk))
        with pytest.raises(UnavailableError, match=r"no space left[\s\S]*make room"):
            check_runtimes(ARTIFACTS, ["onnxruntime==1.15"], precisions=[Precision.FP16])
        assert [path.suffix for path in disk.iterdir()] == [".lock"], "nothing half-made stays"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def find_environments() -> list[Path]:
    """Return the environments in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    named = os.environ.get("IMAGEQX_COMPAT")
    return list((Path(named) if named else Path(home) / "imageqx-export" / "compat").iterdir())
