"""Choose the iPhone: read devicectl's list of devices, take one, and refuse what cannot be measured.

The list has two shapes. Up to ``jsonVersion`` 4 a device has ``hardwareProperties``, ``deviceProperties`` and
``connectionProperties``; version 5 (Xcode 27) adds ``properties``, says that the three will go, and lists simulators
too. Both are read. What the list says of a phone may be days old: only a command that must reach it tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imageqx_export.errors import DeviceError
from imageqx_export.support.core_ml import OLDEST_IOS
from imageqx_export.support.frozen import Frozen

OLDEST = (17, 0)
"""The oldest iOS that coremltools' runner is built for (``IPHONEOS_DEPLOYMENT_TARGET`` of its Xcode project)."""

OLDEST_PLAN = (17, 4)
"""The oldest iOS that gives a compute plan (``MLComputePlan``)."""


class Phone(Frozen):
    """A device as devicectl lists it; a word that it leaves out is empty.

    Args:
        identifier: CoreDevice's own, which ``--device`` takes.
        udid: The hardware's, which Xcode takes.
        name: As its owner calls it.
        model: ``"iPhone 14 Pro"``.
        product: ``"iPhone15,2"``.
        kind: ``"iPhone"`` or ``"iPad"``.
        ios: ``"18.4.1"``.
        build: ``"22E252"``.
        cpu: ``"arm64e"``.
        transport: ``"wired"`` or ``"localNetwork"``.
        pairing: ``"paired"`` once the phone trusts this Mac.
        connection: ``"connected"``, ``"disconnected"`` (it connects on demand) or ``"unavailable"``.
        developer_mode: ``"enabled"`` or ``"disabled"``.
    """

    identifier: str
    udid: str
    name: str = ""
    model: str = ""
    product: str = ""
    kind: str = ""
    ios: str = ""
    build: str = ""
    cpu: str = ""
    transport: str = ""
    pairing: str = ""
    connection: str = ""
    developer_mode: str = ""

    @property
    def label(self) -> str:
        """One line for a person: name, model, system and UDID."""
        return f"{self.name or '?'} ({self.model or self.product or '?'}, iOS {self.ios or '?'}) {self.udid}"

    @property
    def version(self) -> tuple[int, ...]:
        """The version of iOS as two numbers or more; empty if it is not known."""
        # Not isdigit(), which takes "²"; and no more digits than a version has.
        numbers = tuple(int(part) for part in self.ios.split(".") if part.isdecimal() and len(part) < 10)
        return (*numbers, 0) if len(numbers) == 1 else numbers


def read_phones(answer: Mapping[str, Any]) -> tuple[Phone, ...]:
    """Read the answer of ``devicectl list devices``: iPhones and iPads that are things, not simulators.

    Raises:
        DeviceError: The answer has no list of devices.
    """
    result = answer.get("result")
    devices = result.get("devices") if isinstance(result, Mapping) else None
    if not isinstance(devices, Sequence):
        raise DeviceError(
            "devicectl's list of devices cannot be read",
            expected="result.devices",
            got=", ".join(answer) or "nothing",
            remedy="xcrun devicectl list devices; if it works there, this version of Xcode is not known here yet",
        )
    return tuple(phone for device in devices if (phone := read_phone(device)) is not None)


def read_phone(device: Mapping[str, Any]) -> Phone | None:
    """Read one device of the list, or the ``result`` of ``device info details``; None if it is no iPhone or iPad."""

    def word(new: str, old: str) -> str:
        return _read_word(device, f"properties.{new}") or _read_word(device, old)

    real = word("hardware.reality", "hardwareProperties.reality") != "simulated"
    udid = word("hardware.udid", "hardwareProperties.udid")
    if not real or not udid or word("hardware.platform", "hardwareProperties.platform") != "iOS":
        return None
    return Phone(
        identifier=_read_word(device, "identifier") or udid,
        udid=udid,
        name=word("state.name", "deviceProperties.name"),
        model=word("hardware.marketingName", "hardwareProperties.marketingName"),
        product=word("hardware.productType", "hardwareProperties.productType"),
        kind=word("hardware.deviceType", "hardwareProperties.deviceType"),
        ios=word("software.osVersionNumber", "deviceProperties.osVersionNumber"),
        build=word("software.osBuildUpdate", "deviceProperties.osBuildUpdate"),
        cpu=word("hardware.cpuType.name", "hardwareProperties.cpuType.name"),
        transport=word("connection.transportType", "connectionProperties.transportType"),
        pairing=word("connection.pairingState", "connectionProperties.pairingState"),
        connection=word("connection.state", "connectionProperties.tunnelState"),
        developer_mode=word("state.developerModeStatus", "deviceProperties.developerModeStatus"),
    )


