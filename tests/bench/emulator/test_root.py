from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imageqx_export.bench.emulator import apt as apt_module
from imageqx_export.bench.emulator import root as root_module
from imageqx_export.errors import DeviceError
from tests.bench.emulator.debian_archive import Archive, needs_apt


@needs_apt
def test_takes_the_first_archive_that_has_the_release(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(apt_module, "KEYRINGS", (archive.keyring,))
    (archive.folder / "dists/trixie/main/source").mkdir()
    (archive.folder / "dists/trixie/main/source/Sources").write_text("")
    archive.sign()
    monkeypatch.setattr(root_module, "list_mirrors", lambda: [f"file:{tmp_path}/empty", f"file:{archive.folder}"])
    with root_module.open_debian() as apt:
        assert len(apt.fetch(["app"])) == 2


@needs_apt
def test_no_archive_with_the_release_names_those_that_were_tried(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(apt_module, "KEYRINGS", (archive.keyring,))
    with pytest.raises(DeviceError, match="--mirror URL") as caught, root_module.open_debian(f"file:{tmp_path}/empty"):
        pass
    assert f"file:{tmp_path}/empty" in str(caught.value.got)


@needs_apt
def test_makes_the_root_and_records_what_went_into_it(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root_module, "PACKAGES", ("app",))
    apt = archive.apt(tmp_path / "apt")
    apt.update()
    files, versions = root_module.make_root(tmp_path / "part", apt)
    assert versions == {"app": "1:2.0-1", "libapp": "1:2.0-1"}
    assert set(files.values()) == {
        hashlib.sha256((archive.folder / f"pool/{name}_2.0-1_arm64.deb").read_bytes()).hexdigest()
        for name in ("app", "libapp")
    }
    assert (tmp_path / "part/root/usr/bin/app").is_file()
