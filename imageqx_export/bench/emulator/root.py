"""Make the arm64 root that programs run in: a few of Debian's packages, unpacked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imageqx_export.bench.emulator.apt import Apt, find_keyring, list_mirrors, read_identity, require_apt, unpack
from imageqx_export.bench.emulator.cache import Contents
from imageqx_export.errors import DeviceError
from imageqx_export.support.files import digest
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.progress import Progress, silent

SUITE = "trixie"  # the first stable Debian whose qemu is 10: 7.2 misbehaves
ARCHITECTURE = "arm64"
# Python for the runner, libstdc++ for the runtimes, and the real adbd, a phone's side of adb, with which attached
# phones are tested. What these depend on comes along.
PACKAGES = ("python3.13-minimal", "libpython3.13-stdlib", "libstdc++6", "zlib1g", "adbd")


@contextmanager
def open_debian(mirror: str | None = None, architecture: str = ARCHITECTURE) -> Iterator[Apt]:
    """Give an apt with verified indexes of Debian's stable release; its folder is temporary.

    Args:
        mirror: A Debian archive, such as an organisation's own; None tries each that the machine's apt is set up with.
        architecture: Of the packages, as Debian names it.

    Raises:
        DeviceError: There is no apt or no keyring, or no archive has the release.
    """
    require_apt()
    keyring = find_keyring()
    tried: dict[str, str] = {}
    for uri in [mirror] if mirror else list_mirrors():
        with temporary_folder("apt") as folder:
            lines = [f"{kind} [signed-by={keyring}] {uri} {SUITE} main" for kind in ("deb", "deb-src")]
            apt = Apt(folder, lines, architecture)
            try:
                apt.update()
            except DeviceError as error:
                tried[uri] = error.got or error.what
                continue
            yield apt
            return
    raise DeviceError(
        f"no archive here has Debian's release {SUITE}",
        expected=f"a Debian archive signed by the keys in {keyring}",
        got="; ".join(f"{uri}: {why}" for uri, why in tried.items()) or "apt is set up with no archive",
        remedy="imageqx emulator --mirror URL, with the address of a Debian mirror",
    )


def list_inputs() -> dict[str, object]:
    """Say what the root shall be."""
    return {"suite": SUITE, "architecture": ARCHITECTURE, "packages": list(PACKAGES)}


def make_root(folder: Path, apt: Apt, progress: Progress = silent) -> Contents:
    """Fill ``folder/root``.

    Raises:
        DeviceError: A package cannot be had.
    """
    debs = apt.fetch(PACKAGES)
    megabytes = sum(deb.stat().st_size for deb in debs) / 1e6
    with progress(f"arm64 root: unpack {len(debs)} packages, {megabytes:.0f} MB", len(debs)) as advance:
        unpack(debs, folder / "root", advance)
    for name in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/zoneinfo", "var"):
        shutil.rmtree(folder / "root" / name, ignore_errors=True)
    return {deb.name: digest(deb) for deb in debs}, dict(read_identity(deb) for deb in debs)
