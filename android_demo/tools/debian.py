"""Find Debian's Android build tools, or unpack them into the user's cache: no root, and no SDK.

Android's own are to be had from Google alone. Debian builds aapt2, zipalign and apksigner from Android's source, and
so the resources of the framework that apps are linked against. Its stable release's framework is newer than what older
releases have, and has no code, so it goes with any of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from android_demo.tools.jdk import find_jdk
from android_demo.tools.programs import run_program
from imageqx_export.bench.emulator.apt import Apt, find_keyring, list_mirrors, read_identity, require_apt, unpack
from imageqx_export.bench.emulator.cache import Contents, hold_lock, make_once, name_folder
from imageqx_export.errors import ConversionError, DeviceError
from imageqx_export.support.files import digest
from imageqx_export.support.folders import temporary_folder

PROGRAMS = ("aapt", "zipalign", "apksigner")
"""Packages; aapt has aapt2 too."""

FRAMEWORK = ("trixie", "android-framework-res")
"""The release with Android 14's resources, and the package."""

PART = "android-tools"
_INPUTS: dict[str, object] = {"packages": list(PROGRAMS), "framework": list(FRAMEWORK), "revision": 1}


@dataclass(frozen=True)
class BuildTools:
    """Android's build tools.

    Attributes:
        root: Where the packages were unpacked.
        programs: The folder with aapt2 and zipalign; the system's, or below ``root``.
    """

    root: Path
    programs: Path

    @property
    def framework(self) -> Path:
        """What apps' resources are linked against."""
        return self.root / "framework" / "usr/share/android-framework-res/framework-res.apk"

    def run(self, program: str, *arguments: object) -> str:
        """Run ``aapt2``, ``zipalign`` or ``apksigner``; return what it says.

        Raises:
            ConversionError: It fails.
        """
        done = run_program([*self._name(program), *arguments], environment={"LD_LIBRARY_PATH": self._list_libraries()})
        if done.returncode:
            shown = [line for line in (done.stderr + done.stdout).splitlines() if "Unknown chunk" not in line]
            raise ConversionError(f"{program} fails", where=str(arguments[0]), got="\n".join(shown).strip())
        return done.stdout

    def _name(self, program: str) -> list[object]:
        if program != "apksigner":
            return [self.programs / program]
        folder = self.programs.parent / "share" / "java"
        jars = ":".join(str(folder / name) for name in ("apksigner.jar", "apksig.jar"))
        return [find_jdk().java, "-Xmx512m", "-cp", jars, "com.android.apksigner.ApkSignerTool"]

    def _list_libraries(self) -> str:
        libraries = self.programs.parent / "lib"
        return ":".join(
            map(str, (libraries, libraries / "p7zip", *libraries.glob("*-linux-gnu*"), *libraries.glob("*/android")))
        )


def find_build_tools() -> BuildTools:
    """Return the build tools, fetching them first if the cache lacks them.

    Raises:
        DeviceError: They cannot be had: no apt, or no archive has them.
    """
    with hold_lock():
        make_once(PART, _INPUTS, _fill)
    root = name_folder(PART, _INPUTS)
    own = shutil.which("aapt2") is not None and shutil.which("zipalign") is not None
    return BuildTools(root, Path("/usr/bin") if own else root / "programs" / "usr" / "bin")


def _fill(folder: Path) -> Contents:
    """Unpack the programs of the machine's own release, and the framework of Debian's stable one."""
    require_apt()
    with temporary_folder("apt") as own, temporary_folder("apt") as stable:
        debs = _fetch(Apt(own), PROGRAMS, strict=False)
        unpack(debs, folder / "programs")
        suite, package = FRAMEWORK
        framework = _fetch_framework(stable, suite, package)
        unpack(framework, folder / "framework")
        every = [*debs, *framework]
        return {deb.name: digest(deb) for deb in every}, dict(read_identity(deb) for deb in every)


def _fetch(apt: Apt, packages: Sequence[str], *, strict: bool) -> list[Path]:
    apt.update(strict=strict)
    return apt.fetch(packages)


def _fetch_framework(folder: Path, suite: str, package: str) -> list[Path]:
    tried = {}
    for mirror in list_mirrors():
        lines = [f"deb [signed-by={find_keyring()}] {mirror} {suite} main"]
        try:
            return _fetch(Apt(folder, lines, "amd64"), [package], strict=True)
        except DeviceError as error:
            tried[mirror] = error.got or error.what
    raise DeviceError(
        f"no archive here has {package} of Debian's {suite}",
        got="; ".join(f"{mirror}: {why}" for mirror, why in tried.items()) or "apt is set up with no archive",
        remedy="add a Debian mirror to this machine's apt sources, and run it again",
    )
