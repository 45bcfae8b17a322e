from __future__ import annotations

import contextlib
import hashlib
import shlex
import socket
import struct
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from adbutils import AdbClient
from adbutils.errors import AdbTimeout

from imageqx_export.bench.android.discovery import reach_server
from imageqx_export.bench.android.phone import Phone, PhoneGoneError, PhoneSlowError
from imageqx_export.bench.android.transport import CHUNK, EXIT, run_shell
from imageqx_export.errors import DeviceError
from tests.bench.android.fake_phone import TMP
from tests.bench.android.fakes import World
from tests.fuzz.tools import reach


def test_exit_code_and_standard_error_come_apart(one: World) -> None:
    answer = one.attach().shell("echo out; echo err >&2; exit 7")
    assert (answer.code, answer.out, answer.err) == (7, "out\n", "err\n")


@pytest.mark.parametrize("word", ["a b", "it's", "$HOME", "*", "`id`", "a;b", "ä\nö"])
def test_words_arrive_as_they_are(one: World, word: str) -> None:
    assert one.attach().shell(["sh", "-c", 'printf %s "$1"', "sh", word]).out == word


def test_a_command_that_must_succeed_says_how_it_failed(one: World) -> None:
    with pytest.raises(DeviceError, match="no folder") as caught:
        one.attach().check(["sh", "-c", "echo why >&2; exit 3"], "no folder")
    assert caught.value.got == "3: why"
    assert "adb:0A1B2C3D: sh -c" in str(caught.value.where)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 5 * CHUNK + 17])
def test_files_arrive_whole_both_ways(one: World, tmp_path: Path, size: int) -> None:
    data = hashlib.shake_256(b"x").digest(size)
    (tmp_path / "file").write_bytes(data)
    phone = one.attach()
    phone.push(tmp_path / "file", f"{TMP}/deep/er/file", 0o755)
    assert (one.phone.tmp / "deep/er/file").read_bytes() == data
    assert (one.phone.tmp / "deep/er/file").stat().st_mode & 0o777 == 0o755
    assert phone.pull(f"{TMP}/deep/er/file") == data


def test_a_full_phone_says_that_it_is_full(one: World) -> None:
    one.phone.room = 100_000
    with pytest.raises(DeviceError, match="the phone is full") as caught:
        one.attach().push(bytes(200_000), f"{TMP}/x")
    assert "No space left on device" in str(caught.value.got)
    assert "free some space" in str(caught.value.remedy)
    assert not isinstance(caught.value, PhoneGoneError)


def test_a_file_that_is_not_on_the_phone(one: World) -> None:
    with pytest.raises(DeviceError, match="does not give") as caught:
        one.attach().pull(f"{TMP}/nothing")
    assert "No such file" in str(caught.value.got)


def test_a_file_that_is_not_here_is_not_the_phones_fault(one: World, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        one.attach().push(tmp_path / "nothing", f"{TMP}/x")


def test_a_phone_pulled_out_in_the_middle_is_gone_and_not_a_failed_command(one: World) -> None:
    phone = one.attach()
    one.phone.before = lambda command: one.phone.unplug() if "sleep" in command else None
    with pytest.raises(PhoneGoneError, match="went away"):
        phone.shell("sleep 0.01; echo done")
    with pytest.raises(PhoneGoneError, match="went away"):
        phone.shell("echo again")
    assert not phone.is_there()


def test_a_command_that_ends_without_an_exit_code() -> None:
    with pytest.raises(PhoneGoneError) as caught:
        reach(struct.pack("<BI", EXIT, 0)).shell("true")
    assert "without an exit code" in str(caught.value.got)


def test_a_phone_pulled_out_during_a_push_is_gone(one: World) -> None:
    one.phone.before = lambda command: one.phone.unplug() if command.startswith("push") else None
    with pytest.raises(PhoneGoneError):
        one.attach().push(bytes(10), f"{TMP}/x")


def test_a_command_that_hangs_on_a_phone_that_lives_is_slow(one: World) -> None:
    with pytest.raises(PhoneSlowError, match="takes too long") as caught:
        one.attach().shell("sleep 1", limit=0.2)
    assert not isinstance(caught.value, PhoneGoneError)


def test_a_phone_that_hangs_itself_counts_as_gone(one: World) -> None:
    hung = threading.Event()
    one.limits = replace(one.limits, answer=0.3)
    phone = one.attach()
    phone.shell("echo so that the features are known")
    one.phone.before = lambda command: hung.wait(5)
    try:
        with pytest.raises(PhoneGoneError):
            phone.shell("true")
    finally:
        hung.set()


def test_waiting_ends_when_the_phone_is_back(one: World) -> None:
    phone = one.attach()
    one.phone.unplug()
    one.time.after(31, one.phone.plug_in)
    phone.wait(60)
    assert one.time.now - 1000 == 40
    assert one.server.called == []  # a phone on USB is not called


def test_waiting_has_an_end(one: World) -> None:
    phone = one.attach()
    one.phone.unplug()
    with pytest.raises(DeviceError, match="did not come back") as caught:
        phone.wait(60)
    assert caught.value.expected == "within 60 s"
    assert one.time.now - 1000 == 60
    assert not isinstance(caught.value, PhoneGoneError)  # or it would be waited for again


def test_a_phone_on_the_network_is_called_back(one: World) -> None:
    one.phone.serial = "10.0.0.7:5555"
    phone = one.attach()
    one.phone.unplug()
    one.time.after(25, one.phone.plug_in)
    phone.wait(60)
    assert one.server.called == ["10.0.0.7:5555"] * 3


def test_the_old_sync_service_may_hang_up_on_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone that says FAIL in the middle and closes: its words still arrive."""

    def serve(listener: socket.socket) -> None:
        listener.accept()[0].close()  # the look whether a server is there
        with listener.accept()[0] as link:
            assert link.recv(20) == b"0010host:transport:x"
            link.sendall(b"OKAY")
            assert link.recv(9) == b"0005sync:"
            link.sendall(b"OKAY")
            link.recv(1000)
            reason = b"couldn't write: No space left on device"
            link.sendall(b"FAIL" + struct.pack("<I", len(reason)) + reason)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(listener.getsockname()[1]))
        listener.settimeout(10)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        client = reach_server(2)
        with pytest.raises(DeviceError, match="the phone is full"):
            Phone(client, "x").push(bytes(1000), f"{TMP}/x")
        thread.join()


def test_a_command_that_talks_on_and_on_has_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for the whole command, not for the silence between two words."""

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as link:
            for _ in range(2):
                link.recv(1000)
                link.sendall(b"OKAY")
            for _ in range(100):
                link.sendall(b"\x01\x01\x00\x00\x00.")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        begin = time.monotonic()
        with pytest.raises((TimeoutError, AdbTimeout)):
            run_shell(AdbClient(port=listener.getsockname()[1]), "x", "yes", 0.4)
        assert time.monotonic() - begin < 3
        thread.join()


def test_a_command_line_is_quoted_once(one: World) -> None:
    one.attach().shell(["echo", "a b"])
    assert one.phone.commands[-1] == shlex.join(["echo", "a b"]) == "echo 'a b'"
