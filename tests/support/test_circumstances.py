"""Everything that a kept result depends on besides its input is among the circumstances: code, libraries, machine."""

from __future__ import annotations

import os
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from imageqx_export.support import circumstances


def test_the_code_is_every_byte_of_every_file_and_no_compiled_one(tmp_path: Path) -> None:
    (tmp_path / "room" / "__pycache__").mkdir(parents=True)
    code, limits = tmp_path / "room" / "a.py", tmp_path / "limits.toml"
    code.write_text("x = 1\n")
    limits.write_text("a = 1\n")
    before = circumstances.digest_code(tmp_path)
    (tmp_path / "room" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert circumstances.digest_code(tmp_path) == before
    found = {before}
    for path, text in ((code, "x = 2\n"), (limits, "a = 2\n")):
        path.write_text(text)
        found.add(circumstances.digest_code(tmp_path))
    code.rename(code.with_name("b.py"))
    found.add(circumstances.digest_code(tmp_path))
    assert len(found) == 4


def test_a_link_to_nothing_beside_the_code_is_no_code(tmp_path: Path) -> None:
    """Emacs puts one beside each file that is being changed."""
    (tmp_path / "a.py").write_text("x = 1\n")
    before = circumstances.digest_code(tmp_path), circumstances.stamp_code(tmp_path)
    (tmp_path / ".#a.py").symlink_to("somebody@somewhere.123:456")
    assert (circumstances.digest_code(tmp_path), circumstances.stamp_code(tmp_path)) == before


def test_a_file_that_is_written_again_changes_the_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    before, times = circumstances.stamp_code(tmp_path), path.stat()
    path.write_text("x = 2\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert circumstances.stamp_code(tmp_path) != before


def test_a_librarys_version_is_a_circumstance(tmp_path: Path) -> None:
    def install(version: str) -> Distribution:
        folder = tmp_path / f"one-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: one\nVersion: {version}\n")
        return PathDistribution(folder)

    assert circumstances.list_libraries([install("1.0")]) != circumstances.list_libraries([install("1.0.1")])


def test_circumstances_name_code_libraries_python_processor_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    found = circumstances.describe_circumstances()
    assert {"torch", "onnx", "coremltools", "litert-torch", "onnxruntime"} <= {
        line.partition("==")[0] for line in found["libraries"].splitlines()
    }
    assert found["code"] and found["python"] and found["machine"]
    monkeypatch.setattr(circumstances, "_count_cores", lambda: 1000)
    assert circumstances.describe_circumstances()["machine"] != found["machine"]


@pytest.mark.parametrize(
    "variable",
    [
        "CUDA_VISIBLE_DEVICES",
        "GLIBC_TUNABLES",
        "JAX_ENABLE_X64",
        "KMP_AFFINITY",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "LITERT_SOMETHING",
        "MKL_CBWR",
        "NPY_DISABLE_CPU_FEATURES",
        "OMP_NUM_THREADS",
        "ONEDNN_MAX_CPU_ISA",
        "OPENBLAS_CORETYPE",
        "ORT_SOMETHING",
        "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION",
        "PYTHONHASHSEED",
        "PYTHONPATH",
        "PYTORCH_ENABLE_MPS_FALLBACK",
        "TF_ENABLE_ONEDNN_OPTS",
        "TORCHDYNAMO_DISABLE",
        "TORCH_LOGS",
        "XLA_FLAGS",
    ],
)
def test_a_variable_that_libraries_read_is_a_circumstance(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Their names are from the libraries' own documentation."""
    monkeypatch.setattr(circumstances, "digest_code", lambda package: "")
    monkeypatch.setattr(circumstances, "distributions", list)
    monkeypatch.delenv(variable, raising=False)
    before = circumstances.describe_circumstances()
    monkeypatch.setenv(variable, "another")
    assert circumstances.describe_circumstances()["settings"] != before["settings"]
