"""Environments of accelerators' tools: pinned wheels with hashes, made by uv in the user's cache, once."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.errors import UnavailableError
from imageqx_export.support.arrays import read_arrays
from imageqx_export.support.caches import find_cache
from imageqx_export.support.libraries import find_uv
from imageqx_export.support.processes import tie_to_parent
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.untrusted import describe, read_json

VARIABLE = "IMAGEQX_COMPAT"
"""Names another folder for the environments than one in the user's cache."""
TIMEOUT = 1800.0
"""Seconds after which a tool counts as hung."""


class Environment:
    """A virtual environment outside the project's own.

    Args:
        name: Part of its folder's name.
        requirements: A file of pinned wheels with hashes; None for the project's own environment.
    """

    def __init__(self, name: str, requirements: Path | None) -> None:
        self._name, self._requirements = name, requirements

    @property
    def folder(self) -> Path:
        """Where it lies, or would lie: another list of wheels is another folder."""
        text = b"" if self._requirements is None else self._requirements.read_bytes()
        version = f"{sys.version_info.major}.{sys.version_info.minor}".encode()
        return find_cache("compat", VARIABLE) / f"{self._name}-{hashlib.sha256(version + text).hexdigest()[:16]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return Path(sys.executable) if self._requirements is None else self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        """Where its packages are."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "lib" / version / "site-packages"

    def prepare(self, progress: Progress = silent) -> None:
        """Make it, unless it is there.

        Raises:
            UnavailableError: uv is missing, or a wheel cannot be had or is not what the list says.
        """
        if self._requirements is None or self.python.exists():
            return
        from filelock import FileLock

        target = self.folder
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")), progress(f"environment of {self._name}", 1) as advance:
            if not self.python.exists():
                aside = target.with_name(f".{target.name}.part")
                shutil.rmtree(aside, ignore_errors=True)
                try:
                    # Relocatable, as it is renamed when it is whole.
                    self._uv("venv", "--relocatable", "--python", sys.executable, str(aside))
                    self._uv(
                        "pip",
                        "install",
                        "--python",
                        str(aside / "bin" / "python"),
                        "--require-hashes",
                        "--no-deps",
                        "--requirement",
                        str(self._requirements),
                    )
                    aside.replace(target)
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
            advance()

    def _uv(self, *arguments: str) -> None:
        result = subprocess.run(
            [find_uv(), "--quiet", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if result.returncode != 0:
            raise UnavailableError(
                f"the environment of {self._name} cannot be made",
                where=self.folder,
                got=result.stderr.strip()[-500:],
                remedy="see that this machine reaches its Python package index, and run it again",
            )

    def call(
        self,
        script: Path,
        request: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]], str]:
        """Run a script that stands alone, ``script REQUEST.json RESULT.json``, in a fresh process.

        Args:
            script: It may write arrays to ``RESULT.npz``, and reads those it is given from ``REQUEST.npz``.
            request: What it is asked.
            arrays: What it is given beside.
            variables: Environment variables to add.

        Returns:
            The result, the arrays beside it, and what the process printed.

        Raises:
            UnavailableError: The process failed, crashed or hung.
        """
        with tempfile.TemporaryDirectory(prefix="imageqx-compat-") as place:
            folder = Path(place)
            asked, answered = folder / "request.json", folder / "result.json"
            asked.write_text(json.dumps({**request, "folder": str(folder)}))
            np.savez(asked.with_suffix(".npz"), **dict[str, Any](arrays or {}))
            environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", **(variables or {})}
            # -P: beside the script lie modules whose names must not stand in for the standard library's.
            command = [str(self.python), "-P", str(script), str(asked), str(answered)]
            said = run_tool(command, environment, folder, str(request.get("path", script.name)))
            result = _read_result(answered, str(request.get("path", script.name)))
            beside = answered.with_suffix(".npz")
            found = read_arrays(beside, script.name) if beside.exists() else {}
        return result, found, said


def _read_result(path: Path, where: str) -> dict[str, Any]:
    try:
        result = read_json(path)
    except (OSError, ValueError) as error:
        raise UnavailableError("the tool's result cannot be read", where=where, got=describe(error)) from error
    if not isinstance(result, dict):
        raise UnavailableError("the tool's result is no JSON object", where=where, got=type(result).__name__)
    return result


def run_tool(command: Sequence[str], environment: Mapping[str, str], folder: Path, where: str) -> str:
    """Run a program to its end and return all that it printed.

    Raises:
        UnavailableError: It failed, crashed or hung; the message has its last lines.
    """
    try:
        result = subprocess.run(
            list(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            preexec_fn=tie_to_parent(),
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError("the tool hung", where=where, got=f"no end after {TIMEOUT:g} s") from error
    if result.returncode != 0:
        last = " / ".join(line.strip() for line in result.stdout.strip().splitlines()[-2:]) or "nothing was printed"
        raise UnavailableError(
            "the tool failed" if result.returncode > 0 else f"the tool crashed (signal {-result.returncode})",
            where=where,
            got=last[-500:],
        )
    return result.stdout


def require_linux_x86(what: str) -> None:
    """Raise unless this machine can run x86-64 Linux programs.

    Raises:
        UnavailableError: It is another.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise UnavailableError(
            f"{what} is for Linux on x86-64", got=f"{sys.platform} on {platform.machine()}", remedy="run it there"
        )
