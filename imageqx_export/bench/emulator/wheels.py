"""Get the runtimes for an arm64 phone: the very versions of requirements/lock.txt, by its hashes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from imageqx_export.bench.emulator.cache import Contents
from imageqx_export.errors import DeviceError
from imageqx_export.support.libraries import find_uv
from imageqx_export.support.progress import Progress, silent

# The runner's imports and what they import; of ai-edge-litert's and onnxruntime's own lists, nothing else is loaded.
DISTRIBUTIONS = (
    "ai-edge-litert",
    "backports-strenum",
    "flatbuffers",
    "ml-dtypes",
    "numpy",
    "onnxruntime",
    "packaging",
    "protobuf",
    "tqdm",
    "typing-extensions",
)
PLATFORM = "aarch64-manylinux_2_28"
PYTHON = "3.13"
_VERSION = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")


def find_lock() -> Path:
    """Return the project's lock, which is beside the package in a checkout.

    Raises:
        DeviceError: This is an installed package without its checkout.
    """
    path = Path(__file__).parents[3] / "requirements" / "lock.txt"
    if path.is_file():
        return path
    raise DeviceError(
        "the lock with the runtimes' hashes is missing",
        where=path,
        expected="a checkout of imageqx-export",
        remedy="git clone the project, make setup, make emulator",
    )


def pick_requirements(text: str, names: Iterable[str] = DISTRIBUTIONS) -> list[str]:
    """Pick the blocks of ``names`` out of a lock, with their markers and hashes.

    Args:
        text: A requirements file with hashes, as ``uv pip compile --generate-hashes`` writes it.
        names: Distributions, in normal form.

    Raises:
        DeviceError: The lock lacks one, or its hashes.
    """
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        match = _VERSION.match(line)
        if match:
            found.setdefault(match["name"], []).append(" ".join(line.split()))
    missing = [n for n in names if not found.get(n) or not all("--hash=sha256:" in line for line in found[n])]
    if missing:
        raise DeviceError(
            "the lock lacks what an emulated phone runs",
            where="requirements/lock.txt",
            expected="versions and hashes of " + ", ".join(missing),
            remedy="make lock",
        )
    return [line for name in names for line in found[name]]


def read_requirements() -> list[str]:
    """Read from the project's lock what an emulated phone runs."""
    return pick_requirements(find_lock().read_text())


def list_inputs() -> dict[str, object]:
    """Say what the wheels shall be."""
    return {"python": PYTHON, "platform": PLATFORM, "requirements": read_requirements()}


def make_wheels(folder: Path, lines: Sequence[str], progress: Progress = silent) -> Contents:
    """Fill ``folder/site`` with the aarch64 wheels, unpacked: a folder for ``PYTHONPATH``.

    Args:
        folder: Where to.
        lines: Requirements with hashes, as :func:`read_requirements` gives them.
        progress: Shows progress.

    Raises:
        DeviceError: uv is missing, or a wheel is, or one is not what the lock says.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{line}\n" for line in lines))
    command = _make_command(requirements, folder / "site")
    with progress("fetch the aarch64 wheels", 1) as advance:
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        advance()
    if result.returncode != 0:
        raise DeviceError(
            "the aarch64 wheels cannot be installed",
            got=result.stderr.strip()[-1000:],
            remedy="see that this machine reaches its Python package index, and run it again",
        )
    shutil.rmtree(folder / "site" / "bin", ignore_errors=True)  # their scripts start this machine's Python
    return {}, read_versions(folder / "site")  # the inputs have the hashes


def _make_command(requirements: Path, site: Path) -> list[str]:
    return [
        find_uv(DeviceError),
        "pip",
        "install",
        "--quiet",
        "--target",
        str(site),
        "--python",
        sys.executable,
        "--python-platform",
        PLATFORM,
        "--python-version",
        PYTHON,
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--no-deps",
        "--link-mode",
        "copy",
        "--requirement",
        str(requirements),
    ]


def read_versions(site: Path) -> dict[str, str]:
    """Return the version of each distribution that was unpacked into ``site``."""
    from importlib.metadata import distributions

    return {d.metadata["Name"]: d.version for d in sorted(distributions(path=[str(site)]), key=lambda d: d.name)}
