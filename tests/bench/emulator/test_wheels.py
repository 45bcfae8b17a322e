from __future__ import annotations

import hashlib
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from imageqx_export.bench.emulator.wheels import DISTRIBUTIONS, find_lock, make_wheels, pick_requirements
from imageqx_export.errors import DeviceError

LOCK = """\
# made by a tool
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
beta==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:ba
beta==2.1 ; python_full_version >= '3.12' \\
    --hash=sha256:bb
gamma==3
"""
needs_uv = pytest.mark.skipif(
    shutil.which("uv") is None and not Path(sys.executable).with_name("uv").exists(), reason="needs uv"
)


def test_picks_versions_markers_and_hashes() -> None:
    assert pick_requirements(LOCK, ("beta", "alpha")) == [
        "beta==2.0 ; python_full_version < '3.12' --hash=sha256:ba",
        "beta==2.1 ; python_full_version >= '3.12' --hash=sha256:bb",
        "alpha==1.0 --hash=sha256:aa --hash=sha256:ab",
    ]


@pytest.mark.parametrize("name", ["delta", "gamma"])
def test_refuses_what_is_missing_or_has_no_hash(name: str) -> None:
    with pytest.raises(DeviceError, match=name):
        pick_requirements(LOCK, ("alpha", name))


def test_the_projects_lock_has_all_with_hashes_and_the_runtimes_that_are_measured_here() -> None:
    text = find_lock().read_text()
    lines = pick_requirements(text)
    assert {re.split("==", line)[0] for line in lines} == set(DISTRIBUTIONS)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in lines)
    from importlib.metadata import version

    for name in ("ai-edge-litert", "onnxruntime"):
        assert any(line.startswith(f"{name}=={version(name)} ") for line in lines)


def make_wheel(folder: Path, tag: str) -> tuple[Path, str]:
    folder.mkdir(exist_ok=True)
    path = folder / f"tiny-1.0-cp313-cp313-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", f"TAG = {tag!r}\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: cp313-cp313-{tag}\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "part").mkdir()
    return tmp_path


@needs_uv
def test_takes_the_wheel_for_a_phone_and_not_this_machines(offline: Path) -> None:
    _, theirs = make_wheel(offline / "links", "manylinux_2_28_aarch64")
    _, ours = make_wheel(offline / "links", "manylinux_2_28_x86_64")
    lines = [f"tiny==1.0 --hash=sha256:{ours} --hash=sha256:{theirs}"]
    files, versions = make_wheels(offline / "part", lines)
    assert versions == {"tiny": "1.0"}
    assert (offline / "part/site/tiny.py").read_text() == "TAG = 'manylinux_2_28_aarch64'\n"
    assert files == {}


@needs_uv
def test_refuses_a_wheel_that_is_not_the_locks(offline: Path) -> None:
    make_wheel(offline / "links", "manylinux_2_28_aarch64")
    with pytest.raises(DeviceError, match="cannot be installed") as caught:
        make_wheels(offline / "part", [f"tiny==1.0 --hash=sha256:{'0' * 64}"])
    assert "hash" in str(caught.value.got).lower()


@needs_uv
def test_refuses_a_lock_without_a_wheel_for_a_phone(offline: Path) -> None:
    _, ours = make_wheel(offline / "links", "manylinux_2_28_x86_64")
    with pytest.raises(DeviceError, match="cannot be installed"):
        make_wheels(offline / "part", [f"tiny==1.0 --hash=sha256:{ours}"])
