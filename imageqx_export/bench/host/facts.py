"""Read what this machine is and how it is doing, and choose the cores to measure on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.bench.model import Machine
from imageqx_export.errors import MeasurementError

CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Sensor:
    """One temperature.

    Attributes:
        name: As the system calls it.
        celsius: Now.
        limit: From which the system calls it high, or None.
    """

    name: str
    celsius: float
    limit: float | None


def read_sensors() -> Sequence[Sensor]:
    """Read every temperature that the system tells; a virtual machine often tells none."""
    import psutil

    read = getattr(psutil, "sensors_temperatures", dict)  # psutil has it on Linux and FreeBSD alone
    return [
        Sensor(f"{chip} {row.label}".strip(), row.current, row.high) for chip, rows in read().items() for row in rows
    ]


def pick_cores(threads: int) -> tuple[int, ...] | None:
    """Return the cores to pin to, as many as threads, or None where the system cannot pin.

    Raises:
        MeasurementError: There are fewer.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    import psutil

    allowed = os.sched_getaffinity(0)
    load = dict(enumerate(psutil.cpu_percent(interval=0.3, percpu=True)))
    return choose_cores(threads, allowed, load, {core: _read_siblings(core) for core in allowed})


def choose_cores(
    threads: int, allowed: Collection[int], load: Mapping[int, float], siblings: Mapping[int, frozenset[int]]
) -> tuple[int, ...]:
    """Return the ``threads`` least busy cores, no two on the same physical one while there are others.

    Args:
        threads: How many.
        allowed: Those that this process may use.
        load: Per core, how busy it is, in per cent.
        siblings: Per core, those on the same physical one, itself among them.

    Raises:
        MeasurementError: There are fewer cores than threads.

    >>> choose_cores(2, [0, 1, 2, 3], {0: 90.0, 1: 0.0, 2: 5.0, 3: 1.0}, {c: frozenset({c, c ^ 2}) for c in range(4)})
    (1, 2)
    """
    if threads > len(allowed):
        raise MeasurementError(
            "more threads than cores", expected=f"at most {len(allowed)}", got=str(threads), remedy="--threads 1"
        )
    chosen: list[int] = []
    ranked = sorted(allowed, key=lambda core: (load.get(core, 0.0), core))
    while len(chosen) < threads:
        left = [core for core in ranked if core not in chosen]
        apart = [core for core in left if not siblings.get(core, frozenset()) & set(chosen)]
        chosen.append((apart or left)[0])
    return tuple(sorted(chosen))


def describe_machine(cores: tuple[int, ...] | None) -> Machine:
    """Return this machine's facts; those that cannot be read are left out.

    Args:
        cores: Those that are pinned to, or None.
    """
    import psutil

    found = {
        "pinned": "no: this system cannot pin a process" if cores is None else ",".join(map(str, cores)),
        "cores in all": str(os.cpu_count() or "unknown"),
        "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "governor": _read_governors(cores or ()),
        "hypervisor": "yes" if "hypervisor" in _read_cpuinfo("flags").split() else "",
    }
    spare = len(os.sched_getaffinity(0)) - len(cores) if cores is not None else None
    if spare == 0:
        found["spare cores"] = "0: whatever else runs here disturbs the timing"
    temperatures = read_sensors()
    if temperatures:
        found["temperature"] = f"{max(sensor.celsius for sensor in temperatures):g} °C"
    return Machine(
        name=_read_name(),
        cores=len(cores) if cores is not None else os.cpu_count() or 1,
        abi=platform.machine(),
        system=platform.platform(),
        facts={name: value for name, value in found.items() if value},
    )


def _read_name() -> str:
    if sys.platform == "darwin":
        import subprocess

        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() or platform.processor()
    # Linux on Arm has no such line.
    return _read_cpuinfo("model name") or platform.processor() or platform.machine()


def _read_cpuinfo(key: str) -> str:
    file = Path("/proc/cpuinfo")
    for line in file.read_text().splitlines() if file.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _read_governors(cores: Sequence[int]) -> str:
    files = [CPUS / f"cpu{core}" / "cpufreq" / "scaling_governor" for core in cores]
    return ",".join(sorted({file.read_text().strip() for file in files if file.exists()}))


def _read_siblings(core: int) -> frozenset[int]:
    file = CPUS / f"cpu{core}" / "topology" / "thread_siblings_list"
    if not file.exists():
        return frozenset({core})
    found: set[int] = set()
    for part in file.read_text().strip().split(","):  # such as "0,4" or "0-1"
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
