from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imageqx_export.bench.android.thermal import (
    Battery,
    Thermal,
    find_hottest,
    list_objections,
    parse_battery,
    parse_thermal,
    refuse_hopeless,
    wait_until_cool,
)
from imageqx_export.errors import DeviceError
from tests.bench.android.fakes import Time

RECORDED = Path(__file__).parent / "recorded"
THERMAL = (RECORDED / "thermalservice.txt").read_text()
BATTERY = (RECORDED / "battery.txt").read_text()


def test_thermal_reads_the_sensors_of_now_and_leaves_out_what_is_no_temperature() -> None:
    found = parse_thermal(THERMAL)
    assert found.status == 0
    assert not found.faked
    # Not the cache's 71.2 °C, nor 4213 mV, 88 per cent, −99.9 and 0 of sensors that are not fitted.
    assert found.sensors == {"BIG": 33.1, "LITTLE": 32.4, "G3D": 31.9, "battery": 28.7, "VIRTUAL-SKIN": 29.806}


def test_thermal_falls_back_on_the_cache_where_the_hal_gives_nothing() -> None:
    text = THERMAL[: THERMAL.index("HAL Ready")] + "HAL Ready: false\n"
    assert parse_thermal(text).sensors == {"BIG": 71.2, "VIRTUAL-SKIN": 41.9}


@pytest.mark.parametrize("status", range(7))
def test_thermal_status_is_read(status: int) -> None:
    assert parse_thermal(THERMAL.replace("Thermal Status: 0", f"Thermal Status: {status}")).status == status


def test_an_override_of_the_status_shows() -> None:
    assert parse_thermal(THERMAL.replace("IsStatusOverride: false", "IsStatusOverride: true")).faked


@pytest.mark.parametrize("text", ["", "Can't find service: thermalservice\n", "Thermal Status: what\n"])
def test_thermal_of_a_phone_that_has_none_is_empty(text: str) -> None:
    assert parse_thermal(text) == Thermal()


def test_battery_is_read() -> None:
    assert parse_battery(BATTERY) == Battery(level=84, celsius=28.7, health=2, powered=True)


def test_battery_level_is_of_its_scale() -> None:
    assert parse_battery("  level: 50\n  scale: 200\n").level == 25


def test_battery_on_no_charger() -> None:
    assert parse_battery(BATTERY.replace("USB powered: true", "USB powered: false")).powered is False
    assert parse_battery("").powered is None


def test_a_log_behind_the_battery_does_not_count() -> None:
    log = "[EventLogBuffer]\n08-11 18:34 Sending ACTION_BATTERY_CHANGED: level:7, temperature:451\n  level: 7\n"
    assert parse_battery(BATTERY + log).level == 84
    assert parse_battery(BATTERY + log).celsius == 28.7


def test_a_faked_battery_shows() -> None:
    text = BATTERY.replace("state:\n", "state:\n  (UPDATES STOPPED -- use 'reset' to restart)\n")
    assert parse_battery(text).faked


@pytest.mark.parametrize("text", ["", "Can't find service: battery", "  level: lots\n  temperature: -\n"])
def test_battery_of_a_phone_that_has_none_is_empty(text: str) -> None:
    assert parse_battery(text) == Battery()


def test_hottest() -> None:
    assert find_hottest(parse_thermal(THERMAL), parse_battery(BATTERY)) == 33.1
    assert find_hottest(Thermal(), parse_battery(BATTERY)) == 28.7
    assert find_hottest(Thermal(), Battery()) is None


@pytest.mark.parametrize(
    ("thermal", "battery", "reasons"),
    [
        (Thermal(0), Battery(level=25, celsius=40.0, health=2), []),
        (Thermal(), Battery(), []),
        (Thermal(1), Battery(), ["thermal status 1 (light)"]),
        (Thermal(9), Battery(), ["thermal status 9 (?)"]),
        (Thermal(0), Battery(celsius=40.1), ["battery at 40.1 °C"]),
        (Thermal(0), Battery(health=3), ["battery health: overheat"]),
        (Thermal(0), Battery(level=24), ["battery at 24 %"]),
        (
            Thermal(6),
            Battery(level=3, celsius=45),
            ["thermal status 6 (shutdown)", "battery at 45.0 °C", "battery at 3 %"],
        ),
    ],
)
def test_objections(thermal: Thermal, battery: Battery, reasons: list[str]) -> None:
    assert list_objections(thermal, battery) == reasons


@pytest.mark.parametrize(
    ("thermal", "battery", "remedy"),
    [
        (Thermal(0, faked=True), Battery(), "adb -s 0123 shell cmd thermalservice reset"),
        (Thermal(0), Battery(faked=True), "adb -s 0123 shell dumpsys battery reset"),
        (Thermal(0), Battery(level=24, powered=False), "charge it, and run it again"),
    ],
)
def test_where_waiting_does_not_help_nobody_waits(thermal: Thermal, battery: Battery, remedy: str) -> None:
    time = Time()
    with pytest.raises(DeviceError) as caught:
        wait_until_cool(lambda: (thermal, battery), "adb:0123", 100, 5, time.clock)
    assert caught.value.remedy == remedy
    assert time.now == 1000


def test_a_low_battery_that_is_charged_is_waited_for() -> None:
    refuse_hopeless(Thermal(0), Battery(level=24, powered=True), "adb:0123")
    refuse_hopeless(Thermal(0), Battery(level=24), "adb:0123")  # a phone that does not tell gets the benefit


def cooling(time: Time) -> Callable[[], tuple[Thermal, Battery]]:
    """Make a phone that cools down by a level every 10 seconds, from severe."""
    return lambda: (Thermal(max(0, 3 - int(time.now - 1000) // 10)), Battery(celsius=38))


def test_cool_down_waits_just_until_the_phone_is_cool() -> None:
    time = Time()
    assert wait_until_cool(cooling(time), "adb:0123", limit=600, poll=4, clock=time.clock) == 32
    assert time.now == 1032


def test_a_cool_phone_is_not_waited_for() -> None:
    time = Time()
    assert wait_until_cool(lambda: (Thermal(0), Battery()), "adb:0123", 600, 4, time.clock) == 0
    assert time.now == 1000


def test_cool_down_has_an_end_that_says_what_is_still_wrong() -> None:
    time = Time()
    with pytest.raises(DeviceError, match="does not cool down") as caught:
        wait_until_cool(cooling(time), "adb:0123", limit=20, poll=4, clock=time.clock)
    assert time.now == 1020
    assert caught.value.got == "thermal status 1 (light)"
    assert "20 s" in str(caught.value.expected)


def test_a_battery_that_does_not_charge_is_called_so() -> None:
    time = Time()
    with pytest.raises(DeviceError, match="does not charge"):
        wait_until_cool(lambda: (Thermal(0), Battery(level=9, powered=True)), "adb:0123", 20, 4, time.clock)


@pytest.mark.parametrize("number", ["9" * 5000, "1.2.3", "9" * 400])
def test_numbers_that_no_sensor_has_are_left_out(number: str) -> None:
    """``int`` refuses thousands of digits, ``float`` two points, and a division hundreds of digits."""
    sensor = f"Current temperatures from HAL:\n\tTemperature{{mValue={number}, mType=0, mName=cpu, mStatus=0}}\n"
    assert parse_thermal(f"Thermal Status: {number}\n{sensor}") == Thermal()
    assert parse_battery(f"  level: {number}\n  scale: 100\n  temperature: {number}\n") == Battery()
