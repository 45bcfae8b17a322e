from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import pytest

from imageqx_export.bench.emulator import apt as apt_module
from imageqx_export.bench.emulator import root as root_module
from imageqx_export.bench.emulator.apt import Apt, debian_keyring, debian_mirrors, require_apt, unpack
from imageqx_export.errors import DeviceError

TOOLS = ("apt-get", "apt-config", "dpkg-deb", "gpg", "tar")
LACKING = [tool for tool in TOOLS if shutil.which(tool) is None]
needs_apt = pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}")


@dataclass(frozen=True)
class Archive:
    """A Debian archive in a folder, signed by a key made for these tests."""

    folder: Path
    keyring: Path
    home: Path

    def line(self, kind: str = "deb") -> str:
        return f"{kind} [signed-by={self.keyring}] file:{self.folder} trixie main"

    def apt(self, folder: Path) -> Apt:
        return Apt(folder, [self.line()], "arm64")

    def index(self) -> Path:
        return self.folder / "dists/trixie/main/binary-arm64/Packages"

    def sign(self, home: Path | None = None) -> None:
        """Write Release for what the indexes hold now, and sign it."""
        suite = self.folder / "dists/trixie"
        lines = [
            "Origin: Test", "Suite: trixie", "Codename: trixie", "Architectures: arm64", "Components: main",
            f"Date: {formatdate(usegmt=True)}", "SHA256:",
        ]  # fmt: skip
        for path in sorted((suite / "main").rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path.relative_to(suite)}")
        release, signed = suite / "Release", suite / "InRelease"
        release.write_text("\n".join(lines) + "\n")
        gpg(home or self.home, "--clearsign", "--output", str(signed), str(release))
        release.unlink()


def gpg(home: Path, *arguments: str) -> None:
    subprocess.run(
        ["gpg", "--batch", "--yes", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback", *arguments],
        env={**os.environ, "GNUPGHOME": str(home)}, check=True, capture_output=True,
    )  # fmt: skip


def make_key(home: Path) -> None:
    home.mkdir(mode=0o700)
    gpg(home, "--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", "never")


def add_package(folder: Path, work: Path, name: str, files: dict[str, str], depends: str = "") -> str:
    """Build a package into the archive's pool and return its paragraph of the index."""
    tree = work / name
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1:2.0-1\nArchitecture: arm64\nMaintainer: T <t@example.org>\n"
    control += f"Depends: {depends}\n" if depends else ""
    control += "Description: test\n"
    (tree / "DEBIAN/control").write_text(control)
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    deb = folder / "pool" / f"{name}_2.0-1_arm64.deb"
    deb.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tree), str(deb)], check=True, capture_output=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    return f"{control}Filename: pool/{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Path]]:
    # The archive's, another one's, and the first one's public half; gpg's agent needs a short path for its socket.
    base = Path(subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip())
    ours, others, public = base / "ours", base / "others", base / "public.gpg"
    try:
        for home in (ours, others):
            make_key(home)
        gpg(ours, "--export", "--output", str(public))
        public.chmod(0o644)
        yield ours, others, public
    finally:
        for home in (ours, others):
            subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(base)


@pytest.fixture
def archive(tmp_path: Path, keys: tuple[Path, Path, Path]) -> Archive:
    folder = tmp_path / "archive"
    paragraphs = [
        add_package(folder, tmp_path / "trees", "app", {"usr/bin/app": "run\n"}, "libapp (>= 1)"),
        add_package(folder, tmp_path / "trees", "libapp", {"lib/aarch64-linux-gnu/libapp.so": "elf\n"}),
        add_package(folder, tmp_path / "trees", "unrelated", {"usr/bin/unrelated": "no\n"}),
    ]
    made = Archive(folder, keys[2], keys[0])
    made.index().parent.mkdir(parents=True)
    made.index().write_text("\n".join(paragraphs))
    made.sign()
    return made


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
        tmp_path / "bin", "apt-get",
        f"case \"$*\" in *--print-uris*) echo \"'http://x/a_1_arm64.deb' a_1_arm64.deb 5 SHA256:{wanted}\";;"
        f" *--download-only*) {download};; esac\n",
    )  # fmt: skip
    fake_tool(tmp_path / "bin", "apt-config", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(DeviceError, match="not what Debian's signed index says") as caught:
        Apt(tmp_path / "apt", [], "arm64").fetch(["a"])
    assert caught.value.expected == wanted


def test_refuses_a_weak_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tool(tmp_path / "bin", "apt-get", "echo \"'http://x/a.deb' a.deb 5 MD5Sum:0123\"\n")
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
        debian_keyring()


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
    assert sorted(debian_mirrors()) == [
        "http://one.example/debian/", "http://three.example/debian/", "https://two.example/debian/",
    ]  # fmt: skip


@needs_apt
def test_takes_the_first_archive_that_has_the_release(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(apt_module, "KEYRINGS", (archive.keyring,))
    (archive.folder / "dists/trixie/main/source").mkdir()
    (archive.folder / "dists/trixie/main/source/Sources").write_text("")
    archive.sign()
    monkeypatch.setattr(root_module, "debian_mirrors", lambda: [f"file:{tmp_path}/empty", f"file:{archive.folder}"])
    with root_module.debian() as apt:
        assert len(apt.fetch(["app"])) == 2


@needs_apt
def test_no_archive_with_the_release_names_those_that_were_tried(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(apt_module, "KEYRINGS", (archive.keyring,))
    with pytest.raises(DeviceError, match="--mirror URL") as caught, root_module.debian(f"file:{tmp_path}/empty"):
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
