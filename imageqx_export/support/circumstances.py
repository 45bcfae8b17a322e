"""What a result depends on besides its inputs: our code, the libraries, Python, the processor, the environment."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
_CPUINFO = Path("/proc/cpuinfo")
_CPU_LINES = ("model name", "flags", "Features", "CPU implementer", "CPU part")
# What numerical libraries read from the environment; a test holds that those which ours are known to read are here.
_VARIABLES = ("ATEN_", "DNNL_", "GOMP_", "KMP_", "MKL_", "OMP_", "ONEDNN_", "ORT_", "TF_", "TORCH_", "XNNPACK_")


def describe_circumstances() -> dict[str, str]:
    """Return all that the bytes of an export and its measurements depend on besides what it is given.

    Returns:
        ``code`` (digest of the package's files), ``libraries`` (every installed distribution with its version),
        ``python``, ``machine`` (the processor and its instruction sets), and ``settings`` (variables that numerical
        libraries read).
    """
    return {
        "code": digest_code(PACKAGE),
        "libraries": list_libraries(distributions()),
        "python": sys.version,
        "machine": f"{platform.platform()}\n{_read_processor()}",
        "settings": "\n".join(sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith(_VARIABLES))),
    }


def digest_code(package: Path) -> str:
    """Return the SHA-256 of a package's files with their names, but for compiled ones, in hexadecimal.

    Args:
        package: Its folder. All files count: templates, limits and pictures decide on results as Python does.
    """
    found = hashlib.sha256()
    for folder, folders, files in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = Path(folder, name)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f"{content}  {path.relative_to(package).as_posix()}\n".encode())
    return found.hexdigest()


def list_libraries(installed: Iterable[Distribution]) -> str:
    """Return ``name==version`` of each distribution, sorted, a line each."""
    return "\n".join(sorted({f"{one.metadata['Name']}=={one.version}" for one in installed}))


def _read_processor() -> str:
    """Return what the system says of its first processor; on others than Linux, what Python says."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return platform.processor()
    return "\n".join(line for line in first.splitlines() if line.startswith(_CPU_LINES))
