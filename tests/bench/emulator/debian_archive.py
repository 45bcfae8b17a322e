"""A Debian archive in a folder, signed by a key made for the tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import pytest

from imageqx_export.bench.emulator.apt import Apt

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
            "Origin: Test",
            "Suite: trixie",
            "Codename: trixie",
            "Architectures: arm64",
            "Components: main",
            f"Date: {formatdate(usegmt=True)}",
            "SHA256:",
        ]
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
        env={**os.environ, "GNUPGHOME": str(home)},
        check=True,
        capture_output=True,
    )


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


@contextmanager
def made_keys() -> Iterator[tuple[Path, Path, Path]]:
    """Give the archive's key, another one's, and the first one's public half."""
    # gpg's agent needs a short path for its socket.
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


def make_archive(folder: Path, work: Path, keys: tuple[Path, Path, Path]) -> Archive:
    """Write an archive with ``app``, ``libapp``, which it needs, and ``unrelated``."""
    paragraphs = [
        add_package(folder, work, "app", {"usr/bin/app": "run\n"}, "libapp (>= 1)"),
        add_package(folder, work, "libapp", {"lib/aarch64-linux-gnu/libapp.so": "elf\n"}),
        add_package(folder, work, "unrelated", {"usr/bin/unrelated": "no\n"}),
    ]
    made = Archive(folder, keys[2], keys[0])
    made.index().parent.mkdir(parents=True)
    made.index().write_text("\n".join(paragraphs))
    made.sign()
    return made
