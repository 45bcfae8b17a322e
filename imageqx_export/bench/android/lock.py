"""See that what was changed on a phone is put back: one run a phone, and signals that do not cut the end short."""

from __future__ import annotations

import hashlib
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imageqx_export.errors import DeviceError

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def lock_phone(serial: str) -> Iterator[None]:
    """Keep other runs on this computer off the phone.

    Raises:
        DeviceError: Another run uses it.
    """
    from filelock import FileLock, Timeout

    name = hashlib.sha256(serial.encode()).hexdigest()[:16]  # serials of phones on a network have colons
    lock = FileLock(Path(tempfile.gettempdir()) / f"imageqx-adb-{name}.lock", mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DeviceError(
            "another run uses the phone",
            where=f"adb:{serial}",
            expected="one run at a time, as two disturb each other",
            remedy="wait for it to end, and run it again",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Ignore Ctrl-C and its like, for a block that does not last long."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
