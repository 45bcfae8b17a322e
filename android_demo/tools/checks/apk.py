"""Look into a finished APK: what it asks for, what is in it, how it lies there, who signed it, how large it is."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from android_demo.tools.apk import ABI, build_apk
from android_demo.tools.debian import find_build_tools
from android_demo.tools.model import find_artifact, is_proved_on_gpu
from android_demo.tools.resources import PACKAGE, read_catalogue
from android_demo.tools.tflite.native import GPU_LIBRARY, LIBRARY
from imageqx_export.artifact import Artifact, Precision
from imageqx_export.budgets.limits import read_budgets, size_limit
from imageqx_export.errors import ConversionError

PERMISSIONS = frozenset({"android.permission.CAMERA"})
"""All that the app may ask for: no INTERNET, so that nothing leaves the phone."""

CLASSES = ("MainActivity", "DemoApplication", "bench/BenchService", "bench/RunProvider", "view/PhotoView")
"""What Android finds by name, in the manifest or in a layout."""

LANGUAGES = ("da", "es")
PAGE = 4096


def test_apks(folder: Path) -> None:
    """Build an APK of each precision of an export, hold it to all of this, and see that broken ones are found.

    Raises:
        ConversionError: One is not right, or a broken one passes.
    """
    for precision in Precision:
        artifact, apk = find_artifact(folder, precision), build_apk(folder, precision)
        faults = [*find_faults(apk, artifact)]
        if faults:
            raise ConversionError("the APK is not right", where=apk, got="; ".join(faults))
        pages = ", ".join(f"{Path(name).name}: {size:,}" for name, size in list_page_sizes(apk).items())
        print(f"  {apk.name}: {apk.stat().st_size:,} bytes, signed, aligned; pages of {pages}")
    _break(apk, artifact)


def _break(apk: Path, artifact: Artifact) -> None:
    """Break an APK in each way that the checks are for, and see that they say so."""
    with TemporaryDirectory() as temporary:
        for name, (change, marker) in _BROKEN.items():
            broken = Path(temporary) / apk.name
            change(apk, broken)
            faults = [*find_faults(broken, artifact)]
            if not any(marker in fault for fault in faults):
                raise ConversionError("a broken APK passes", where=name, expected=marker, got="; ".join(faults))
    swapped = artifact.model_copy(update={"sha256": "0" * 64})
    if not any("not the exported one" in fault for fault in find_faults(apk, swapped)):
        raise ConversionError("another model passes", where=apk)
    others = [*_check_badging(_BADGING)]
    if not any("android.permission.INTERNET" in fault for fault in others):
        raise ConversionError("an app that may reach the network passes", got="; ".join(others))
    print(f"  {len(_BROKEN) + 2} broken ones are found")


def _flip(apk: Path, broken: Path) -> None:
    """Change one byte in the middle, which the signature covers."""
    data = bytearray(apk.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)


def _repack(apk: Path, broken: Path, kind: Mapping[str, int] = {}, leave_out: str = "", more: int = 0) -> None:
    """Write the entries anew, as a plain zip: unaligned, unsigned."""
    with zipfile.ZipFile(apk) as old, zipfile.ZipFile(broken, "w") as new:
        new.writestr("a", bytes(1 + more))
        for entry in old.infolist():
            if not (leave_out and entry.filename.endswith(leave_out)):
                ending = Path(entry.filename).suffix
                new.writestr(entry.filename, old.read(entry), kind.get(ending, entry.compress_type))


_BROKEN: Mapping[str, tuple[Callable[[Path, Path], None], str]] = {
    "a changed byte": (_flip, "apksigner"),
    "no signature": (_repack, "apksigner"),
    "not aligned": (_repack, "zipalign"),
    "a library that is not on a page": (_repack, "cannot be mapped where it lies"),
    "a compressed model": (lambda a, b: _repack(a, b, {".tflite": zipfile.ZIP_DEFLATED}), "is compressed"),
    "no model": (lambda a, b: _repack(a, b, leave_out=".tflite"), "is not in it"),
    "no library": (lambda a, b: _repack(a, b, leave_out=".so"), f"no library for {ABI}"),
    "no library for GPUs": (lambda a, b: _repack(a, b, leave_out=GPU_LIBRARY), "the manifest says otherwise of GPUs"),
    "no code": (lambda a, b: _repack(a, b, leave_out=".dex"), "MainActivity is not in classes.dex"),
    "too large": (lambda a, b: _repack(a, b, more=30_000_000), "bytes >"),
}
"""Per way of breaking an APK, what does it, and what must be said."""

_BADGING = "package: name='org.imageqx.demo'\nuses-permission: name='android.permission.INTERNET'\n"


def find_faults(apk: Path, artifact: Artifact) -> Iterator[str]:
    """List what is wrong with an APK, in clauses."""
    yield from _check_badging(find_build_tools().run("aapt2", "dump", "badging", apk))
    yield from _check_entries(apk, artifact)
    verify = ("verify", "--min-sdk-version", read_catalogue()["min-sdk"])
    for program, arguments in (("apksigner", verify), ("zipalign", ("-c", "-p", "4"))):
        try:
            find_build_tools().run(program, *arguments, apk)
        except ConversionError as error:
            yield f"{program}: {(error.got or '').partition(chr(10))[0]}"
    limit = size_limit(apk.name, read_budgets().size_bytes)
    size = apk.stat().st_size
    if limit is None:
        yield "no budget of its size"
    elif size > limit:
        yield f"{size:,} bytes > {limit:,}"


def _check_badging(text: str) -> Iterator[str]:
    versions = read_catalogue()
    for wanted in (
        f"package: name='{PACKAGE}'",
        f"sdkVersion:'{versions['min-sdk']}'",
        f"targetSdkVersion:'{versions['target-sdk']}'",
        f"launchable-activity: name='{PACKAGE}.MainActivity'",
        *(f"application-label-{language}:" for language in LANGUAGES),
    ):
        if wanted not in text:
            yield f"badging lacks {wanted}"
    asked = set(re.findall(r"uses-permission[^:]*: name='([^']+)'", text))
    if asked != PERMISSIONS:
        yield f"it asks for {', '.join(sorted(asked)) or 'nothing'}"
    if "application-debuggable" in text:
        yield "it is debuggable"


def _check_entries(apk: Path, artifact: Artifact) -> Iterator[str]:
    with zipfile.ZipFile(apk) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        model = entries.get(f"assets/imageqx/{artifact.path}")
        if model is None:
            yield f"{artifact.path} is not in it"
        else:
            if model.compress_type != zipfile.ZIP_STORED:
                yield f"{artifact.path} is compressed: it cannot be mapped"
            if _digest(archive, model) != artifact.sha256:
                yield f"{artifact.path} is not the exported one"
        if models := [name for name in entries if name.endswith((".tflite", ".onnx"))][1:]:
            yield f"more than one model: {', '.join(models)}"
        for name, entry in entries.items():
            if name.endswith(".so") and (entry.compress_type != zipfile.ZIP_STORED or _find_data(apk, entry) % PAGE):
                yield f"{name} cannot be mapped where it lies"
        if f"lib/{ABI}/{LIBRARY}" not in entries:
            yield f"no library for {ABI}"
        for name in (f"lib/{ABI}/{GPU_LIBRARY}", "assets/imageqx/golden/self_test.json"):
            if (name in entries) != is_proved_on_gpu(artifact):
                yield f"{name} is {'' if name in entries else 'not '}in it, and the manifest says otherwise of GPUs"
        dex = archive.read("classes.dex") if "classes.dex" in entries else b""
    for name in CLASSES:
        if f"L{PACKAGE.replace('.', '/')}/{name};".encode() not in dex:
            yield f"{name} is not in classes.dex"
    if b"Lai/onnxruntime/" in dex:
        yield "classes.dex holds ONNX Runtime's classes"


def _digest(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    """Return an entry's SHA-256; nothing where its own checksum does not fit it."""
    try:
        return sha256(archive.read(entry)).hexdigest()
    except zipfile.BadZipFile:
        return ""


def _find_data(apk: Path, entry: zipfile.ZipInfo) -> int:
    """Return where an entry's bytes begin in the file."""
    with apk.open("rb") as file:
        file.seek(entry.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    return int(entry.header_offset + 30 + name + extra)


def list_page_sizes(apk: Path) -> dict[str, int]:
    """Return the largest page that each native library can be mapped with, in bytes.

    From 16,384 on, it loads on phones with pages of 16 kB.
    """
    with zipfile.ZipFile(apk) as archive:
        return {name: _read_alignment(archive.read(name)) for name in archive.namelist() if name.endswith(".so")}


def _read_alignment(elf: bytes) -> int:
    """Return the least alignment of a 64-bit ELF file's segments that are loaded."""
    (table,) = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    found: list[int] = []
    for number in range(count):
        (kind,) = struct.unpack_from("<I", elf, table + number * size)
        if kind == 1:  # PT_LOAD
            found.append(struct.unpack_from("<Q", elf, table + number * size + 0x30)[0])
    return min(found)
