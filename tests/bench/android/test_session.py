from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from imageqx_export.bench.android.session import lock_phone, open_session
from imageqx_export.bench.android.workdir import Supply
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.signals import ignore_signals, raise_on_signals
from tests.bench.android.fakes import World

ON, OFF = (f"power set-fixed-performance-mode-enabled {word}" for word in ("true", "false"))
COOL = "Thermal Status: 0\n"
WRITE = ["sh", "-c", "echo done >out"]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C raise, as at a terminal: a job that a shell started with & ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def is_job(command: str) -> bool:
    return "exec" in command and command.startswith("cd")


def unplug_at(one: World, times: int, *, back_after: float = 20) -> list[str]:
    """Pull the cable during the first ``times`` jobs; it is pushed back in after a while."""
    pulled: list[str] = []

    def pull(command: str) -> None:
        if is_job(command) and len(pulled) < times:
            pulled.append(command)
            one.phone.unplug()
            one.time.after(back_after, one.phone.plug_in)

    one.phone.before = pull
    return pulled


def test_a_run_leaves_nothing(one: World) -> None:
    with open_session(one.attach(), "run-1", {"a": Supply(b"x")}) as found:
        assert one.phone.folders == ["imageqx-run-1"]
        assert found.job(WRITE, ["out"], 10) == {"out": b"done\n"}
    assert one.phone.folders == []
    assert one.phone.modes == []  # nobody asked for the mode


def test_a_phone_that_goes_away_is_waited_for_and_the_job_is_done_again(
    one: World, caplog: pytest.LogCaptureFixture
) -> None:
    pulled = unplug_at(one, 2)
    with caplog.at_level(logging.WARNING), open_session(one.attach(), "run-1", {"a": Supply(b"x")}) as found:
        assert found.job(WRITE, ["out"], 10) == {"out": b"done\n"}
    assert len(pulled) == 2
    assert one.time.now >= 1040
    assert "went away" in caplog.text and "is back" in caplog.text
    assert one.phone.folders == []


def alive(words: list[str]) -> bool:
    return any(one.info["cmdline"] == words for one in psutil.process_iter(["cmdline"]))


def gone(words: list[str]) -> bool:
    end = time.monotonic() + 5
    while alive(words) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(words)


def test_what_went_on_while_the_phone_was_away_is_killed_before_the_job_is_done_again(one: World) -> None:
    unplug_at(one, 1, back_after=0)
    lost = ["sleep", f"60.{os.getpid()}1"]
    again = f"[ -e ../../lost ] || {{ touch ../../lost; exec {' '.join(lost)}; }}; echo done >out"
    plug_in = one.phone.plug_in

    def when_it_runs() -> None:
        end = time.monotonic() + 5
        while not alive(lost) and time.monotonic() < end:
            time.sleep(0.02)
        assert alive(lost)
        plug_in()

    one.phone.plug_in = when_it_runs  # type: ignore[method-assign]
    with open_session(one.attach(), "run-1", {}) as found:
        assert found.job(["sh", "-c", again], ["out"], 30) == {"out": b"done\n"}
        assert gone(lost)


