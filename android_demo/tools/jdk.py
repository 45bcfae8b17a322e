"""Find a Java development kit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.errors import UnavailableError

OLDEST = 17
"""Robolectric's Android 15 and R8 need it."""

VARIABLES = ("IMAGEQX_JAVA_HOME", "JAVA_HOME")
_PLACES = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/java")


@dataclass(frozen=True)
class Jdk:
    """A Java development kit.

    Attributes:
        home: Its folder.
        version: Its major version, such as 17.
    """

    home: Path
    version: int

    @property
    def java(self) -> Path:
        """The program that runs classes."""
        return self.home / "bin" / "java"

    @property
    def javac(self) -> Path:
        """The compiler."""
        return self.home / "bin" / "javac"


def find_jdk(exactly: int | None = None) -> Jdk:
    """Find a JDK: the one that IMAGEQX_JAVA_HOME or JAVA_HOME names, the one on the PATH, or one of the system's.

    Args:
        exactly: The major version that is wanted; None takes the oldest one from ``OLDEST`` on, which gives the same
            answer on most machines.

    Raises:
        UnavailableError: There is none.
    """
    found = {jdk.home: jdk for home in _list_homes() if (jdk := _read_jdk(home)) is not None}
    fit = [jdk for jdk in found.values() if jdk.version >= OLDEST and exactly in (None, jdk.version)]
    if not fit:
        wanted = exactly or OLDEST
        raise UnavailableError(
            "no Java development kit",
            expected=f"JDK {wanted}" + ("" if exactly else " or newer") + ", with javac",
            got=", ".join(f"{jdk.home} ({jdk.version})" for jdk in found.values()) or "none",
            remedy=f"apt install openjdk-{wanted}-jdk-headless, or set {VARIABLES[0]} to one",
        )
    named = {Path(os.environ[name]).resolve() for name in VARIABLES if os.environ.get(name)}
    return min(fit, key=lambda jdk: (jdk.home not in named, jdk.version))


def _list_homes() -> Iterator[Path]:
    for name in VARIABLES:
        if os.environ.get(name):
            yield Path(os.environ[name]).resolve()
    if program := shutil.which("javac"):
        yield Path(program).resolve().parent.parent
    for place in map(Path, _PLACES):
        for home in sorted(place.glob("*")) if place.is_dir() else ():
            yield (home / "Contents" / "Home" if (home / "Contents").is_dir() else home).resolve()


def _read_jdk(home: Path) -> Jdk | None:
    """Read a JDK's version from its ``release`` file, or else ask it; None if there is no compiler."""
    if not (home / "bin" / "javac").exists():
        return None
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        asked = subprocess.run([home / "bin" / "javac", "-version"], capture_output=True, text=True, check=False)
        text = f'JAVA_VERSION="{(asked.stdout + asked.stderr).strip().removeprefix("javac ")}"'
    match = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', text)
    return Jdk(home, int(match[1])) if match else None
