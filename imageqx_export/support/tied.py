"""Become another program, which ends when the process that started this one does, even by SIGKILL.

``python -I -S tied.py PARENT PROGRAM [ARGUMENT …]``, on Linux. This file stands alone: other environments' Pythons run
it too. The kernel ends the program with the thread that started it, which must therefore wait for it; what the program
starts itself is not tied.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
NOT_FOUND = 127
"""What a shell says of a program that it cannot start."""


def main(argv: list[str]) -> int:
    """Become ``argv[1:]``; return only where that cannot be, or ``argv[0]``, the parent's process id, is not it."""
    parent, *command = argv
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it has died in between
        return 1
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
