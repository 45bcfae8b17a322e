"""Environments of tools and runtimes: pinned wheels with hashes, made by uv in the user's cache, once."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.errors import UnavailableError
from imageqx_export.support.arrays import read_arrays
from imageqx_export.support.caches import find_cache
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.libraries import find_uv
from imageqx_export.support.locks import NO_ROOM
from imageqx_export.support.processes import TIED, tie_to_parent
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.untrusted import describe, read_object

VARIABLE = "IMAGEQX_COMPAT"
"""Names another folder for the environments than one in the user's cache."""
TIED_VARIABLE = "IMAGEQX_TIED"
"""Names the script that ends a program with the process that started it, for workers."""
TIMEOUT = 1800.0
"""Seconds after which a tool counts as hung."""
_NO_ROOM = f"make room, or {VARIABLE}=a folder on another disk"
_UV_MESSAGES = (
    (r"no space left|disk quota|os error 28\b", "no space left on device", _NO_ROOM),
    (r"hash mismatch", "a wheel is not the one that is pinned", "see which package index this machine uses"),
    (r"no interpreter found|no python", "no such version of Python, and uv could not download it", "uv python install"),
    (
        r"failed to fetch|error sending request|dns error|connect|timed out|network",
        "a wheel or Python cannot be fetched: the package index does not answer",
        "see that this machine reaches its Python package index, and run it again",
    ),
    (r"no solution found|not found in the package registry|no wheels", "", "see that wheels for this machine exist"),
)
"""Per what uv prints: the clause for it ("" for its own last line), and what to do."""


class CrashError(UnavailableError):
    """A program that failed, crashed or hung: of a runtime that is asked about a file, this is its answer."""


