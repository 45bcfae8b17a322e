"""The emulated phone as it is used: where its parts lie, and the command that runs a program on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.bench.emulator import qemu, root, wheels
from imageqx_export.bench.emulator.cache import BUILD, Built, find_folder, name_folder, read_part
from imageqx_export.errors import DeviceError, UnknownNameError

# What qemu calls them. SVE is off everywhere: cortex-a53 and a76 have none, and under it an inference takes 50 s.
# SME brings SVE back in. Pointer authentication is off as its cipher would be emulated, and is no part of a kernel.
CPUS = {"cortex-a53": "cortex-a53", "cortex-a76": "cortex-a76", "i8mm": "max,sve=off,sme=off,pauth=off"}
# Where the phone's memory lies in qemu's own: apart from all else, so that it can be told from qemu's.
GUEST_BASE, GUEST_SIZE = 0x1000_0000_0000, 0x10_0000_0000


@dataclass(frozen=True)
class Emulator:
    """The emulator that ``make emulator`` built: where its parts lie.

    Attributes:
        root: The arm64 file system: Python, C and C++ libraries, adbd.
        wheels: The aarch64 runtimes, a folder for ``PYTHONPATH``.
        qemu: The emulator, with plugins.
        insn: The plugin that counts instructions.
        opcodes: The plugin that counts instructions by opcode.
        versions: Of qemu, the runtimes, Python and the C library, by name.
    """

    root: Path
    wheels: Path
    qemu: Path
    insn: Path
    opcodes: Path
    versions: dict[str, str]

    @property
    def python(self) -> Path:
        """The root's Python."""
        return self.root / "usr" / "bin" / f"python{wheels.PYTHON}"

    def command(self, cpu: str, *options: str) -> list[str]:
        """Return the command line that a program of the root, and its arguments, are appended to.

        Args:
            cpu: One of :data:`CPUS`.
            options: More options for qemu, such as ``-plugin``.

        Raises:
            UnknownNameError: There is no such CPU here.
        """
        if cpu not in CPUS:
            raise UnknownNameError("emulated CPU", cpu, CPUS)
        memory = ["-B", hex(GUEST_BASE), "-R", hex(GUEST_SIZE)]
        fixed = ["-cpu", CPUS[cpu], "-L", str(self.root), *memory, "-seed", "1"]
        return [*_find_aslr_switch(), str(self.qemu), *fixed, *options]

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a program on the phone: fixed, so that every run is the same.

        ONNX Runtime's telemetry is on by default since 1.29; its threads run alongside, and disturb the counts.
        """
        return {
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "ORT_DISABLE_TELEMETRY": "1",
            "PATH": "/usr/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(self.wheels),
        }


def list_parts() -> dict[str, dict[str, object]]:
    """Return what each part is made of, by its name."""
    return {"root": root.list_inputs(), "wheels": wheels.list_inputs(), "qemu": qemu.list_inputs()}


def load_emulator() -> Emulator:
    """Return the emulator that ``make emulator`` built for this checkout.

    Raises:
        DeviceError: It was not built, or what it is made of has changed since.
    """
    inputs_by_part = list_parts()
    built = {name: read_part(name, inputs) for name, inputs in inputs_by_part.items()}
    missing = [name for name, record in built.items() if record is None]
    if missing:
        raise DeviceError(
            "the emulator is not built", where=find_folder(), got="without " + ", ".join(missing), remedy=BUILD
        )
    return _assemble(inputs_by_part, {name: record for name, record in built.items() if record is not None})


def _assemble(inputs_by_part: dict[str, dict[str, object]], built: dict[str, Built]) -> Emulator:
    where = {name: name_folder(name, inputs) for name, inputs in inputs_by_part.items()}
    system = built["root"].versions
    names = {"qemu": built["qemu"].versions["qemu"], "libc6": system["libc6"], "python": system["python3.13-minimal"]}
    return Emulator(
        root=where["root"] / "root",
        wheels=where["wheels"] / "site",
        qemu=where["qemu"] / "bin" / "qemu-aarch64",
        insn=where["qemu"] / "lib" / "libinsn.so",
        opcodes=where["qemu"] / "lib" / "libopcodes.so",
        versions={**built["wheels"].versions, **names},
    )


def _find_aslr_switch() -> tuple[str, ...]:
    """Return what switches off the randomisation of addresses, where it may be; counts repeat better without it."""
    setarch = shutil.which("setarch")
    command = (str(setarch), os.uname().machine, "-R")
    if setarch is None or subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        return ()
    return command
