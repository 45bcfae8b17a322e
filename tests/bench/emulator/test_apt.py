from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from imageqx_export.bench.emulator import apt as apt_module
from imageqx_export.bench.emulator.apt import Apt, find_keyring, list_mirrors, require_apt, unpack
from imageqx_export.errors import DeviceError
from tests.bench.emulator.debian_archive import Archive, needs_apt


@needs_apt
def test_fetches_a_package_and_what_it_depends_on_and_nothing_else(archive: Archive, tmp_path: Path) -> None:
    apt = archive.apt(tmp_path / "apt")
    apt.update()
    debs = apt.fetch(["app"])
    assert sorted(deb.name for deb in debs) == ["app_2.0-1_arm64.deb", "libapp_2.0-1_arm64.deb"]
    original = archive.folder / "pool/app_2.0-1_arm64.deb"
    assert next(d for d in debs if d.name.startswith("app")).read_bytes() == original.read_bytes()


@needs_apt
def test_unpacks_into_the_merged_usr_even_where_a_package_has_lib(archive: Archive, tmp_path: Path) -> None:
    apt = archive.apt(tmp_path / "apt")
    apt.update()
    done: list[int] = []
    unpack(apt.fetch(["app"]), tmp_path / "root", lambda: done.append(1))
    assert (tmp_path / "root/lib").is_symlink()
    assert (tmp_path / "root/usr/lib/aarch64-linux-gnu/libapp.so").read_text() == "elf\n"
    assert (tmp_path / "root/usr/bin/app").read_text() == "run\n"
    assert len(done) == 2


@needs_apt
def test_refuses_a_package_whose_bytes_changed(archive: Archive, tmp_path: Path) -> None:
    apt = archive.apt(tmp_path / "apt")
    apt.update()
    deb = archive.folder / "pool/libapp_2.0-1_arm64.deb"
    data = bytearray(deb.read_bytes())
    data[-1] ^= 1
    deb.write_bytes(data)
    with pytest.raises(DeviceError, match="apt-get install failed") as caught:
        apt.fetch(["app"])
    assert "Hash Sum mismatch" in str(caught.value)


@needs_apt
def test_refuses_an_index_that_is_not_the_signed_one(archive: Archive, tmp_path: Path) -> None:
    archive.index().write_text(archive.index().read_text().replace("libapp (>= 1)", "unrelated"))
    with pytest.raises(DeviceError, match="apt-get update failed"):
        archive.apt(tmp_path / "apt").update()


@needs_apt
def test_refuses_a_signature_by_another_key(archive: Archive, keys: tuple[Path, Path, Path], tmp_path: Path) -> None:
    archive.sign(keys[1])
    with pytest.raises(DeviceError, match="apt-get update failed") as caught:
        archive.apt(tmp_path / "apt").update()
    assert "public key" in str(caught.value) or "NO_PUBKEY" in str(caught.value)


@needs_apt
def test_refuses_an_archive_without_a_signature(archive: Archive, tmp_path: Path) -> None:
    signed = archive.folder / "dists/trixie/InRelease"
    text = signed.read_text().split("\n\n", 1)[1].split("-----BEGIN PGP SIGNATURE-----")[0]
    signed.unlink()
    (archive.folder / "dists/trixie/Release").write_text(text)
    with pytest.raises(DeviceError, match="not signed"):
        archive.apt(tmp_path / "apt").update()


