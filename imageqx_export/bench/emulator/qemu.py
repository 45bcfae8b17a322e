"""Build qemu's user-mode emulator of arm64, with its plugins, from Debian's source package.

Debian's own binary has no plugins, and without them nothing counts instructions. What the build needs and the machine
lacks (glib's headers, ninja, …) is taken from packages of the machine's own distribution, unpacked into the build
folder; only a C compiler must be there. meson comes from Debian, as the source package leaves its copy out.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.bench.emulator.apt import Apt, unpack
from imageqx_export.bench.emulator.cache import Contents
from imageqx_export.errors import DeviceError
from imageqx_export.support.files import digest
from imageqx_export.support.processes import tie_to_parent
from imageqx_export.support.progress import Progress, silent

OPCODES = Path(__file__).with_name("opcodes.c")
OPTIONS = (
    "--target-list=aarch64-linux-user",
    "--enable-plugins",
    "--without-default-features",
    "--disable-install-blobs",
    "--disable-docs",
    "--disable-download",
    "--disable-debug-info",
)
# RPATH and not RUNPATH: it holds for what glib itself needs, too. Relative, so that the cache may be moved.
_LINK = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib"
_TOOLS = {"ninja": "ninja-build", "pkg-config": "pkg-config"}
_LIBRARIES = {"glib-2.0": "libglib2.0-dev", "gmodule-no-export-2.0": "libglib2.0-dev", "zlib": "zlib1g-dev"}
_LINKED = re.compile(r"(?m)^\s*(?P<name>\S+) => (?P<path>/\S+)")
_STEP = re.compile(rb"^\[(\d+)/(\d+)\]")


def list_inputs() -> dict[str, object]:
    """Say what qemu shall be."""
    return {"options": list(OPTIONS), "link": _LINK, "opcodes.c": digest(OPCODES), "machine": os.uname().machine}


@dataclass(frozen=True)
class Tools:
    """The tools that the build runs with.

    Attributes:
        environment: Of every command.
        root: Where packages were unpacked.
        downloads: Their files.
    """

    environment: dict[str, str]
    root: Path
    downloads: tuple[Path, ...]


def make_qemu(folder: Path, debian: Apt, progress: Progress = silent) -> Contents:
    """Fill ``folder`` with ``bin/qemu-aarch64`` and the plugins in ``lib/``.

    Args:
        folder: Where to; the build itself goes below it and is deleted.
        debian: apt with Debian's source packages.
        progress: Shows the build's steps.

    Raises:
        DeviceError: There is no C compiler, or the build failed; the message ends with its last lines.
    """
    compiler = _find_compiler()
    work = folder / "build"
    work.mkdir()
    files = debian.fetch_source("qemu")
    meson = debian.fetch(["meson"])
    tools = _gather_tools(work, [file for file in meson if file.name.startswith("meson_")])
    source = _unpack_source(files, work / "source")
    products = _build(source, work / "out", tools, progress)
    (folder / "bin").mkdir()
    (folder / "lib").mkdir()
    shutil.copy2(products / "qemu-aarch64", folder / "bin")
    shutil.copy2(products / "tests" / "tcg" / "plugins" / "libinsn.so", folder / "lib")
    _compile_opcodes(compiler, source, tools, folder / "lib" / "libopcodes.so")
    _copy_libraries(folder / "bin" / "qemu-aarch64", tools, folder / "lib")
    downloads = {file.name: digest(file) for file in (*files, *tools.downloads)}
    shutil.rmtree(work)
    return downloads, {"qemu": _read_version(folder / "bin" / "qemu-aarch64")}


def _read_version(binary: Path) -> str:
    """Run the emulator as it will be run, and read its version, such as ``"10.0.2"``."""
    text = _run([str(binary), "--version"], dict(os.environ)).decode()
    match = re.search(r"version (\S+)", text)
    if match is None:
        raise DeviceError("qemu does not say its version", where=binary, got=text.strip()[:200])
    return match[1]


def _find_compiler() -> str:
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        raise DeviceError("no C compiler, which qemu is built with", remedy="apt install gcc libc6-dev")
    return found


def _gather_tools(work: Path, meson: Sequence[Path]) -> Tools:
    """Find what the build needs, and unpack what the machine lacks."""
    root = work / "tools"
    unpack(meson, root)
    environment = {**os.environ, "LC_ALL": "C", "PYTHONPATH": str(root / "usr/lib/python3/dist-packages")}
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    missing += [package for library, package in _LIBRARIES.items() if not _has(library)]
    if not missing:
        return Tools(environment, root, tuple(meson))
    own = Apt(work / "apt")
    own.update(strict=False)
    try:
        debs = own.fetch(sorted(set(missing)))
    except DeviceError as error:
        raise DeviceError(
            "the build of qemu lacks packages", got=error.got, remedy="apt install " + " ".join(sorted(set(missing)))
        ) from error
    unpack(debs, root)
    triplet = _run([_find_compiler(), "-print-multiarch"], environment).decode().strip()
    libraries = root / "usr" / "lib" / triplet
    _mend_links(libraries, triplet)
    pkgconfig = (libraries / "pkgconfig", root / "usr/lib/pkgconfig", root / "usr/share/pkgconfig")
    environment |= {
        "PATH": f"{root / 'usr/bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": str(libraries),  # for the unpacked tools themselves
        "PKG_CONFIG_PATH": os.pathsep.join(map(str, pkgconfig)),
        "PKG_CONFIG_SYSROOT_DIR": str(root),
    }
    return Tools(environment, root, (*meson, *debs))


def _has(library: str) -> bool:
    tool = shutil.which("pkg-config")
    if tool is None:
        return False
    return subprocess.run([tool, "--exists", library], capture_output=True).returncode == 0


def _mend_links(libraries: Path, triplet: str) -> None:
    # A -dev package links to its library, which is not in the folder where the machine has it already.
    for link in libraries.glob("*.so"):
        if link.is_symlink() and not link.exists():
            target = Path("/usr/lib") / triplet / link.readlink().name
            link.unlink()
            link.symlink_to(target)


def _unpack_source(files: Sequence[Path], folder: Path) -> Path:
    archive = next(file for file in files if file.name.endswith(".orig.tar.xz"))
    folder.mkdir()
    # roms/ is firmware of whole machines, half of the archive. Python's xz, as the program xz may be missing.
    command = ["tar", "--extract", "--strip-components=1", "--exclude=*/roms", f"--directory={folder}"]
    with lzma.open(archive) as data, subprocess.Popen(command, stdin=subprocess.PIPE) as tar:
        assert tar.stdin is not None
        shutil.copyfileobj(data, tar.stdin, 1 << 20)
        tar.stdin.close()
    if tar.returncode != 0:
        raise DeviceError("tar cannot unpack qemu's source", where=archive.name)
    dependencies = folder / "pythondeps.toml"  # pycotap is for qemu's own tests; Debian's patch drops it too
    dependencies.write_text(re.sub(r"(?m)^pycotap\b.*\n", "", dependencies.read_text()))
    return folder


def _build(source: Path, out: Path, tools: Tools, progress: Progress) -> Path:
    out.mkdir()
    with progress("configure qemu", 1) as advance:
        _run(
            [str(source / "configure"), f"--python={sys.executable}", f"--extra-ldflags={_LINK}", *OPTIONS],
            tools.environment,
            out,
        )
        advance()
    targets = ["qemu-aarch64", "tests/tcg/plugins/libinsn.so"]
    with subprocess.Popen(
        tie_to_parent(["ninja", "-j", str(len(os.sched_getaffinity(0))), *targets]),
        cwd=out,
        env=tools.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as ninja:
        assert ninja.stdout is not None
        last: list[bytes] = []
        total = next((int(m[2]) for line in ninja.stdout if (m := _STEP.match(line))), 0)
        with progress("build qemu", total) as advance:
            advance()
            for line in ninja.stdout:
                last = [*last[-14:], line]
                if _STEP.match(line):
                    advance()
    if ninja.returncode != 0:
        raise DeviceError("qemu does not build", where=source, got=b"".join(last).decode(errors="replace").strip())
    return out


def _compile_opcodes(compiler: str, source: Path, tools: Tools, target: Path) -> None:
    flags = _run(["pkg-config", "--cflags", "glib-2.0"], tools.environment).decode().split()
    includes = ["-I", str(source / "include" / "qemu")]
    _run(
        [compiler, "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", *includes, *flags, "-o", str(target), str(OPCODES)],
        tools.environment,
    )


def _copy_libraries(binary: Path, tools: Tools, target: Path) -> None:
    """Copy the unpacked libraries that ``binary`` needs, so that it runs without them being installed."""
    for match in _LINKED.finditer(_run(["ldd", str(binary)], tools.environment).decode()):
        if Path(match["path"]).is_relative_to(tools.root):
            shutil.copy2(match["path"], target / match["name"])


def _run(command: list[str], environment: dict[str, str], folder: Path | None = None) -> bytes:
    result = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode != 0:
        lines = result.stdout.decode(errors="replace").strip().splitlines()
        raise DeviceError(f"{Path(command[0]).name} failed", got="\n".join(lines[-12:]), remedy="run it again")
    return result.stdout
