"""What a bundle says of itself, and each lie in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.bundle.runtimes import RuntimeRow, RuntimeTable, record_runtimes
from imageqx_export.errors import ReleaseError
from imageqx_export.export.metadata import versions
from imageqx_export.export.stage import ExportConfig
from imageqx_export.release import verify
from imageqx_export.release.verify import (
    check_digests,
    check_graphs,
    check_minimums,
    check_parity,
    explain_difference,
    verify_bundle,
)
from imageqx_export.support.files import digest
from imageqx_export.support.folders import Layout, stage_folder
from tests.release.tiny import Publisher


@pytest.fixture
def bundle(published: Publisher, tmp_path: Path) -> Path:
    """Copy a release's folder."""
    return shutil.copytree(published.tree / "imageqx" / "1.0.0", tmp_path / "bundle")


def wrong(bundle: Path) -> set[str]:
    """Return what is wrong with a bundle's files."""
    return {check.what for check in check_digests(bundle, read_manifest(bundle)) if check.state == "wrong"}


def test_digests_of_the_manifest_and_of_the_sums(bundle: Path) -> None:
    assert wrong(bundle) == set()
    (bundle / "golden" / "00.png").write_bytes(b"other")
    (bundle / "spec.json").unlink()
    (bundle / "imageqx_fp16.mlpackage" / "more.bin").write_bytes(b"more")
    assert wrong(bundle) == {"golden/00.png", "spec.json", "imageqx_fp16.mlpackage"}


def test_sums_that_lead_elsewhere_are_refused(bundle: Path) -> None:
    with (bundle / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../../etc/passwd\n")
    with pytest.raises(ReleaseError, match="leaves its folder"):
        wrong(bundle)


def test_files_that_are_no_graphs(bundle: Path) -> None:
    checks = list(check_graphs(bundle, read_manifest(bundle)))
    assert len(checks) == 3 and all(check.state == "wrong" and check.detail for check in checks)


def test_parity_must_be_of_these_files(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert check_parity(bundle, manifest).state == "right"
    text = (bundle / "parity.json").read_text()
    for old, new in (("imageqx_w8a8.tflite", "other.tflite"), (manifest.checkpoint_sha256, "0" * 64), ("{", "[")):
        (bundle / "parity.json").write_text(text.replace(old, new, 1))
        assert check_parity(bundle, manifest).state == "wrong"


def test_minimum_runtimes_are_those_of_these_bytes(bundle: Path, tmp_path: Path) -> None:
    manifest = read_manifest(bundle)
    checkpoint = tmp_path / "model.safetensors"
    assert {check.state for check in check_minimums(manifest, checkpoint)} == {"unknown"}
    rows = [
        RuntimeRow(
            artifact=one.path.name,
            sha256=one.sha256,
            runtime=runtime,
            version=version,
            variant=variant,
            machine="x86-64",
            app="",
            verdict="right",
        )
        for one in manifest.artifacts
        for runtime, version, variant in (("litert", "1.1.2", "xnnpack"), ("onnxruntime", "1.17.0", "default"))
        if one.path.suffix == {"litert": ".tflite", "onnxruntime": ".onnx"}[runtime]
    ]
    record_runtimes(tmp_path / "model.runtimes.json", RuntimeTable(images=1, rows=tuple(rows)))
    found = {check.what: check.state for check in check_minimums(manifest, checkpoint)}
    assert found == {
        "imageqx_w8a8.tflite": "right",
        "imageqx_fp32.onnx": "wrong",  # it states 1.16.0
        "imageqx_fp16.mlpackage": "unknown",
    }


def test_a_rebuild_wants_the_checkpoint(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="checkpoint is not the one"):
        verify_bundle(bundle, tmp_path / "none.safetensors", rebuild=True)


def test_a_rebuild_compares_bytes_and_names_the_tool(
    export: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export is a copy here, staged as the real one stages; ``imageqx verify --rebuild`` makes it for real."""
    wrong_file = "imageqx_fp32.onnx"

    def copy(config: ExportConfig, progress: object) -> SimpleNamespace:
        with stage_folder(config.out / "imageqx", Layout("an export", (".*",))) as staging:
            shutil.copytree(bundle, staging.path, dirs_exist_ok=True)
            (staging.path / wrong_file).write_bytes(b"another version's")
            made = read_manifest(staging.publish())
        other = digest(config.out / "imageqx" / wrong_file)
        rows = [
            one.model_copy(update={"sha256": other}) if one.path.name == wrong_file else one for one in made.artifacts
        ]
        return SimpleNamespace(manifest=made.model_copy(update={"artifacts": tuple(rows)}))

    monkeypatch.setattr(verify, "export_checkpoint", copy)
    checks = verify_bundle(bundle, export.parent / "model.safetensors", rebuild=True).checks
    found = {check.what: (check.state, check.detail) for check in checks if check.part == "rebuild"}
    assert {name: state for name, (state, _) in found.items()} == {
        "imageqx_w8a8.tflite": "right",
        "imageqx_fp16.mlpackage": "right",
        wrong_file: "wrong",
    }
    assert "onnx 1.0, here " in found[wrong_file][1]


def test_the_tool_that_differs_is_named(bundle: Path) -> None:
    artifact = read_manifest(bundle).artifacts[0]
    same = artifact.model_copy(update={"tool_versions": versions(("torch", "onnx"))})
    assert explain_difference(same) == "the same versions of all tools, and other bytes"
    other = artifact.model_copy(update={"tool_versions": {"torch": "1.0", "nothing-such": "2"}})
    assert "torch 1.0, here" in explain_difference(other) and "nothing-such 2, here missing" in explain_difference(
        other
    )
    assert digest(bundle / artifact.path) == artifact.sha256
