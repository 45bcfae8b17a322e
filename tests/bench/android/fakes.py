"""An adb server for phones that are folders: the host protocol, shell protocol 2 and sync over a real socket."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imageqx_export.bench.android.discovery import reach_server
from imageqx_export.bench.android.phone import Clock, Limits, Phone
from tests.bench.android.fake_phone import FakePhone


class _Handler(socketserver.BaseRequestHandler):
    server: FakeServer

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the phone was unplugged, or the client has left
            self._answer(self._read_text())

    def _answer(self, asked: str) -> None:
        phones = self.server.phones
        if asked == "host:version":
            self._okay(self._text("0029"))
        elif asked == "host:devices":
            rows = [f"{phone.serial}\t{phone.state}\n" for phone in phones if phone.state]
            self._okay(self._text("".join(rows)))
        elif asked.startswith("host:connect:"):
            self.server.called.append(asked.removeprefix("host:connect:"))
            self._okay(self._text("already connected"))
        elif asked.startswith("host:transport:"):
            self._transport(asked.removeprefix("host:transport:"))
        elif asked.startswith("host-serial:") and asked.endswith(":features"):
            phone = self._find(asked.removeprefix("host-serial:").removesuffix(":features"))
            if phone is not None:
                self._okay(self._text(phone.read_features))
        else:
            self._fail(f"unknown request {asked}")

    def _transport(self, serial: str) -> None:
        phone = self._find(serial)
        if phone is None:
            return
        self._okay(b"")
        phone.calls.append(self.request)
        service = self._read_text()
        if service.startswith("shell,v2,raw:"):
            self._okay(b"")
            code, out, err = phone.shell(service.removeprefix("shell,v2,raw:"))
            for kind, data in ((1, out), (2, err), (3, bytes([code]))):
                if data:
                    self.request.sendall(bytes([kind]) + struct.pack("<I", len(data)) + data)
        elif service == "sync:":
            self._okay(b"")
            self._sync(phone)
        else:
            self._fail("closed")

    def _sync(self, phone: FakePhone) -> None:
        word, name = self._packet()
        if word == b"RECV":
            path = Path(phone.here(name.decode()))
            if not path.exists():
                self._refuse("open failed: No such file or directory")
                return
            data = phone.corrupt(name.decode(), path.read_bytes())
            for start in range(0, len(data), 65536):
                part = data[start : start + 65536]
                self.request.sendall(b"DATA" + struct.pack("<I", len(part)) + part)
            self.request.sendall(b"DONE" + struct.pack("<I", 0))
            return
        assert word == b"SEND"
        path, mode = Path(phone.here(name.decode().rsplit(",", 1)[0])), int(name.decode().rsplit(",", 1)[1])
        parts = []
        while (packet := self._packet())[0] == b"DATA":
            parts.append(packet[1])
        data = b"".join(parts)
        phone.before(f"push {name.decode()}")
        if phone.room is not None and len(data) > phone.room:
            self._refuse("couldn't write to file: No space left on device")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(phone.corrupt(f"push {name.decode()}", data))
        path.chmod(mode & 0o777)
        self.request.sendall(b"OKAY" + struct.pack("<I", 0))

    def _refuse(self, reason: str) -> None:
        self.request.sendall(b"FAIL" + struct.pack("<I", len(reason)) + reason.encode())

    def _packet(self) -> tuple[bytes, bytes]:
        head = self._read(8)
        size = int(struct.unpack("<I", head[4:])[0])
        return head[:4], b"" if head[:4] == b"DONE" else self._read(size)

    def _find(self, serial: str) -> FakePhone | None:
        for phone in self.server.phones:
            if phone.serial == serial and phone.state == "device":
                return phone
        self._fail(f"device '{serial}' not found")
        return None

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                raise ConnectionError("the client has left")
            data += part
        return data

    def _read_text(self) -> str:
        return self._read(int(self._read(4), 16)).decode()

    @staticmethod
    def _text(text: str) -> bytes:
        return f"{len(text.encode()):04x}{text}".encode()

    def _okay(self, rest: bytes) -> None:
        self.request.sendall(b"OKAY" + rest)

    def _fail(self, reason: str) -> None:
        self.request.sendall(b"FAIL" + self._text(reason))


class FakeServer(socketserver.ThreadingTCPServer):
    """An adb server, on a port of its own."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.phones: list[FakePhone] = []
        self.called: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@dataclass
class Time:
    """A clock that only moves when somebody waits; ``events`` happen at their second."""

    now: float = 1000.0
    events: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let time pass, and what was planned happen."""
        self.now += seconds
        due = [event for event in self.events if event[0] <= self.now]
        self.events = [event for event in self.events if event[0] > self.now]
        for _, happen in due:
            happen()

    def after(self, seconds: float, happen: Callable[[], object]) -> None:
        """Plan something."""
        self.events.append((self.now + seconds, happen))

    @property
    def clock(self) -> Clock:
        """What the code under test waits by."""
        return Clock(now=lambda: self.now, sleep=self.sleep)


@dataclass
class World:
    """An adb server that this process finds, one phone, and a clock."""

    server: FakeServer
    phone: FakePhone
    time: Time
    limits: Limits

    def attach(self) -> Phone:
        """Talk to the phone."""
        return Phone(reach_server(self.limits.answer), self.phone.serial, self.limits, self.time.clock)


@contextlib.contextmanager
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Make a World in ``folder``."""
    server = FakeServer()
    phone = FakePhone(folder / "phone", "0A1B2C3D")
    server.phones.append(phone)
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    try:
        yield World(server, phone, Time(), Limits(answer=5, reconnect=60, cool_down=600, clean_up=20, poll=10))
    finally:
        server.shutdown()
        server.server_close()
