"""Build what runs TensorFlow Lite's library for Android on an ordinary Linux: for a JVM on x86-64, alone on arm64."""

from __future__ import annotations

import platform
import shutil
import zipfile
from ctypes.util import find_library
from pathlib import Path

from android_demo.tools.maven import fetch_one
from android_demo.tools.programs import run_or_raise
from android_demo.tools.steps import run_step
from android_demo.tools.tflite import elf
from imageqx_export.errors import ConversionError, UnavailableError

LIBRARY = "libtensorflowlite_jni.so"
GPU_LIBRARY = "libtensorflowlite_gpu_jni.so"
SHIM = Path(__file__).with_name("bionic_shim.c")
RUNNER = Path(__file__).with_name("run_model.c")
OPENCL = Path(__file__).with_name("opencl_shim.c")
_GRAPHICS = ("libEGL.so", "libGLESv3.so")
"""What the library for GPUs asks for by name beside the others, and finds without a driver."""
_PROVIDED = ("libc.so", "libm.so", "libdl.so", "liblog.so")
"""What the library asks for by name: all of it is in the shim, or in what the shim needs."""
_STRICT = ("-O1", "-Wall", "-Wextra", "-Werror")


def build_native() -> Path:
    """Return a folder for ``java.library.path`` and ``LD_LIBRARY_PATH``: the library for x86-64, and the shim.

    Raises:
        UnavailableError: This machine is no x86-64 Linux, or has no C compiler.
    """
    _require_x86()
    compiler = _find_compiler("gcc", "gcc libc6-dev")
    return run_step(
        "tflite/x86_64",
        _list_inputs(),
        lambda folder: _write_folder(folder, compiler, "x86_64"),
    )


def build_gpu_native() -> Path:
    """Return a folder like :func:`build_native`'s, with the library for GPUs, on Debian's OpenCL for processors.

    Raises:
        UnavailableError: This machine is no x86-64 Linux, or has no C compiler or no OpenCL.
    """
    _require_x86()
    opencl = find_library("OpenCL")
    if opencl is None or not any(Path("/etc/OpenCL/vendors").glob("pocl*.icd")):
        raise UnavailableError(
            "no OpenCL for processors", expected="pocl", remedy="apt install pocl-opencl-icd ocl-icd-libopencl1"
        )
    compiler, aar = _find_compiler("gcc", "gcc libc6-dev"), fetch_one("gpu", "tensorflow-lite-gpu")

    def make(folder: Path) -> None:
        _write_folder(folder, compiler, "x86_64")
        with zipfile.ZipFile(aar) as archive:
            library = archive.read(f"jni/x86_64/{GPU_LIBRARY}")
        (folder / GPU_LIBRARY).write_bytes(elf.adapt_library(library, without=("fileno",)))
        stubs = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in elf.find_names(library, "egl", "gl"))
        source = folder / "no_driver.c"
        source.write_text(stubs, encoding="utf-8")
        _compile(compiler, source, folder / _GRAPHICS[0])
        (folder / _GRAPHICS[1]).symlink_to(_GRAPHICS[0])
        _compile(compiler, OPENCL, folder / "libOpenCL.so", "-Wl,--no-as-needed", f"-l:{opencl}")

    return run_step("tflite/gpu", [*_list_inputs(), aar, OPENCL], make, options=[opencl])


def build_for_arm64() -> Path:
    """Return a folder with the library for arm64, the shim, and ``run_model``, which runs a model file with it.

    Raises:
        UnavailableError: There is no cross compiler.
    """
    compiler = _find_compiler("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")

    def make(folder: Path) -> None:
        _write_folder(folder, compiler, "arm64-v8a")
        _write_runner(folder, compiler)

    return run_step("tflite/arm64", [*_list_inputs(), RUNNER], make, options=[_find_aar().parent.name])


def build_runners() -> list[Path]:
    """Return what ``imageqx compat --runtimes tensorflow-lite`` runs: ``x86_64``, and ``arm64`` where it can be had.

    Each has the library, the shim, ``run_model``, and ``version.txt`` with the AAR's version.

    Raises:
        UnavailableError: This machine is no x86-64 Linux, or has no C compiler.
    """
    native = build_native()
    compiler = _find_compiler("gcc", "gcc libc6-dev")

    def make(folder: Path) -> None:
        shutil.copytree(native, folder, symlinks=True)
        _write_runner(folder, compiler)

    folders = [run_step("tflite/runner", [*_list_inputs(), RUNNER], make, options=[_find_aar().parent.name])]
    try:
        folders.append(build_for_arm64())
    except UnavailableError as error:
        print(f"  no runner for arm64: {error}")
    return folders


def _write_runner(folder: Path, compiler: str) -> None:
    """Compile ``run_model`` against a library in its folder, and say its version beside it.

    It is linked with a copy of the library without the versions of symbols, which glibc would look for.
    """
    linked = folder / f"linked-{LIBRARY}"
    tables = (".gnu.version", ".gnu.version_d", ".gnu.version_r")
    strip = [compiler.removesuffix("gcc") + "objcopy", *(f"--remove-section={table}" for table in tables)]
    run_or_raise([*strip, folder / LIBRARY, linked], ConversionError, "objcopy does not take the library")
    command = [compiler, *_STRICT, RUNNER, linked, "-o", folder / "run_model", "-Wl,--allow-shlib-undefined"]
    run_or_raise(
        [*command, "-Wl,--unresolved-symbols=ignore-in-shared-libs"], ConversionError, "run_model does not compile"
    )
    linked.unlink()
    (folder / "version.txt").write_text(_find_aar().parent.name)


def _write_folder(folder: Path, compiler: str, abi: str) -> None:
    """Write the shim, under each name that the library asks for, and the library."""
    folder.mkdir()
    shim = folder / _PROVIDED[0]
    _compile(compiler, SHIM, shim, "-Wl,--no-as-needed", "-lm", "-ldl", "-lpthread")
    for name in _PROVIDED[1:]:
        (folder / name).symlink_to(shim.name)
    with zipfile.ZipFile(_find_aar()) as archive:
        (folder / LIBRARY).write_bytes(elf.adapt_library(archive.read(f"jni/{abi}/{LIBRARY}")))


def _compile(compiler: str, source: Path, library: Path, *more: str) -> None:
    command = [compiler, "-shared", "-fPIC", *_STRICT, "-fno-builtin", "-o", library, source, *more]
    run_or_raise(command, ConversionError, f"{source.name} does not compile")


def _require_x86() -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise UnavailableError(
            "TensorFlow Lite's library for Android runs on x86-64 Linux alone",
            got=f"{platform.system()} {platform.machine()}",
        )


def _list_inputs() -> list[Path]:
    return [_find_aar(), SHIM, Path(elf.__file__)]


def _find_aar() -> Path:
    return fetch_one("tflite", "tensorflow-lite")


def _find_compiler(name: str, packages: str) -> str:
    compiler = shutil.which(name)
    if compiler is None:
        raise UnavailableError("no C compiler", expected=name, remedy=f"apt install {packages}")
    return compiler
