"""Tell from a program's own header what processor it is for."""

from __future__ import annotations

import struct
from pathlib import Path

from imageqx_export.errors import DeviceError

_MACHINES = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86", 243: "riscv64"}  # e_machine of elf.h


def read_abi(binary: Path) -> str:
    """Return the ABI that a program was built for, in Android's words.

    Raises:
        DeviceError: There is no such file, or it is not a program for a phone.
    """
    try:
        with binary.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise DeviceError(
            "benchmark_model cannot be read", where=binary, got=error.strerror, remedy="give the path of the program"
        ) from error
    machine = struct.unpack("<H", head[18:20])[0] if len(head) == 20 else None
    if head[:4] != b"\x7fELF" or machine not in _MACHINES:
        raise DeviceError(
            "benchmark_model is not a program for a phone",
            where=binary,
            expected="an ELF file for Android",
            got=f"a file that begins with {head[:4]!r}" if head[:4] != b"\x7fELF" else f"ELF machine {machine}",
            remedy="build //tflite/tools/benchmark:benchmark_model of LiteRT with --config=android_arm64",
        )
    return _MACHINES[machine]
