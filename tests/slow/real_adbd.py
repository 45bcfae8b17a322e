"""A phone to attach: Debian's real adbd for arm64 under the emulator, and the stock adb client's server beside it.

The phone is a file system of its own: this machine's, with ``/data/local/tmp`` added. Its shell is this machine's, its
getprop, dumpsys and cmd replay what phones print, as adbd brings none, and its Python is the emulator's, for arm64.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imageqx_export.bench.emulator import Emulator
from tests.bench.android.fake_phone import FakePhone

CPU = "cortex-a76"
SERVER_PORT = 15037  # not 5037, where a developer's own server may be
ADBD = "usr/lib/android-sdk/platform-tools/adbd"

# Makes a file system that is this machine's, plus /data/local/tmp, and runs adbd in it.
_ROOT = """set -e
new=$1 storage=$2; shift 2
mount --make-rprivate /
mount -t tmpfs none "$new"
for entry in /*; do
  name=${entry#/}
  if [ -L "$entry" ]; then cp -P "$entry" "$new/$name"
  elif [ "$name" = data ] || [ ! -d "$entry" ]; then :
  else mkdir "$new/$name"; mount --rbind "$entry" "$new/$name"; fi
done
mkdir -p "$new/data/local/tmp"
case "$storage" in
  size=*) mount -t tmpfs -o "$storage" none "$new/data/local/tmp" ;;
  *) mount --bind "$storage" "$new/data/local/tmp" ;;
esac
exec chroot "$new" "$@"
"""


class RealPhone:
    """adbd, on a port.

    Args:
        emulator: What runs it.
        folder: For its programs and its storage.
        port: Where it listens; 5555 is one of those where adb looks for emulators by itself.
        storage: ``"size=8m"`` for a small disk; None keeps files from one start to the next.
    """

    def __init__(self, emulator: Emulator, folder: Path, port: int, storage: str | None = None) -> None:
        self.port, self.serial = port, f"127.0.0.1:{port}"
        self.side = FakePhone(folder, self.serial)  # its programs alone; its server is not started
        self._emulator = emulator
        self._new = folder / "new"
        self._new.mkdir()
        self._storage = storage or str(self.side.tmp)
        self._log = (folder / "adbd.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.python('exec "$@"')

    def python(self, how: str) -> None:
        """Put the emulator's Python on the phone.

        Args:
            how: A script that is given the command line, to run it as it is or otherwise.
        """
        self.side._program("inner", how)
        variables = [f"{name}={value}" for name, value in self._emulator.environment().items()]
        words = [*self._emulator.command(CPU), str(self._emulator.python), "-S"]
        line = " ".join(["env", "-i", *variables, *words])
        self.side._program("python3", f'exec {self.side.bin}/inner {line} "$@"')

    def start(self) -> None:
        """Switch it on, and wait until it listens."""
        environment = {
            "PATH": f"{self.side.bin}:/usr/sbin:/usr/bin:/sbin:/bin",
            "ADBD_PORT": str(self.port),
            "HOME": "/",
        }
        libraries = self._emulator.root / "usr/lib/aarch64-linux-gnu"
        environment["LD_LIBRARY_PATH"] = f"{libraries}/android:{libraries}"
        words = [*self._emulator.command(CPU), str(self._emulator.root / ADBD)]
        self._process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _ROOT, "sh", str(self._new), self._storage, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        end = time.monotonic() + 60
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"adbd does not start: {Path(self._log.name).read_text()}") from None
                time.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Stop, go on with or kill adbd alone; its shells stay."""
        assert self._process is not None
        os.kill(self._process.pid, number)
        if number == signal.SIGKILL:
            self._process.wait()

    def path(self, name: str) -> Path:
        """Return a file of ``/data/local/tmp``, while adbd runs."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root/data/local/tmp") / name

    def files(self) -> list[str]:
        """List ``/data/local/tmp``."""
        return sorted(one.name for one in self.path("").iterdir())

    def job(self) -> Path | None:
        """Return the file with the number of the job that runs now."""
        found = list(self.path("").glob("imageqx-*/jobs/*/pid"))
        return found[0] if found and found[0].read_text().strip() else None

    def stop(self) -> None:
        """Switch it off, if it is on."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)
        self._log.close()


@contextmanager
def adb_server(folder: Path) -> Iterator[None]:
    """Give the stock client a server, and a home for its keys, of their own; end it afterwards."""
    home = folder / "home"
    home.mkdir()
    mine = {
        "ANDROID_ADB_SERVER_PORT": str(SERVER_PORT),
        "HOME": str(home),
        "ADBUTILS_ADB_PATH": client(),
        "TMPDIR": str(folder),  # where the server writes its log
    }
    before = {name: os.environ.get(name) for name in [*mine, "ANDROID_SERIAL"]}
    os.environ.update(mine)
    os.environ.pop("ANDROID_SERIAL", None)
    try:
        adb("start-server")
        yield
    finally:
        adb("kill-server")
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def client() -> str:
    """Return the stock adb client: the one on the path, or else the one of Google's that adbutils brings."""
    from adbutils import adb_path

    return str(adb_path())


def adb(*words: str) -> str:
    """Run the stock client and return what it says."""
    done = subprocess.run([client(), *words], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr


def when(seen: Callable[[], object], then: Callable[[], object]) -> threading.Thread:
    """Do something as soon as something is seen."""

    def wait() -> None:
        end = time.monotonic() + 120
        while not seen() and time.monotonic() < end:
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def ended(process: int) -> bool:
    """Say whether a process has ended, though its parent may not have asked for its exit code."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


class Strict:
    """A phone that asks for a key and accepts none, as one does until somebody taps "Allow".

    Source: docs/dev/protocol.md of Android's packages/modules/adb.

    Args:
        answers: Whether it says anything at all.
    """

    def __init__(self, answers: bool) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answers = answers
        self.serial = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        token, word = os.urandom(20), int.from_bytes(b"AUTH", "little")
        fields = (word, 1, 0, len(token), sum(token), word ^ 0xFFFFFFFF)
        request = b"".join(field.to_bytes(4, "little") for field in fields) + token
        with link, link.makefile("rb") as stream, contextlib.suppress(OSError):
            while header := stream.read(24):
                stream.read(int.from_bytes(header[12:16], "little"))
                offers_key = header[:4] == b"AUTH" and header[4] == 3  # which a person has to allow
                if self._answers and not offers_key:
                    link.sendall(request)

    def close(self) -> None:
        """Take no more calls."""
        self._listener.close()
