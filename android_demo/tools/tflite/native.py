"""Build the folder that a JVM on Linux loads TensorFlow Lite's library for Android from."""

from __future__ import annotations

import platform
import shutil
import zipfile
from pathlib import Path

from android_demo.tools.maven import fetch_one
from android_demo.tools.programs import run_or_raise
from android_demo.tools.steps import run_step
from android_demo.tools.tflite import elf
from imageqx_export.errors import ConversionError, UnavailableError

LIBRARY = "libtensorflowlite_jni.so"
SHIM = Path(__file__).with_name("bionic_shim.c")
_PROVIDED = ("libc.so", "libm.so", "libdl.so", "liblog.so")
"""What the library asks for by name: all of it is in the shim, or in what the shim needs."""


def build_native() -> Path:
    """Return a folder for ``java.library.path`` and ``LD_LIBRARY_PATH``.

    Raises:
        UnavailableError: This machine is no x86-64 Linux, or has no C compiler.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise UnavailableError(
            "TensorFlow Lite's library for Android runs on x86-64 Linux alone",
            got=f"{platform.system()} {platform.machine()}",
        )
    compiler = shutil.which("gcc")
    if compiler is None:
        raise UnavailableError("no C compiler for the shim", remedy="apt install gcc libc6-dev")
    aar = fetch_one("tflite", "tensorflow-lite")

    def make(folder: Path) -> None:
        folder.mkdir()
        shim = folder / _PROVIDED[0]
        command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", shim, SHIM]
        run_or_raise(
            [*command, "-Wl,--no-as-needed", "-lm", "-ldl", "-lpthread"], ConversionError, "the shim does not compile"
        )
        for name in _PROVIDED[1:]:
            (folder / name).symlink_to(shim.name)
        with zipfile.ZipFile(aar) as archive:
            (folder / LIBRARY).write_bytes(elf.adapt_library(archive.read(f"jni/x86_64/{LIBRARY}")))

    return run_step("tflite/x86_64", [aar, SHIM, Path(elf.__file__)], make)