def test_a_phone_that_was_started_anew_gets_its_files_and_its_mode_again(one: World) -> None:
    """The run's folder is gone and the mode is off; both are made again before the job is done again."""
    pulled: list[str] = []

    def restart(command: str) -> None:
        if is_job(command) and not pulled:
            pulled.append(command)
            one.phone.unplug()
            for path in sorted(one.phone.tmp.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            one.time.after(60, one.phone.plug_in)

    one.phone.before = restart
    with open_session(one.attach(), "run-1", {"a": Supply(b"x")}, fixed_performance=True) as found:
        assert found.job(["sh", "-c", "cat ../../a >out"], ["out"], 10) == {"out": b"x"}
    assert one.phone.modes == [ON, ON, OFF]
    assert one.phone.folders == []


def test_a_phone_that_goes_away_while_files_are_pushed_is_waited_for(one: World) -> None:
    pulled: list[str] = []

    def pull(command: str) -> None:
        if command.startswith("push") and "/a," in command and not pulled:
            pulled.append(command)
            one.phone.unplug()
            one.time.after(10, one.phone.plug_in)

    one.phone.before = pull
    with open_session(one.attach(), "run-1", {"a": Supply(b"x")}) as found:
        assert found.job(["sh", "-c", "cat ../../a >out"], ["out"], 10) == {"out": b"x"}
    assert pulled


def test_a_phone_that_stays_away_is_an_error_that_says_what_is_left(
    one: World, caplog: pytest.LogCaptureFixture
) -> None:
    def run() -> None:
        with open_session(one.attach(), "run-1", {}, fixed_performance=True) as found:
            one.phone.before = lambda command: one.phone.unplug() if is_job(command) else None
            found.job(WRITE, ["out"], 10)

    with caplog.at_level(logging.WARNING), pytest.raises(DeviceError, match="did not come back") as caught:
        run()
    assert one.time.now - 1000 == 80  # 60 s to go on, and 20 s to clean up
    by_hand = "shell 'rm -rf /data/local/tmp/imageqx-run-1; cmd power set-fixed-performance-mode-enabled false'"
    assert by_hand in "".join(caught.value.__notes__)
    assert by_hand in caplog.text


def test_a_phone_that_goes_away_again_and_again_is_given_up(one: World) -> None:
    pulled = unplug_at(one, 99)
    with pytest.raises(DeviceError, match="went away"), open_session(one.attach(), "run-1", {}) as found:
        found.job(WRITE, ["out"], 10)
    assert len(pulled) == 1 + one.limits.resumes
    assert one.phone.folders == []


def test_a_job_that_fails_is_not_tried_again(one: World) -> None:
    with pytest.raises(MeasurementError), open_session(one.attach(), "run-1", {}) as found:
        found.job(["sh", "-c", "exit 3"], ["out"], 10)
    assert len([command for command in one.phone.commands if is_job(command)]) == 1
    assert one.phone.folders == []


def test_the_mode_is_on_during_the_run_and_off_after_it(one: World) -> None:
    with open_session(one.attach(), "run-1", {}, fixed_performance=True):
        assert one.phone.modes == [ON]
        assert (one.phone.tmp / "imageqx-run-1" / "fixed-performance").exists()
    assert one.phone.modes == [ON, OFF]


@pytest.mark.parametrize("error", [MeasurementError("x"), KeyboardInterrupt(), SystemExit(143), RuntimeError("bug")])
def test_the_mode_is_put_back_whatever_happens(one: World, error: BaseException) -> None:
    with pytest.raises(type(error)), open_session(one.attach(), "run-1", {}, fixed_performance=True):
        raise error
    assert one.phone.modes == [ON, OFF]
    assert one.phone.folders == []


def test_a_phone_without_the_mode_says_so_and_is_left_clean(one: World) -> None:
    (one.phone.say / "cmd").write_text(
        "Failed to set FIXED_PERFORMANCE mode\n"
        "This is likely because Power HAL AIDL is not implemented on this device\n"
    )
    with (
        pytest.raises(DeviceError, match="cannot be switched on") as caught,
        open_session(one.attach(), "run-1", {}, fixed_performance=True),
    ):
        pytest.fail("the run has begun")
    assert "Power HAL AIDL is not implemented" in str(caught.value.got)
    assert one.phone.folders == []


def test_a_mode_that_cannot_be_put_back_is_an_error(one: World) -> None:
    with (
        pytest.raises(DeviceError, match="could not be put in order") as caught,
        open_session(one.attach(), "run-1", {}, fixed_performance=True),
    ):
        (one.phone.say / "cmd").write_text("no\n")
    assert "cannot be switched off" in str(caught.value.got)
    assert one.phone.folders == []  # the rest is done all the same


def test_the_mode_is_put_back_although_the_phone_was_away_at_the_end(one: World) -> None:
    with open_session(one.attach(), "run-1", {}, fixed_performance=True):
        one.phone.unplug()
        one.time.after(15, one.phone.plug_in)
    assert one.phone.modes == [ON, OFF]
    assert one.phone.folders == []


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, KeyboardInterrupt)])
def test_signals_in_the_middle_of_a_job_leave_nothing(
    one: World, number: signal.Signals, error: type[BaseException]
) -> None:
    """The job that still runs is killed, and a second Ctrl-C while the phone is tidied up does no harm."""
    job = ["sleep", f"60.{os.getpid()}2"]

    def interrupt(command: str) -> None:
        if is_job(command):
            threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        elif command.endswith("set-fixed-performance-mode-enabled false"):
            os.kill(os.getpid(), number)

    def run() -> None:
        with raise_on_signals(), open_session(one.attach(), "run-1", {}, fixed_performance=True) as found:
            one.phone.before = interrupt
            found.job(job, ["out"], 30)

    with pytest.raises(error):
        run()
    assert gone(job)
    assert one.phone.modes == [ON, OFF]
    assert one.phone.folders == []


@pytest.mark.usefixtures("ctrl_c")
def test_signals_are_ignored_and_given_back() -> None:
    with ignore_signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_one_run_at_a_time_uses_a_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with lock_phone("10.0.0.7:5555"):
        with lock_phone("other"):
            pass
        with pytest.raises(DeviceError, match="another run uses the phone"), lock_phone("10.0.0.7:5555"):
            pass
    with lock_phone("10.0.0.7:5555"):
        pass


def test_a_hot_phone_is_waited_for_and_it_is_said_once(one: World, caplog: pytest.LogCaptureFixture) -> None:
    (one.phone.say / "thermalservice").write_text("Thermal Status: 2\n")
    one.time.after(90, lambda: (one.phone.say / "thermalservice").write_text(COOL))
    with caplog.at_level(logging.WARNING), open_session(one.attach(), "run-1", {}) as found:
        found.cool_down()
    assert one.time.now - 1000 == 90
    assert caplog.text.count("thermal status 2 (moderate)") == 1


def test_a_phone_that_stays_hot_is_an_error_and_left_clean(one: World) -> None:
    one.limits = replace(one.limits, cool_down=30)
    (one.phone.say / "thermalservice").write_text("Thermal Status: 4\n")
    with pytest.raises(DeviceError, match="does not cool down"), open_session(one.attach(), "run-1", {}) as found:
        found.cool_down()
    assert one.phone.folders == []


def test_a_phone_that_tells_no_temperature_is_not_waited_for(one: World) -> None:
    (one.phone.say / "thermalservice").unlink()
    (one.phone.say / "battery").unlink()
    with open_session(one.attach(), "run-1", {}) as found:
        found.cool_down()
        assert found.read_temperature() is None
    assert one.time.now == 1000


def test_the_temperature_is_that_of_the_hottest_sensor(one: World) -> None:
    with open_session(one.attach(), "run-1", {}) as found:
        assert found.read_temperature() == 33.1
