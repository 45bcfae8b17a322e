"""Read a phone's temperatures and battery, and wait until neither would disturb a measurement.

Source: the dump methods of Android's ThermalManagerService and BatteryService, whose lines vary with the version and
the maker: what is not there is None, and what a maker fills in for a missing sensor (−99.9, 0, 4200) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from imageqx_export.bench.android.phone import Clock
from imageqx_export.errors import DeviceError

# At level 1 ("light") Android already lowers clocks, though nobody would see it (PowerManager.THERMAL_STATUS_LIGHT).
STATUS_NAMES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
LEAST_LEVEL = 25  # per cent; below, androidx.benchmark calls a run LOW-BATTERY: phones save power
HOTTEST_BATTERY = 40.0  # °C; chargers and clocks are throttled from about here on
OVERHEAT = 3  # BatteryManager.BATTERY_HEALTH_OVERHEAT

_NOT_TEMPERATURES = (6, 7, 8)  # Temperature.TYPE_BCL_VOLTAGE, _CURRENT and _PERCENTAGE: mV, mA and per cent
_SENSOR = re.compile(r"Temperature\{mValue=(-?\d{1,9}(?:\.\d{1,9})?), mType=(-?\d{1,9}), mName=([^,}]*)")


@dataclass(frozen=True)
class Thermal:
    """The temperatures and status in ``dumpsys thermalservice``.

    Attributes:
        status: 0 (none) to 6 (shutdown), or None.
        sensors: °C by name; empty where there are none.
        faked: Whether somebody has overridden the status.
    """

    status: int | None = None
    sensors: dict[str, float] = field(default_factory=dict)
    faked: bool = False


@dataclass(frozen=True)
class Battery:
    """The battery's state in ``dumpsys battery``.

    Attributes:
        level: Per cent, or None.
        celsius: Its temperature, or None.
        health: BatteryManager's number, or None.
        powered: Whether anything charges it, or None.
        faked: Whether somebody has overridden the values.
    """

    level: float | None = None
    celsius: float | None = None
    health: int | None = None
    powered: bool | None = None
    faked: bool = False


def parse_thermal(text: str) -> Thermal:
    """Parse ``dumpsys thermalservice``; older Androids, which have none, give an empty one.

    Args:
        text: The whole output; the current temperatures are read, and the cached ones only without those.
    """
    status = re.search(r"^\s*Thermal Status: (\d{1,9})\s*$", text, re.MULTILINE)
    # The cache is what the last event left, and may be hours old: only where the thermal HAL is not ready.
    found = _find_section(text, "Current temperatures from HAL:") or _find_section(text, "Cached temperatures:")
    sensors = {
        name: float(value)
        for value, kind, name in found
        if int(kind) not in _NOT_TEMPERATURES and 0 < float(value) < 150
    }
    return Thermal(int(status.group(1)) if status else None, sensors, "IsStatusOverride: true" in text)


def _find_section(text: str, title: str) -> list[tuple[str, str, str]]:
    block = re.search(re.escape(title) + r"\n((?:[ \t]*Temperature\{.*(?:\n|\Z))*)", text)
    return _SENSOR.findall(block.group(1)) if block else []


def parse_battery(text: str) -> Battery:
    """Parse ``dumpsys battery``; a phone without a battery service gives an empty one.

    Args:
        text: The whole output; some makers append logs with the same words, so the first of each counts.
    """
    rows: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition(": ")
        if separator:
            rows.setdefault(name, value.strip())
    level, scale = _parse_whole(rows.get("level")), _parse_whole(rows.get("scale")) or 100
    tenths = _parse_whole(rows.get("temperature"))
    powers = [value for name, value in rows.items() if name.endswith(" powered")]
    return Battery(
        level=None if level is None else 100 * level / scale,
        celsius=None if tenths is None else tenths / 10,
        health=_parse_whole(rows.get("health")),
        powered="true" in powers if powers else None,
        faked="UPDATES STOPPED" in text,
    )


def _parse_whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,9}", text) else None


def find_hottest(thermal: Thermal, battery: Battery) -> float | None:
    """Return the temperature of the hottest sensor that could be read, in °C."""
    found = [*thermal.sensors.values(), *([] if battery.celsius is None else [battery.celsius])]
    return max(found) if found else None


def list_objections(thermal: Thermal, battery: Battery) -> list[str]:
    """Say why the phone is not ready to be measured; empty when it is, or when it tells nothing."""
    found = []
    if thermal.status:
        name = STATUS_NAMES[thermal.status] if thermal.status < len(STATUS_NAMES) else "?"
        found.append(f"thermal status {thermal.status} ({name})")
    if battery.celsius is not None and battery.celsius > HOTTEST_BATTERY:
        found.append(f"battery at {battery.celsius:.1f} °C")
    if battery.health == OVERHEAT:
        found.append("battery health: overheat")
    if battery.level is not None and battery.level < LEAST_LEVEL:
        found.append(f"battery at {battery.level:.0f} %")
    return found


def refuse_hopeless(thermal: Thermal, battery: Battery, where: str) -> None:
    """Raise where waiting would not help.

    Raises:
        DeviceError: The battery is low and nothing charges it, or somebody has faked what the phone reports.
    """
    if thermal.faked or battery.faked:
        command = "cmd thermalservice reset" if thermal.faked else "dumpsys battery reset"
        raise DeviceError(
            "the phone reports temperatures or a battery that somebody has set",
            where=where,
            expected="what its sensors read",
            remedy=f"adb -s {where.removeprefix('adb:')} shell {command}",
        )
    if battery.level is not None and battery.level < LEAST_LEVEL and battery.powered is False:
        raise DeviceError(
            "the phone's battery is low, and nothing charges it",
            where=where,
            expected=f"{LEAST_LEVEL} % or more, as phones slow down below",
            got=f"{battery.level:.0f} %",
            remedy="charge it, and run it again",
        )


def wait_until_cool(
    read: Callable[[], tuple[Thermal, Battery]], where: str, limit: float, poll: float, clock: Clock
) -> float:
    """Wait until the phone is cool and charged.

    Args:
        read: Reads the sensors.
        where: The phone, for messages.
        limit: Seconds to wait at most.
        poll: Seconds between two looks.
        clock: What to wait by.

    Returns:
        How many seconds it took.

    Raises:
        DeviceError: It does not cool down, or waiting would not help.
    """
    begin = clock.now()
    while True:
        thermal, battery = read()
        refuse_hopeless(thermal, battery, where)
        reasons = list_objections(thermal, battery)
        waited = clock.now() - begin
        if not reasons:
            return waited
        if waited >= limit:
            raise DeviceError(
                "the phone does not cool down" if any("%" not in r for r in reasons) else "the phone does not charge",
                where=where,
                expected=f"thermal status 0, a battery of at most {HOTTEST_BATTERY:.0f} °C and at least "
                f"{LEAST_LEVEL} %, within {limit:.0f} s",
                got="; ".join(reasons),
                remedy="put it in a cool place, without its case, and run it again",
            )
        clock.sleep(poll)
