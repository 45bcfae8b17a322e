"""A phone, for tests, that is a folder: its commands run in this machine's sh, with the folder's ``bin`` as PATH.

``/data/local/tmp`` is a folder in it. Its getprop, dumpsys and cmd replay what real phones say; benchmark_model is a
stand-in.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
TMP = "/data/local/tmp"
TOOLS = (
    "cat",
    "df",
    "dirname",
    "grep",
    "ls",
    "mkdir",
    "nproc",
    "readlink",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "sleep",
    "tail",
    "touch",
    "uname",
)
RECORDED = HERE / "recorded"


class FakePhone:
    """A phone; ``state`` is what ``adb devices`` prints, None when it is unplugged."""

    def __init__(self, folder: Path, serial: str) -> None:
        self.serial = serial
        self.state: str | None = "device"
        self.read_features = "shell_v2,cmd,stat_v2,ls_v2"
        self.room: int | None = None  # bytes that may still be pushed
        self.commands: list[str] = []
        self.before: Callable[[str], object] = lambda command: None
        self.corrupt: Callable[[str, bytes], bytes] = lambda path, data: data
        self.calls: list[socket.socket] = []
        self.tmp, self.bin, self.say = folder / "tmp", folder / "bin", folder / "say"
        for one in (self.tmp, self.bin, self.say):
            one.mkdir(parents=True)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        self._program("getprop", f'grep "^$1=" {self.say}/properties | sed "s/^[^=]*=//"')
        self._program("dumpsys", f'cat {self.say}/$1 2>/dev/null || {{ echo "Can\'t find service: $1" >&2; exit 20; }}')
        self._program(
            "cmd", f'echo "$@" >>{self.say}/cmd.log; [ ! -e {self.say}/cmd ] || {{ cat {self.say}/cmd >&2; exit 255; }}'
        )
        self._program("benchmark_model", f'exec {sys.executable} {HERE / "fake_benchmark_model.py"} {self.say} "$@"')
        for name in ("properties", "thermalservice", "battery"):
            shutil.copy(RECORDED / f"{name}.txt", self.say / name)

    def _program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def give_python(self) -> None:
        """Put this Python, with all it has, on the phone."""
        self._program("python3", f'exec {sys.executable} "$@"')

    @property
    def modes(self) -> list[str]:
        """What was said to ``cmd``."""
        log = self.say / "cmd.log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def folders(self) -> list[str]:
        """What lies in /data/local/tmp."""
        return sorted(one.name for one in self.tmp.iterdir())

    def unplug(self) -> None:
        """Pull the cable: whatever is under way ends, and nobody says so."""
        self.state = None
        for call in self.calls:
            with contextlib.suppress(OSError):
                call.shutdown(socket.SHUT_RDWR)
        self.calls.clear()

    def plug_in(self) -> None:
        """Push the cable back in."""
        self.state = "device"

    def here(self, text: str) -> str:
        """Return a command or a path with the phone's folder for temporary files as it is called here."""
        return text.replace(TMP, str(self.tmp)).replace("../../benchmark_model", "benchmark_model")

    def shell(self, command: str) -> tuple[int, bytes, bytes]:
        """Run a command."""
        self.commands.append(command)
        self.before(command)
        environment = {"PATH": str(self.bin), "HOME": str(self.tmp.parent)}
        done = subprocess.run(
            [str(self.bin / "sh"), "-c", self.here(command)],
            env=environment,
            cwd=self.tmp,
            capture_output=True,
            check=False,
        )
        back = [text.replace(os.fsencode(self.tmp), TMP.encode()) for text in (done.stdout, done.stderr)]
        return done.returncode % 256, back[0], back[1]
