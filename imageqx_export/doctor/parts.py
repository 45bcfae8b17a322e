"""The package's own parts: formats, runtimes, optional libraries, caches, the checkpoint, free disk."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from imageqx_export.artifact import Format
from imageqx_export.bench.emulator import load_emulator
from imageqx_export.bench.emulator.cache import find_folder
from imageqx_export.compat.gpu.target import find_driver
from imageqx_export.doctor.model import Finding, State
from imageqx_export.doctor.programs import run_briefly
from imageqx_export.errors import ImageQXError
from imageqx_export.export.convert import find_missing, list_libraries
from imageqx_export.support.libraries import EXTRAS, find_uv, name_extra

EXPORT_BYTES = 500 * 10**6
"""What one export of all twelve artifacts may need beside itself while it is compared; the artifacts are 130 MB."""

_SHOWN = ("qemu", "python", "onnxruntime", "ai-edge-litert")
_RUNTIMES = {
    "onnxruntime": "parity, predict and bench of .onnx",
    "ai_edge_litert": "parity, predict and bench of .tflite",
}

_EXTRAS = {
    "train": ("training", "train, evaluate, finetune"),
    "warmstart": ("training", "train --init lite0"),
    "bench": ("bench", "bench, report"),
    "release": ("release", "publish, pull"),
}
"""Per extra of the package, the group that needs it and what stops without it."""


def examine_python() -> Iterator[Finding]:
    """Yield this Python and the machine it runs on."""
    detail = f"{platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    yield Finding(group="export", part="python", state=State.READY, detail=detail)


def examine_formats() -> Iterator[Finding]:
    """Yield each format that can be written, with its converters' versions; the bare torch first."""
    yield _examine_libraries("export", "torch", ("torch", "torchvision"), "everything", "make setup")
    for format in Format:
        lacking = find_missing(format)
        detail = lacking or _list_versions(tuple(list_libraries(format).values()))
        remedy = name_extra(format.value)
        yield _report("export", format.value, not lacking, detail, f"export, parity and predict of {format}", remedy)


def examine_runtimes() -> Iterator[Finding]:
    """Yield each library that runs artifacts here; of Core ML's, which is part of macOS, what stands in elsewhere."""
    for library, stops in _RUNTIMES.items():
        name = library.replace("_", "-")
        yield _examine_libraries("export", name, (library,), stops, f"make setup, or pip install {name}")
    own = "Core ML of macOS" if sys.platform == "darwin" else "this package's evaluator; Core ML itself needs a Mac"
    yield Finding(group="export", part="Core ML", state=State.READY, detail=own)


def examine_checkpoint(path: Path) -> Iterator[Finding]:
    """Yield whether the checkpoint that commands take by default is there."""
    detail = str(path) if path.is_file() else f"no {path} in {Path.cwd()}"
    remedy = "run in a clone of the project, or pass --checkpoint FILE"
    yield _report("export", "checkpoint", path.is_file(), detail, "every command without --checkpoint", remedy)


def examine_disk() -> Iterator[Finding]:
    """Yield the free bytes where artifacts and caches are written."""
    for part, folder in (("disk here", Path.cwd()), ("disk of the cache", find_folder())):
        there = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(there).free
        detail, remedy = f"{free / 1e9:.1f} GB free at {there}", f"free {EXPORT_BYTES / 1e6:.0f} MB"
        yield _report("export", part, free >= EXPORT_BYTES, detail, "an export", remedy)


def examine_extras() -> Iterator[Finding]:
    """Yield each optional set of libraries."""
    for extra, (group, stops) in _EXTRAS.items():
        yield _examine_libraries(group, f"[{extra}]", EXTRAS[extra], stops, name_extra(extra))


