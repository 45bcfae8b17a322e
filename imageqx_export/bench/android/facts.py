"""Ask a phone what it is, and whether it can run our own runner."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from imageqx_export.bench.android.phone import Phone
from imageqx_export.bench.android.thermal import Battery, Thermal, parse_battery, parse_thermal
from imageqx_export.bench.model import Machine
from imageqx_export.errors import DeviceError
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import parse_model

_PROPERTIES = (
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.product.cpu.abilist",
    "ro.build.version.release",
    "ro.build.version.sdk",
    "ro.build.fingerprint",
    "ro.soc.model",
    "ro.hardware",
)
_KERNELS = {
    "aarch64": "arm64-v8a",
    "arm64": "arm64-v8a",
    "armv8l": "armeabi-v7a",
    "armv7l": "armeabi-v7a",
    "x86_64": "x86_64",
    "i686": "x86",
    "riscv64": "riscv64",
}
_GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
OLDEST_PYTHON = (3, 11)

# Looked for and not imported, which would take a phone seconds.
_PROBE = """import importlib.util as u, json, sys
has = lambda name: u.find_spec(name) is not None
print(json.dumps({"version": list(sys.version_info[:2]), "numpy": has("numpy"),
    "tflite": has("ai_edge_litert"), "onnx": has("onnxruntime")}))"""


class _Probed(Frozen):
    version: tuple[int, int]
    numpy: bool
    tflite: bool
    onnx: bool


@dataclass(frozen=True)
class Python:
    """A Python on the phone that our runner can use.

    Attributes:
        command: What starts it.
        formats: What its runtimes read, of ``"tflite"`` and ``"onnx"``.
        problem: Why it cannot be used, or None.
    """

    command: str = ""
    formats: frozenset[str] = field(default_factory=frozenset)
    problem: str | None = None


def describe_phone(phone: Phone) -> tuple[Machine, tuple[str, ...]]:
    """Return what the phone is, and its ABIs, the best first.

    Raises:
        DeviceError: It tells no ABI that is known.
    """
    names = " ".join(_PROPERTIES)
    properties = phone.shell(f'for p in {names}; do echo "$p=$(getprop $p 2>/dev/null)"; done').out
    has = dict(line.split("=", 1) for line in properties.splitlines() if "=" in line)
    kernel = phone.shell(["uname", "-m"]).out.strip()
    abis = tuple(abi for abi in has.get("ro.product.cpu.abilist", "").split(",") if abi)
    abis = abis or ((_KERNELS[kernel],) if kernel in _KERNELS else ())
    if not abis:
        raise DeviceError(
            "the phone does not tell what its processor runs",
            where=phone.where,
            expected="ro.product.cpu.abilist, or `uname -m` of " + ", ".join(_KERNELS),
            got=kernel or "nothing",
        )
    android = has.get("ro.build.version.release")
    facts = {
        "serial": phone.serial,
        "abis": ",".join(abis),
        "kernel": phone.shell(["uname", "-sr"]).out.strip(),
        "fingerprint": has.get("ro.build.fingerprint", ""),
        "soc": has.get("ro.soc.model") or has.get("ro.hardware", ""),
        "governor": phone.shell(["cat", _GOVERNOR]).out.strip(),
    }
    machine = Machine(
        name=f"{has.get('ro.product.manufacturer', '')} {has.get('ro.product.model', '')}".strip() or "unknown phone",
        cores=_count_cores(phone),
        abi=abis[0],
        system=f"Android {android} (SDK {has.get('ro.build.version.sdk', '?')})" if android else facts["kernel"],
        facts={name: value for name, value in facts.items() if value},
    )
    return machine, abis


def _count_cores(phone: Phone) -> int:
    text = phone.shell("nproc 2>/dev/null || grep -c ^processor /proc/cpuinfo").out.strip()
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 1


def read_sensors(phone: Phone) -> tuple[Thermal, Battery]:
    """Read temperatures and battery; what the phone does not tell is None."""
    thermal, battery = phone.shell(["dumpsys", "thermalservice"]), phone.shell(["dumpsys", "battery"])
    return (
        parse_thermal(thermal.out) if thermal.code == 0 else Thermal(),
        parse_battery(battery.out) if battery.code == 0 else Battery(),
    )


def describe_sensors(thermal: Thermal, battery: Battery) -> dict[str, str]:
    """Return what explains a number, for the record."""
    rows = {
        "thermal status": "not readable" if thermal.status is None else str(thermal.status),
        "battery": "not readable" if battery.level is None else f"{battery.level:.0f} %",
        "battery temperature": None if battery.celsius is None else f"{battery.celsius:.1f} °C",
        "charging": None if battery.powered is None else ("yes" if battery.powered else "no"),
    }
    return {name: value for name, value in rows.items() if value is not None}


def find_python(phone: Phone) -> Python:
    """Look for a Python that can run our runner."""
    problem = "the phone has no Python"
    for command in ("python3", "python"):
        answer = phone.shell(f"{command} -c {shlex.quote(_PROBE)}", phone.limits.answer + 60)
        if answer.code == 127:
            continue
        try:
            found = parse_model(_Probed, answer.out)
        except ValueError:
            problem = f"the phone's Python fails: {answer.last_words}"
            continue
        version = ".".join(map(str, found.version))
        if found.version < OLDEST_PYTHON:
            problem = f"the phone's Python is {version}, older than {'.'.join(map(str, OLDEST_PYTHON))}"
        elif not found.numpy:
            problem = f"the phone's Python {version} has no numpy"
        else:
            return Python(command, frozenset(name for name in ("tflite", "onnx") if getattr(found, name)))
    return Python(problem=problem)
