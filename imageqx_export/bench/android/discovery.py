"""Reach the adb server and pick the phone: one that can be used, and no other by accident."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imageqx_export.errors import DeviceError

if TYPE_CHECKING:
    from adbutils import AdbClient

USABLE = "device"
START_SECONDS = 30

# What a person can do about each state that `adb devices` prints (adb's ConnectionStateName).
_REMEDIES = {
    "unauthorized": "unlock the phone and allow USB debugging for this computer; if it does not ask: adb kill-server",
    "authorizing": "unlock the phone, allow USB debugging for this computer, and run it again",
    "offline": "unplug the phone and plug it in again, or: adb reconnect offline",
    "connecting": "wait a moment and run it again",
    "no permissions": "let your user open USB devices: on Debian and Ubuntu, "
    "apt install android-sdk-platform-tools-common",
    "bootloader": "start the phone normally: fastboot reboot",
    "recovery": "start the phone normally: adb reboot",
    "rescue": "start the phone normally: adb reboot",
    "sideload": "start the phone normally: adb reboot",
}
_NONE_REMEDY = "switch on USB debugging (Settings, Developer options), plug the phone in, and look at: adb devices"


def reach_server(timeout: float) -> AdbClient:
    """Return a client of the adb server at ``ANDROID_ADB_SERVER_PORT`` (5037), which is started if none runs.

    Args:
        timeout: Seconds for each answer.

    Raises:
        DeviceError: adb is missing, or its server does not start.
    """
    from adbutils import AdbClient, AdbError, adb_path

    client = AdbClient(socket_timeout=timeout)
    if not _listens(client):
        # adbutils would start it too, but with adb's chatter on our standard output, where --json goes.
        try:
            subprocess.run(
                [adb_path(), "-P", str(client.port), "start-server"],
                capture_output=True,
                timeout=START_SECONDS,
                check=True,
            )
        except (AdbError, OSError, subprocess.SubprocessError) as error:
            stderr = getattr(error, "stderr", None)
            raise DeviceError(
                "the adb server does not start",
                where=f"{client.host}:{client.port}",
                got=stderr.decode(errors="replace").strip() if stderr else str(error),
                remedy="install Android's platform tools, then: adb start-server",
            ) from error
    return client


def _listens(client: AdbClient) -> bool:
    try:
        socket.create_connection((client.host, client.port), 1).close()
    except OSError:
        return False
    return True


def read_server_version(client: AdbClient) -> str:
    """Return the adb server's version, such as ``"1.0.41"``.

    Raises:
        DeviceError: The server does not answer.
    """
    from adbutils import AdbError

    try:
        return f"1.0.{client.server_version()}"
    except (AdbError, OSError, ValueError, subprocess.SubprocessError) as error:
        raise _make_error(client, error) from error


def list_phones(client: AdbClient, timeout: float) -> dict[str, str]:
    """Return each attached phone's state by its serial, as ``adb devices`` prints them.

    Args:
        client: Of a server that runs.
        timeout: Seconds for the answer.

    Raises:
        DeviceError: The server does not answer.
    """
    from adbutils import AdbError

    # Not AdbClient.list: it has no time-out, and cuts "no permissions (…)" at the first blank.
    try:
        with client.make_connection(timeout=timeout) as link:
            link.send_command("host:devices")
            link.check_okay()
            text = link.read_string_block()
    except (AdbError, OSError, ValueError, subprocess.SubprocessError) as error:
        raise _make_error(client, error) from error
    rows = [line.split("\t", 1) for line in text.splitlines() if "\t" in line]
    return {serial: state.split(" (", 1)[0].strip() for serial, state in rows}


def _make_error(client: AdbClient, error: Exception) -> DeviceError:
    return DeviceError(
        "the adb server does not answer",
        where=f"{client.host}:{client.port}",
        got=str(error),
        remedy="adb kill-server, and run it again",
    )


def choose_phone(phones: Mapping[str, str], serial: str | None) -> str:
    """Choose the phone to use.

    Args:
        phones: State by serial.
        serial: Which one; None: the only one there is, or the one that ``ANDROID_SERIAL`` names, as for adb itself.

    Raises:
        DeviceError: There is none, it cannot be used, or there are several and none was named.

    >>> choose_phone({"0123": "device"}, None)
    '0123'
    """
    serial = serial or os.environ.get("ANDROID_SERIAL") or None
    seen = ", ".join(f"{name} ({state})" for name, state in phones.items()) or "none"
    if serial is None:
        if len(phones) > 1:
            raise DeviceError(
                "several phones are attached",
                expected="one, or a serial that says which",
                got=seen,
                remedy=f"name it: adb:{next(iter(phones))}",
            )
        if not phones:
            raise DeviceError("no phone is attached", expected="one", got=seen, remedy=_NONE_REMEDY)
        serial = next(iter(phones))
    _refuse_unusable(serial, phones.get(serial), seen)
    return serial


def _refuse_unusable(serial: str, state: str | None, seen: str) -> None:
    if state is None:
        network = f"adb connect {serial}, if it is a phone on the network; otherwise " if ":" in serial else ""
        raise DeviceError(
            "that phone is not attached",
            where=f"adb:{serial}",
            expected=serial,
            got=seen,
            remedy=network + _NONE_REMEDY,
        )
    if state != USABLE:
        raise DeviceError(
            "that phone cannot be used now",
            where=f"adb:{serial}",
            expected=USABLE,
            got=state,
            remedy=_REMEDIES.get(state, "look at: adb devices"),
        )