class Environment:
    """A virtual environment outside the project's own.

    Args:
        name: Part of its folder's name.
        requirements: A file of pinned wheels with hashes, or its text; None for the project's own environment.
        python: The version of Python, such as ``"3.11"``; None for this one's.
    """

    def __init__(self, name: str, requirements: Path | str | None, python: str | None = None) -> None:
        self._name, self._requirements = name, requirements
        self._version = python or f"{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def folder(self) -> Path:
        """Where it lies, or would lie: another list of wheels is another folder."""
        wanted = self._requirements
        text = b"" if wanted is None else wanted.encode() if isinstance(wanted, str) else wanted.read_bytes()
        key = hashlib.sha256(self._version.encode() + text).hexdigest()[:16]
        return find_cache("compat", VARIABLE) / f"{self._name}-{key}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return Path(sys.executable) if self._requirements is None else self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        """Where its packages are."""
        return self.folder / "lib" / f"python{self._version}" / "site-packages"

    def prepare(self, progress: Progress = silent) -> None:
        """Make it, unless it is there.

        Raises:
            UnavailableError: uv or the version of Python is missing, the disk is full, or a wheel cannot be had or is
                not what the list says.
        """
        if self._requirements is None or self.python.exists():
            return
        from filelock import FileLock

        target = self.folder
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_suffix(".lock")), progress(f"environment of {self._name}", 1) as advance:
                if not self.python.exists():
                    self._make(target)
                advance()
        except OSError as error:
            raise UnavailableError(
                f"the environment of {self._name} cannot be made",
                where=target,
                got=describe(error),
                remedy=_NO_ROOM if error.errno in NO_ROOM else f"see that you may write there, or {VARIABLE}=…",
            ) from error

    def _make(self, target: Path) -> None:
        """Make it aside, and give it its name when it is whole."""
        aside = target.with_name(f".{target.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        wanted = self._requirements
        try:
            # Relocatable, as it is renamed when it is whole.
            self._run_uv("venv", "--relocatable", "--python", find_python(self._version), str(aside))
            listed = aside / "requirements.txt"
            listed.write_text(wanted if isinstance(wanted, str) else wanted.read_text() if wanted else "")
            python = str(aside / "bin" / "python")
            wheels = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(listed))
            self._run_uv("pip", "install", "--python", python, *wheels)
            aside.replace(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _run_uv(self, *arguments: str) -> None:
        result = subprocess.run(
            [find_uv(), "--quiet", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if result.returncode != 0:
            got, remedy = explain_uv(result.stderr)
            raise UnavailableError(
                f"the environment of {self._name} cannot be made", where=self.folder, got=got, remedy=remedy
            )

    def call(
        self,
        script: Path,
        request: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        variables: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]], str]:
        """Run a script that stands alone, ``script REQUEST.json RESULT.json``, in a fresh process.

        Args:
            script: It may write arrays to ``RESULT.npz``, and reads those it is given from ``REQUEST.npz``. Programs
                that it starts it ties to itself with the script that :data:`TIED_VARIABLE` names, where there is one.
            request: What it is asked.
            arrays: What it is given beside.
            variables: Environment variables to add.
            timeout: Seconds after which it counts as hung.

        Returns:
            The result, the arrays beside it, and what the process printed.

        Raises:
            CrashError: The process failed, crashed or hung.
            UnavailableError: Its result cannot be read.
        """
        with temporary_folder("compat") as folder:
            asked, answered = folder / "request.json", folder / "result.json"
            asked.write_text(json.dumps({**request, "folder": str(folder)}))
            np.savez(asked.with_suffix(".npz"), **dict[str, Any](arrays or {}))
            environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", **(variables or {})}
            if sys.platform == "linux":
                environment[TIED_VARIABLE] = str(TIED)
            # -P: beside the script lie modules whose names must not stand in for the standard library's.
            command = [str(self.python), "-P", str(script), str(asked), str(answered)]
            printed = run_tool(command, environment, folder, str(request.get("path", script.name)), timeout)
            result = _read_result(answered, str(request.get("path", script.name)))
            beside = answered.with_suffix(".npz")
            found = read_arrays(beside, script.name) if beside.exists() else {}
        return result, found, printed


def _read_result(path: Path, where: str) -> dict[str, Any]:
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise UnavailableError("the tool's result cannot be read", where=where, got=describe(error)) from error


def run_tool(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, where: str, timeout: float = TIMEOUT
) -> str:
    """Run a program to its end and return all that it printed.

    Raises:
        CrashError: It failed, crashed or hung; the message has its last lines.
    """
    try:
        result = subprocess.run(
            tie_to_parent(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise CrashError("the tool hung", where=where, got=f"no end after {timeout:g} s") from error
    if result.returncode != 0:
        last = " / ".join(line.strip() for line in result.stdout.strip().splitlines()[-2:]) or "nothing was printed"
        raise CrashError(
            "the tool failed" if result.returncode > 0 else f"the tool crashed (signal {-result.returncode})",
            where=where,
            got=last[-500:],
        )
    return result.stdout


def find_python(version: str) -> str:
    """Return what uv is to make an environment with: this Python or one of pyenv's, or the version, for uv to find.

    Args:
        version: Such as ``"3.11"``. What uv does not find on this machine it downloads, where it can.
    """
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        return sys.executable
    # pyenv's own commands refuse a version that is not chosen, so uv does not see it.
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    return str(found[-1]) if found else version


def explain_uv(printed: str) -> tuple[str, str]:
    r"""Return in a clause why uv failed, and what to do.

    Args:
        printed: What it printed on standard error.

    >>> explain_uv("error: Failed to write\n  Caused by: No space left on device (os error 28)")[0]
    'no space left on device'
    """
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = lines[-1].removeprefix("Caused by: ") if lines else "no word"
    for sign, got, remedy in _UV_MESSAGES:
        if re.search(sign, printed, re.IGNORECASE):
            return got or last[:300], remedy
    return last[:300], "run it again; uv's own words are above"


def require_linux_x86(what: str) -> None:
    """Raise unless this machine can run x86-64 Linux programs.

    Raises:
        UnavailableError: It is another.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise UnavailableError(
            f"{what} is for Linux on x86-64", got=f"{sys.platform} on {platform.machine()}", remedy="run it there"
        )
