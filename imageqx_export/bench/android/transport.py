"""Speak adb's services over adbutils' connections: a shell with exit codes, and files to and from the phone.

adbutils has them too, but leaks the connection when a phone is gone, waits 600 seconds where no time-out can be given,
moves files without one, sends them with ``socket.send``, which may write half of a chunk as soon as there is one, and
reports a full phone as "FAIL" without its reason.

Source: docs/dev/sync.md, file_sync_protocol.h and shell_protocol.h of Android's packages/modules/adb.
"""

from __future__ import annotations

import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from adbutils import AdbClient, AdbConnection

STDOUT, STDERR, EXIT = 1, 2, 3  # ShellProtocol::Id

CHUNK = 64 * 1024  # the protocol's largest


class RefusedError(Exception):
    """A file that the phone does not take or give, in the phone's own words."""


@contextmanager
def open_service(client: AdbClient, serial: str, service: str, timeout: float) -> Iterator[AdbConnection]:
    """Open a service of a phone.

    Args:
        client: Of a server that runs.
        serial: The phone.
        service: Such as ``"sync:"``.
        timeout: Seconds for each answer.

    Raises:
        adbutils.AdbError: The phone, or the service, is not there; adb's other errors are OSError and EOFError.
    """
    with client.make_connection(timeout=timeout) as link:
        for request in (f"host:transport:{serial}", service):
            link.send_command(request)
            link.check_okay()
        yield link


def run_shell(client: AdbClient, serial: str, line: str, limit: float) -> tuple[int, bytes, bytes]:
    """Run a line in the phone's sh, over shell protocol 2.

    Args:
        client: Of a server that runs.
        serial: The phone.
        line: The command.
        limit: Seconds until its end.

    Returns:
        Its exit code, its standard output and its standard error.

    Raises:
        TimeoutError: It took longer; or adbutils.errors.AdbTimeout.
        adbutils.AdbError: As :func:`open_service`; EOFError: the phone went away before the exit code.
    """
    end = time.monotonic() + limit
    streams = {STDOUT: bytearray(), STDERR: bytearray()}
    with open_service(client, serial, f"shell,v2,raw:{line}", limit) as link:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no end within {limit:g} s")
            link.conn.settimeout(left)
            kind, size = struct.unpack("<BI", link.read_exact(5))
            data = link.read_exact(size)
            if kind == EXIT:
                if not data:
                    raise EOFError("the phone said that the command has ended, without an exit code")
                return data[0], bytes(streams[STDOUT]), bytes(streams[STDERR])
            if kind in streams:
                streams[kind] += data


def send(link: AdbConnection, source: BinaryIO, remote: str, mode: int) -> None:
    """Write ``source`` on the phone; folders above it are made.

    Args:
        link: A fresh ``sync:`` connection, with a time-out.
        source: Read to its end.
        remote: An absolute path.
        mode: Permissions, such as 0o755.

    Raises:
        RefusedError: The phone does not take it; its disk may be full.
    """
    name = f"{remote},{stat.S_IFREG | mode}".encode()
    try:
        link.conn.sendall(_pack(b"SEND", len(name)) + name)
        while chunk := source.read(CHUNK):
            link.conn.sendall(_pack(b"DATA", len(chunk)) + chunk)
        link.conn.sendall(_pack(b"DONE", int(time.time())))
    except ConnectionError:
        pass  # a phone that refuses may hang up before the end; what it said can still be read
    word, size = _read_header(link)
    if word != b"OKAY":
        raise RefusedError(link.read_exact(size).decode(errors="replace"))


def receive(link: AdbConnection, remote: str) -> bytes:
    """Read a file of the phone.

    Raises:
        RefusedError: There is none, or it cannot be read.
    """
    name = remote.encode()
    link.conn.sendall(_pack(b"RECV", len(name)) + name)
    parts: list[bytes] = []
    while True:
        word, size = _read_header(link)
        if word == b"DONE":
            return b"".join(parts)
        data = link.read_exact(size)
        if word != b"DATA":
            raise RefusedError(data.decode(errors="replace"))
        parts.append(data)


def _pack(word: bytes, number: int) -> bytes:
    return word + struct.pack("<I", number)


def _read_header(link: AdbConnection) -> tuple[bytes, int]:
    raw = link.read_exact(8)
    return raw[:4], int(struct.unpack("<I", raw[4:])[0])
