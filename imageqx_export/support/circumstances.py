"""What a result depends on besides its inputs: our code, the libraries, Python, the processor, the environment."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
_CPUINFO = Path("/proc/cpuinfo")
_CPU_LINES = ("model name", "flags", "Features", "CPU implementer", "CPU part")
# What our libraries, Python and the loader read from the environment; a test has those that are known to change bits.
_VARIABLES = (
    *("ATEN_", "CUDA_", "CUBLAS_", "CUDNN_", "DNNL_", "GLIBC_TUNABLES", "GOMP_", "GOTO_", "JAX_", "KMP_", "LD_"),
    *("LITERT_", "MALLOC_", "MKL_", "MLIR_", "MPS_", "NPY_", "NVIDIA_", "OMP_", "ONEDNN_", "ONNX", "OPENBLAS_"),
    *("ORT_", "PROTOCOL_BUFFERS_", "PYTHON", "PYTORCH_", "TF_", "TORCH", "VECLIB_", "XLA_", "XNNPACK_"),
)


def describe_circumstances() -> dict[str, str]:
    """Return all that the bytes of an export and its measurements depend on besides what it is given.

    Returns:
        ``code`` (digest of the package's files), ``libraries`` (every installed distribution with its version),
        ``python``, ``machine`` (the processor, its instruction sets and how many cores we may use), and ``settings``
        (variables that libraries, Python and the loader read).

    Raises:
        OSError: A file of the package cannot be read.
    """
    return {
        "code": digest_code(PACKAGE),
        "libraries": list_libraries(distributions()),
        "python": sys.version,
        "machine": f"{platform.platform()}\n{_count_cores()} cores\n{_read_processor()}",
        "settings": "\n".join(_list_settings(os.environ)),
    }


def digest_code(package: Path) -> str:
    """Return the SHA-256 of a package's files with their names, but for compiled ones, in hexadecimal.

    Args:
        package: Its folder. All files count: templates, limits and pictures decide on results as Python does. Links to
            nothing, as editors put beside what they change, do not.

    Raises:
        OSError: One cannot be read.
    """
    found = hashlib.sha256()
    for path in _list_code(package):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found.update(f"{content}  {path.relative_to(package).as_posix()}\n".encode())
    return found.hexdigest()


def stamp_code(package: Path = PACKAGE) -> object:
    """Return what changes whenever a file of a package is written, without reading any.

    Args:
        package: Its folder.

    Raises:
        OSError: One vanishes.
    """
    seen = [(path, path.stat()) for path in _list_code(package)]
    return [(path, one.st_size, one.st_ino, one.st_mtime_ns, one.st_ctime_ns) for path, one in seen]


def _list_code(package: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = Path(folder, name)
            if path.exists() or not path.is_symlink():
                yield path


def list_libraries(installed: Iterable[Distribution]) -> str:
    """Return ``name==version`` of each distribution, sorted, a line each."""
    return "\n".join(sorted({f"{one.metadata['Name']}=={one.version}" for one in installed}))


def _list_settings(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that count, but for what libraries set themselves when they are loaded: two places."""
    for name, value in sorted(environment.items()):
        if name == "LD_LIBRARY_PATH":  # OpenCV adds a folder beside its own
            value = ":".join(part for part in value.split(":") if part and "/cv2/" not in part)
        if name.startswith(_VARIABLES) and name != "TORCHINDUCTOR_CACHE_DIR" and value:
            yield f"{name}={value}"


def _count_cores() -> int | None:
    """Return how many cores this process may use: sums are split among them."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()


def _read_processor() -> str:
    """Return what the system says of its first processor; on others than Linux, what Python says."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return platform.processor()
    return "\n".join(line for line in first.splitlines() if line.startswith(_CPU_LINES))
