"""Fetch files by their Maven coordinates, pinned by SHA-256 in ``maven.toml``, into the user's cache.

Maven itself fetches, from wherever this machine's settings say. It writes what it fetched into a repository of its own
below the cache, so that the user's ``~/.m2`` stays as it is. Its plugin is pinned by version alone.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from filelock import FileLock

from android_demo.tools.jdk import find_jdk
from android_demo.tools.programs import run_program
from imageqx_export.errors import ImageQXError, UnavailableError
from imageqx_export.support.files import digest, write_aside

LOCK = Path(__file__).with_name("maven.toml")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imageqx-export" / "android"
REPOSITORY = CACHE / "maven"

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_EXCLUDE_ALL = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"


@dataclass(frozen=True, order=True)
class Coordinate:
    """The name of a file in Maven's world: ``group:artifact:version``, ``@type`` after it where it is no jar."""

    group: str
    artifact: str
    version: str
    type: str = "jar"

    def __str__(self) -> str:
        end = "" if self.type == "jar" else f"@{self.type}"
        return f"{self.group}:{self.artifact}:{self.version}{end}"

    @property
    def path(self) -> Path:
        """Where Maven keeps it, below a repository."""
        name = f"{self.artifact}-{self.version}.{self.type}"
        return Path(*self.group.split("."), self.artifact, self.version, name)


def parse_coordinate(text: str) -> Coordinate:
    """Read ``group:artifact:version`` or ``group:artifact:version@type``.

    >>> parse_coordinate("org.tensorflow:tensorflow-lite:2.16.1@aar").path.name
    'tensorflow-lite-2.16.1.aar'

    Raises:
        ImageQXError: It is neither.
    """
    name, _, kind = text.partition("@")
    parts = name.split(":")
    if len(parts) != 3 or not all(parts):
        raise ImageQXError("not a Maven coordinate", where=LOCK, expected="group:artifact:version[@type]", got=text)
    return Coordinate(parts[0], parts[1], parts[2], kind or "jar")


def read_lock() -> dict[str, dict[Coordinate, str]]:
    """Read ``maven.toml``: per set of files that belong together, each coordinate's SHA-256."""
    with LOCK.open("rb") as file:
        sets = tomllib.load(file)
    return {name: {parse_coordinate(one): sha for one, sha in pins.items()} for name, pins in sets.items()}


def fetch(*sets: str) -> list[Path]:
    """Return the files of some of ``maven.toml``'s sets, in its order, fetching what the cache lacks.

    Raises:
        UnavailableError: Maven is missing, or a file cannot be had.
        ImageQXError: A file is not the one that the lock names.
    """
    lock = read_lock()
    pins = {coordinate: sha for name in sets for coordinate, sha in lock[name].items()}
    with lock_repository():
        missing = [coordinate for coordinate in pins if not (REPOSITORY / coordinate.path).is_file()]
        if missing:
            _download(missing)
    for coordinate, sha in pins.items():
        _verify(coordinate, sha)
    return [REPOSITORY / coordinate.path for coordinate in pins]


def fetch_one(name: str, artifact: str) -> Path:
    """Return one file of a set, by its artifact's name."""
    for path in fetch(name):
        if path.parent.parent.name == artifact:
            return path
    raise ImageQXError("no such file in a set", where=LOCK, expected=f"{artifact} in [{name}]")


def is_cached(*sets: str) -> bool:
    """Tell whether every file of these sets is in the cache."""
    lock = read_lock()
    return all((REPOSITORY / coordinate.path).is_file() for name in sets for coordinate in lock[name])


def write_lock() -> None:
    """Fetch every file, whatever its digest, and write the digests into the lock; comments stay."""
    missing = {one for pins in read_lock().values() for one in pins if not (REPOSITORY / one.path).is_file()}
    if missing:
        _download(sorted(missing))

    def pin(match: re.Match[str]) -> str:
        return f'"{match[1]}" = "{digest(REPOSITORY / parse_coordinate(match[1]).path)}"'

    text = re.sub(r'^"([^"]+)" = "[^"]*"$', pin, LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    with write_aside(LOCK) as aside:
        aside.write_text(text, encoding="utf-8")


def lock_repository() -> FileLock:
    """Return what only one process at a time may hold: Maven's repository knows no other reader while it grows."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return FileLock(CACHE / "maven.lock")


def _download(coordinates: Iterable[Coordinate]) -> None:
    maven = shutil.which("mvn")
    names = [str(coordinate) for coordinate in coordinates]
    if maven is None:
        raise UnavailableError(
            "no Maven to fetch with",
            expected=", ".join(names[:3]) + (" …" if names[3:] else ""),
            remedy="apt install maven",
        )
    REPOSITORY.mkdir(parents=True, exist_ok=True)
    print(f"fetching {len(names)} files from Maven into {REPOSITORY}", flush=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        pom = Path(folder) / "pom.xml"
        pom.write_text(_write_pom(coordinates), encoding="utf-8")
        command = [maven, "-B", "-q", "-C", f"-Dmaven.repo.local={REPOSITORY}", "-f", pom, f"{_PLUGIN}:resolve"]
        done = run_program(command, environment={"JAVA_HOME": str(find_jdk().home)})
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        raise UnavailableError(
            "Maven cannot fetch a file",
            expected=", ".join(names),
            got=lines[0] if lines else f"exit code {done.returncode}",
            remedy="see that this machine reaches its Maven repository, and run it again",
        )


def _write_pom(coordinates: Iterable[Coordinate]) -> str:
    """Write a project that depends on these files, and on nothing that they depend on."""
    dependencies = "".join(
        f"<dependency><groupId>{escape(one.group)}</groupId><artifactId>{escape(one.artifact)}</artifactId>"
        f"<version>{escape(one.version)}</version><type>{escape(one.type)}</type>{_EXCLUDE_ALL}</dependency>\n"
        for one in coordinates
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>org.imageqx</groupId><artifactId>fetch</artifactId><version>1</version><packaging>pom</packaging>\n"
        f"<dependencies>\n{dependencies}</dependencies></project>\n"
    )


def _verify(coordinate: Coordinate, sha: str) -> None:
    """Hold a file to its digest, once per file: a stamp beside it keeps size and time of what was looked at."""
    path = REPOSITORY / coordinate.path
    status = path.stat()
    stamp = path.with_name(path.name + ".verified")
    seen = f"{sha} {status.st_size} {status.st_mtime_ns}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == seen:
        return
    got = digest(path)
    if got != sha:
        path.unlink()
        raise ImageQXError(
            "a fetched file is not the one that was pinned (deleted)",
            where=f"{coordinate} in {LOCK.name}",
            expected=sha,
            got=got,
            remedy="run it again; if it repeats, somebody changed the file at its source",
        )
    stamp.write_text(seen, encoding="utf-8")
