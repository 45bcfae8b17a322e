"""Debian's Gradle in an unpacked root of its own, run by chroot as the Swift compiler is: it looks for itself in /usr.

``python -m tests.release.gradle`` builds it in the user's cache, once (150 MB to download).
"""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from imageqx_export.bench.emulator.apt import Apt, read_identity, unpack
from imageqx_export.bench.emulator.cache import Contents, hold_lock, make_once, name_folder, read_part
from imageqx_export.bench.emulator.root import SUITE, open_debian
from imageqx_export.support.files import digest
from tests.ios.toolchain import find_architecture, make_command, refuse_unpinned

PACKAGES: Final = ("gradle", "coreutils")
PINNED: Final = {
    "gradle_4.4.1-22_all.deb": "35123788c599f82e077cc2c7c62e712c02af16cf35db1460a13c39a533ed184e",
    "libgradle-core-java_4.4.1-22_all.deb": "ab8685ac2b9f221a7f72782555732a8cc548c86a1f57ed1a92e4ef668d0bb2bd",
    "libgradle-plugins-java_4.4.1-22_all.deb": "92d2995e88c4667984eeac1b011f37c3bbe3ed4ad90c2be66eb806164fea77f1",
}
"""SHA-256 of the packages that hold Gradle, as Debian's archive had them on 2026-11-30."""
LEFT_OUT: Final = ("debconf*", "libdb5*", "libpam-*", "perl*", "util-linux*")
"""What only the packages' scripts want, which are not run."""
NOBODY_TRUSTED: Final = bytes.fromhex("feedfeed0000000200000000") + bytes(20)
"""A Java keystore of no entries, without which no address is asked; its digest counts only with a password."""
LAUNCHER: Final = "/usr/share/gradle/lib/gradle-launcher-4.4.1.jar"


def list_inputs() -> dict[str, object]:
    """Say what the root shall be made of; its digest names the folder."""
    return {"suite": SUITE, "architecture": find_architecture(), "packages": list(PACKAGES), "pinned": PINNED}


def find_root() -> Path:
    """Return the root; it is built in the user's cache where it is not there.

    Raises:
        DeviceError: It cannot be built; nothing is left of it then.
    """
    inputs = list_inputs()
    if not read_part("gradle", inputs):

        def make(folder: Path) -> Contents:
            with open_debian(None, find_architecture()) as apt:
                return fill_root(folder / "root", apt)

        with hold_lock():
            make_once("gradle", inputs, make)
    return name_folder("gradle", inputs) / "root"


def fill_root(root: Path, apt: Apt) -> Contents:
    """Unpack Gradle and what it needs, a Java included."""
    debs = apt.fetch(PACKAGES)
    digests = {deb.name: digest(deb) for deb in debs}
    refuse_unpinned(digests, PINNED, "Gradle", "tests/release/gradle.py")
    kept = [deb for deb in debs if not any(fnmatch.fnmatch(deb.name, pattern) for pattern in LEFT_OUT)]
    (root / "usr" / "lib64").mkdir(parents=True)
    (root / "lib64").symlink_to("usr/lib64")
    unpack(kept, root)
    for name in ("doc", "man", "locale", "maven-repo"):
        shutil.rmtree(root / "usr" / "share" / name, ignore_errors=True)
    for name in ("proc", "dev", "tmp", "root"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc" / "ssl" / "certs" / "java").mkdir(parents=True, exist_ok=True)
    (root / "etc" / "ssl" / "certs" / "java" / "cacerts").write_bytes(NOBODY_TRUSTED)
    return {deb.name: digests[deb.name] for deb in kept}, dict(read_identity(deb) for deb in kept)


def run_gradle(words: Sequence[str], folder: Path, binds: Sequence[Path] = ()) -> subprocess.CompletedProcess[str]:
    """Run Gradle in a project's folder; return what it printed.

    Args:
        words: Its options and tasks.
        folder: The project's; Gradle's own files go into ``home/`` of it.
        binds: Further folders that it reads, at the same places.

    Raises:
        DeviceError: Its root cannot be built or entered.
    """
    root = find_root()
    java = next((root / "usr" / "lib" / "jvm").glob("java-*-openjdk-*/bin/java"))
    command = [f"/{java.relative_to(root)}", "-Xmx512m", "-XX:TieredStopAtLevel=1"]
    command += ["--add-opens", "java.base/java.lang=ALL-UNNAMED", "-classpath", LAUNCHER]
    command += ["org.gradle.launcher.GradleMain", "--no-daemon", "--console=plain", f"--gradle-user-home={folder}/home"]
    whole = make_command(root, [*command, *words], folder, binds)
    return subprocess.run(whole, capture_output=True, text=True, timeout=300, check=False)


if __name__ == "__main__":
    print(find_root(), file=sys.stdout)