def _read_word(device: Mapping[str, Any], path: str) -> str:
    value: Any = device
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):  # version 5: {"stringValue": "27.0"}, {"enabled": {"mode": 1}}
        value = value.get("stringValue") or next(iter(value), None)
    return value if isinstance(value, str) else ""


def choose_phone(phones: Sequence[Phone], udid: str) -> Phone:
    """Take the phone with this UDID, or the only one if ``udid`` is empty.

    Raises:
        DeviceError: There is none, or more than one and no UDID, or none with this UDID.
    """
    listed = "; ".join(phone.label for phone in phones) or "none"
    if udid:
        found = [p for p in phones if udid.casefold() in (p.udid.casefold(), p.identifier.casefold())]
        if not found:
            raise DeviceError(
                "no iPhone has this UDID",
                expected=udid,
                got=listed,
                remedy="connect it by cable and unlock it; xcrun devicectl list devices shows UDIDs",
            )
        return found[0]
    here = [phone for phone in phones if phone.connection != "unavailable"]
    if len(here) > 1:
        raise DeviceError(
            "several iPhones are connected",
            expected="one, or its UDID",
            got="; ".join(phone.label for phone in here),
            remedy=f"imageqx bench --target ios:{here[0].udid}",
        )
    if not here:
        raise DeviceError(
            "no iPhone is connected",
            got=listed,
            remedy="connect it by cable, unlock it, tap Trust; then: xcrun devicectl list devices",
        )
    return here[0]


def refuse_unfit(phone: Phone) -> None:
    """Refuse a phone that its facts rule out: not paired, out of reach, developer mode off, iOS too old.

    Raises:
        DeviceError: With what to do on the phone.
    """
    if phone.pairing and phone.pairing != "paired":
        raise DeviceError(
            "the phone does not trust this Mac",
            where=phone.label,
            expected="paired",
            got=phone.pairing,
            remedy=f"unlock it and tap Trust, or: xcrun devicectl manage pair --device {phone.udid}",
        )
    if phone.connection == "unavailable":
        raise DeviceError(
            "the phone is not in reach",
            where=phone.label,
            expected="connected",
            got=phone.connection,
            remedy="connect it by cable and unlock it; then: xcrun devicectl list devices",
        )
    if phone.developer_mode == "disabled":
        raise DeviceError(
            "developer mode is off",
            where=phone.label,
            expected="enabled",
            got=phone.developer_mode,
            remedy="on the phone: Settings > Privacy & Security > Developer Mode, restart, confirm",
        )
    if phone.version and phone.version < OLDEST:
        raise DeviceError(
            "this iOS is too old for coremltools' runner",
            where=phone.label,
            expected=f"iOS {format_version(OLDEST)}",
            got=f"iOS {phone.ios}",
            remedy="update the phone, or take another",
        )


def refuse_locked(phone: Phone, answer: Mapping[str, Any]) -> None:
    """Refuse a phone that ``devicectl device info lockState`` says is locked.

    Raises:
        DeviceError: It is, or has not been unlocked since it was started, or does not say.
    """
    state = answer.get("result")
    state = state if isinstance(state, Mapping) else {}
    required, since_boot = state.get("passcodeRequired"), state.get("unlockedSinceBoot")
    if required is False and since_boot is not False:
        return
    raise DeviceError(
        "the phone is locked" if isinstance(required, bool) else "the phone does not say whether it is locked",
        where=phone.label,
        expected="passcodeRequired: false",
        got=f"passcodeRequired: {required}, unlockedSinceBoot: {since_boot}",
        remedy="unlock it, and set Settings > Display & Brightness > Auto-Lock to Never while it measures",
    )


def explain_too_old(phone: Phone, specification: int) -> str | None:
    """Say why a model of this specification version cannot run on the phone, or None.

    Args:
        phone: The phone.
        specification: ``specificationVersion`` of the Core ML model.
    """
    needed = OLDEST_IOS.get(specification)
    if needed is None:
        return f"Core ML specification {specification} is newer than this program knows; which iOS it needs is unknown"
    if phone.version and phone.version < needed:
        return f"needs iOS {format_version(needed)}, the phone has {phone.ios}"
    return None


def format_version(version: Sequence[int]) -> str:
    """Return ``(17, 4)`` as ``"17.4"``."""
    return ".".join(map(str, version))
