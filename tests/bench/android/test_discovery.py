from __future__ import annotations

import socket
from pathlib import Path

import pytest

from imageqx_export.bench.android.discovery import choose_phone, list_phones, reach_server
from imageqx_export.errors import DeviceError
from tests.bench.android.fake_phone import FakePhone
from tests.bench.android.fakes import World


def test_the_only_phone_needs_no_name(one: World) -> None:
    assert choose_phone(list_phones(reach_server(5), 5), None) == "0A1B2C3D"


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("unauthorized", "allow USB debugging"),
        ("offline", "adb reconnect offline"),
        ("authorizing", "allow USB debugging"),
        ("recovery", "adb reboot"),
        ("bootloader", "fastboot reboot"),
        ("no permissions (missing udev rules? user is in the plugdev group); see [http://x/y]", "USB devices"),
        ("something new", "adb devices"),
    ],
)
@pytest.mark.parametrize("serial", [None, "0A1B2C3D"])
def test_each_state_but_device_is_refused_with_its_remedy(
    one: World, state: str, remedy: str, serial: str | None
) -> None:
    one.phone.state = state
    with pytest.raises(DeviceError, match="cannot be used now") as caught:
        choose_phone(list_phones(reach_server(5), 5), serial)
    assert caught.value.got == state.split(" (")[0]
    assert remedy in str(caught.value.remedy)
    assert caught.value.where == "adb:0A1B2C3D"


def test_no_phone_is_refused(one: World) -> None:
    one.phone.state = None
    with pytest.raises(DeviceError, match="no phone is attached") as caught:
        choose_phone(list_phones(reach_server(5), 5), None)
    assert "USB debugging" in str(caught.value.remedy)


def test_two_phones_need_a_serial(one: World, tmp_path: Path) -> None:
    other = FakePhone(tmp_path / "other", "emulator-5554")
    other.state = "offline"  # even so: it may be the one that was meant
    one.server.phones.append(other)
    phones = list_phones(reach_server(5), 5)
    with pytest.raises(DeviceError, match="several phones") as caught:
        choose_phone(phones, None)
    assert caught.value.got == "0A1B2C3D (device), emulator-5554 (offline)"
    assert "adb:0A1B2C3D" in str(caught.value.remedy)
    assert choose_phone(phones, "0A1B2C3D") == "0A1B2C3D"


def test_android_serial_names_the_phone_as_for_adb(one: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one.server.phones.append(FakePhone(tmp_path / "other", "second"))
    monkeypatch.setenv("ANDROID_SERIAL", "second")
    assert choose_phone(list_phones(reach_server(5), 5), None) == "second"
    assert choose_phone(list_phones(reach_server(5), 5), "0A1B2C3D") == "0A1B2C3D"


def test_a_serial_that_is_not_there_says_what_is(one: World) -> None:
    with pytest.raises(DeviceError, match="not attached") as caught:
        choose_phone(list_phones(reach_server(5), 5), "10.0.0.7:5555")
    assert caught.value.got == "0A1B2C3D (device)"
    assert str(caught.value.remedy).startswith("adb connect 10.0.0.7:5555")


def test_a_server_that_hangs_is_an_error_and_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(listener.getsockname()[1]))
        client = reach_server(0.2)
        with pytest.raises(DeviceError, match="does not answer") as caught:
            list_phones(client, 0.2)
    assert "adb kill-server" in str(caught.value.remedy)


def test_a_server_that_cannot_be_started_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adb = tmp_path / "adb"
    adb.write_text("#!/bin/sh\n[ \"$1\" = version ] && exit 0\necho 'cannot bind to 127.0.0.1' >&2\nexit 1\n")
    adb.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(free))
    monkeypatch.setenv("ADBUTILS_ADB_PATH", str(adb))
    with pytest.raises(DeviceError, match="does not start") as caught:
        reach_server(1)
    assert caught.value.got == "cannot bind to 127.0.0.1"
    assert caught.value.where == f"127.0.0.1:{free}"