@needs_apt
def test_a_setting_of_the_machine_cannot_let_an_unsigned_archive_in(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = archive.folder / "dists/trixie/InRelease"
    text = signed.read_text().split("\n\n", 1)[1].split("-----BEGIN PGP SIGNATURE-----")[0]
    signed.unlink()
    (archive.folder / "dists/trixie/Release").write_text(text)
    config = tmp_path / "machine.conf"
    config.write_text(
        'Acquire::AllowInsecureRepositories "true";\nAPT::Get::AllowUnauthenticated "true";\n'
        'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::Retries "3";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))
    apt = archive.apt(tmp_path / "apt")
    written = (tmp_path / "apt/apt.conf").read_text()
    assert 'Acquire::http::Proxy "http://proxy.example:3128";' in written
    assert 'Acquire::Retries "3";' in written
    assert "Insecure" not in written
    assert "Unauthenticated" not in written
    with pytest.raises(DeviceError, match="not signed"):
        apt.update()


@needs_apt
def test_refuses_a_package_that_is_not_there(archive: Archive, tmp_path: Path) -> None:
    apt = archive.apt(tmp_path / "apt")
    apt.update()
    with pytest.raises(DeviceError, match="Unable to locate package absent"):
        apt.fetch(["absent"])


@needs_apt
def test_fetches_a_source_package(archive: Archive, tmp_path: Path) -> None:
    (archive.folder / "pool/tool_1.orig.tar.xz").write_bytes(b"source")
    dsc = "Format: 3.0 (quilt)\nSource: tool\nVersion: 1\n"
    (archive.folder / "pool/tool_1.dsc").write_text(dsc)
    rows = [
        f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}"
        for name, data in (("tool_1.dsc", dsc.encode()), ("tool_1.orig.tar.xz", b"source"))
    ]
    sources = archive.folder / "dists/trixie/main/source/Sources"
    sources.parent.mkdir()
    index = "Package: tool\nVersion: 1\nFormat: 3.0 (quilt)\nDirectory: pool\nChecksums-Sha256:\n" + "\n".join(rows)
    sources.write_text(index + "\n")
    archive.sign()
    apt = Apt(tmp_path / "apt", [archive.line("deb-src")], "arm64")
    apt.update()
    assert sorted(p.name for p in apt.fetch_source("tool")) == ["tool_1.dsc", "tool_1.orig.tar.xz"]


def fake_tool(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("stored", ["other", None])
def test_does_not_take_apts_word_for_a_download(
    stored: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = hashlib.sha256(b"right").hexdigest()
    download = f"printf {stored} > archives/a_1_arm64.deb" if stored else ":"
    fake_tool(
        tmp_path / "bin",
        "apt-get",
        f'case "$*" in *--print-uris*) echo "\'file:a_1_arm64.deb\' a_1_arm64.deb 5 SHA256:{wanted}";;'
        f" *--download-only*) {download};; esac\n",
    )
    fake_tool(tmp_path / "bin", "apt-config", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(DeviceError, match="not what Debian's signed index says") as caught:
        Apt(tmp_path / "apt", [], "arm64").fetch(["a"])
    assert caught.value.expected == wanted


def test_refuses_a_weak_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tool(tmp_path / "bin", "apt-get", "echo \"'file:a.deb' a.deb 5 MD5Sum:0123\"\n")
    fake_tool(tmp_path / "bin", "apt-config", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(DeviceError, match="no SHA-256"):
        Apt(tmp_path / "apt", [], "arm64").fetch(["a"])


def test_a_tool_that_does_not_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tool(tmp_path / "bin", "apt-get", "exec sleep 60\n")
    fake_tool(tmp_path / "bin", "apt-config", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(apt_module, "TIMEOUT_SECONDS", 0.3)
    with pytest.raises(DeviceError, match="apt-get does not end"):
        Apt(tmp_path / "apt", [], "arm64").update()


def test_without_apt_says_what_to_do_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError) as caught:
        require_apt()
    assert "apt-get" in str(caught.value.got)
    assert "container of Debian" in str(caught.value.remedy)
    assert "adb:SERIAL" in str(caught.value.remedy)


def test_without_debians_keyring_nothing_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt_module, "KEYRINGS", (tmp_path / "absent.gpg",))
    with pytest.raises(DeviceError, match="apt install debian-archive-keyring"):
        find_keyring()


@needs_apt
def test_reads_the_mirrors_of_both_kinds_of_source_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text(
        "Types: deb deb-src\nURIs: http://one.example/debian https://two.example/debian\nSuites: sid sid-updates\n"
        "Components: main contrib\n\nTypes: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: sid\n"
        "Components: main\n"
    )
    (tmp_path / "sources.list").write_text(
        "# deb http://comment.example/debian sid main\ndeb [arch=amd64] http://three.example/debian sid main\n"
        "deb-src http://source.example/debian sid main\n"
    )
    config = tmp_path / "apt.conf"
    config.write_text(f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "{parts}";\n')
    monkeypatch.setenv("APT_CONFIG", str(config))
    assert sorted(list_mirrors()) == [
        "http://one.example/debian/",
        "http://three.example/debian/",
        "https://two.example/debian/",
    ]
