"""Run a command in a network of its own: ``python tests/slow/apart.py COMMAND …``.

Debian's adbd listens on all addresses and lets everybody in, so it must not be reached from outside. As root, or where
the kernel lets users make namespaces, the command runs under ``unshare``; elsewhere it runs as it is, and the tests
that need to be apart see that they are not, and are skipped.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

COMMANDS = (["unshare", "--net", "--mount"], ["unshare", "--map-root-user", "--net", "--mount"])
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h


def apart() -> bool:
    """Say whether no address but this machine's own can be reached from here: the network has no route."""
    table = Path("/proc/self/net/route")
    return table.exists() and len(table.read_text().splitlines()) <= 1


def loopback_up() -> None:
    """Switch on ``lo``, which is off in a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def main(words: list[str]) -> None:
    if words[:1] == ["--inside"]:
        loopback_up()
        os.execvp(words[1], words[1:])
    for command in COMMANDS:
        try:
            able = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        except OSError:
            able = False
        if able:
            os.execvp(command[0], [*command, sys.executable, __file__, "--inside", *words])
    print("no network namespace can be made here (root, or user namespaces, are needed)", file=sys.stderr)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(sys.argv[1:])