def examine_emulator() -> Iterator[Finding]:
    """Yield whether emulated phones are built."""
    try:
        versions = load_emulator().versions
    except ImageQXError as error:
        yield _tell("bench", "emulated phones", error, "bench --target emulated:CPU", "make emulator")
    else:
        detail = ", ".join(f"{name} {versions[name]}" for name in _SHOWN if name in versions)
        yield Finding(group="bench", part="emulated phones", state=State.READY, detail=detail)


def examine_phones() -> Iterator[Finding]:
    """Yield the Android phones that adb sees; nothing where there is no adb, which is a finding of its own."""
    program = shutil.which("adb")
    if program is None:
        return
    lines = [line.split() for line in run_briefly([program, "devices"]).splitlines()]
    phones = [f"{line[0]} ({line[1]})" for line in lines if len(line) == 2]
    detail = ", ".join(phones) or "adb sees none"
    remedy = "switch on USB debugging, plug a phone in, and look at: adb devices"
    yield _report("bench", "attached phones", bool(phones), detail, "bench --target adb:SERIAL", remedy)


def examine_accelerators() -> Iterator[Finding]:
    """Yield what :mod:`imageqx_export.compat` needs."""
    for part, find, stops in (
        ("uv", find_uv, "compat --target qualcomm and ethos-u"),
        ("SwiftShader", find_driver, "compat --target gpu"),
    ):
        try:
            yield Finding(group="accelerators", part=part, state=State.READY, detail=str(find()))
        except ImageQXError as error:
            yield _tell("accelerators", part, error, stops, "make setup")
    if sys.platform != "linux" or platform.machine() != "x86_64":
        remedy = "use Linux on x86-64, for which the makers publish them"
        yield _report(
            "accelerators", "simulators", False, f"{platform.system()} {platform.machine()}", "compat", remedy
        )


def examine_stores() -> Iterator[Finding]:
    """Yield the libraries of addresses where releases may lie, which no extra brings."""
    for library, address in (("s3fs", "s3://"), ("gcsfs", "gs://")):
        stops = f"publish, pull and predict at {address}"
        yield _examine_libraries("release", library, (library,), stops, f"pip install {library}, beside imageqx")


def examine_swift() -> Iterator[Finding]:
    """Yield the Swift compiler that was unpacked in the cache, or this machine's own."""
    built = sorted(find_folder().glob("swift-*/root/usr/libexec/swift/bin/swift"))
    found = str(built[-1]) if built else shutil.which("swift")
    remedy = "make test-ios, which unpacks Debian's in the cache, once"
    yield _report("ios", "swift", found is not None, found or "none in the cache", "make test-ios", remedy)


def examine_root() -> Iterator[Finding]:
    """Yield whether a folder can be entered as a root of its own, as the Swift compiler needs."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    yield _report("ios", "root", root, "" if root else "not root", "make test-ios", "run it as root, for chroot")


def _report(group: str, part: str, ready: bool, detail: str, stops: str, remedy: str) -> Finding:
    """Return a finding that names what it stops, and the remedy, where something is missing."""
    if ready:
        return Finding(group=group, part=part, state=State.READY, detail=detail)
    return Finding(group=group, part=part, state=State.MISSING, detail=detail, stops=stops, remedy=remedy)


def _tell(group: str, part: str, error: ImageQXError, stops: str, remedy: str) -> Finding:
    """Return what an error says of a part that cannot be used."""
    detail = error.what + (f": {error.got}" if error.got else "")
    return _report(group, part, False, detail, stops, error.remedy or remedy)


def _examine_libraries(group: str, part: str, libraries: tuple[str, ...], stops: str, remedy: str) -> Finding:
    lacking = [library for library in libraries if not _is_there(library)]
    detail = f"{', '.join(lacking)} not installed" if lacking else _list_versions(libraries)
    return _report(group, part, not lacking, detail, stops, remedy)


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:  # of a dotted name, whose parent is missing
        return False


def _list_versions(names: tuple[str, ...]) -> str:
    """Return the distributions' versions, as far as they have one of that name."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name.replace('_', '-'))}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
