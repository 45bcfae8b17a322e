"""Every phone that the iPhone target refuses, with what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.bench.ios.target import IosTarget, connect
from imageqx_export.bench.model import QUICK, Machine
from imageqx_export.errors import DeviceError, ImageQXError
from tests.bench.ios.fakes import (
    UDID,
    FakeMac,
    recorded,
)


def opened(target: IosTarget, folder: Path) -> Machine:
    """Open the target and close it again."""
    with target.open(folder, (), QUICK, "run-1") as machine:
        return machine


def changed(name: str, path: str, value: str) -> dict[str, Any]:
    """Return a recording with one word of the phone changed, wherever it is."""
    answer = recorded(name)
    for device in answer["result"].get("devices", [answer["result"]]):
        section, key = path.split(".")
        if device["hardwareProperties"]["udid"] == UDID:
            device[section][key] = value
    return {"json": answer}


NOBODY = {"json": {"info": {"outcome": "success"}, "result": {"devices": []}}}
REFUSED = {
    "no phone": ({"list_devices": NOBODY}, "no iPhone has this UDID"),
    "unpaired": (
        {"list_devices": changed("devices", "connectionProperties.pairingState", "unpaired")},
        "does not trust this Mac",
    ),
    "out of reach": (
        {"list_devices": changed("devices", "connectionProperties.tunnelState", "unavailable")},
        "not in reach",
    ),
    "developer mode off, as listed": (
        {"list_devices": changed("devices", "deviceProperties.developerModeStatus", "disabled")},
        "developer mode is off",
    ),
    "developer mode off, as found out": (
        {"device_info_details": changed("details", "deviceProperties.developerModeStatus", "disabled")},
        "developer mode is off",
    ),
    "iOS too old": ({"list_devices": changed("devices", "deviceProperties.osVersionNumber", "16.7.2")}, "too old"),
    "gone since it was listed": ({"device_info_details": {"json": recorded("not_found"), "code": 1}}, "not answer"),
    "locked": ({"device_info_lockState": {"json": recorded("locked")}}, "the phone is locked"),
    "no developer services": (
        {"device_info_lockState": {"json": recorded("no_disk_image"), "code": 1}},
        "developer services",
    ),
    "unsigned": ({"xcodebuild": {"stdout": "error: No profiles for 'x' were found", "code": 65}}, "cannot build"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_every_refusal_says_what_and_what_to_do_and_installs_nothing(mac: FakeMac, tmp_path: Path, case: str) -> None:
    answers, what = REFUSED[case]
    mac.change(**answers)
    path = os.environ["PATH"]
    with pytest.raises(ImageQXError, match=what) as refused:
        opened(IosTarget(UDID), tmp_path)
    assert refused.value.remedy and refused.value.got
    assert not any("install" in call for call in mac.calls) and os.environ["PATH"] == path


def test_several_phones_need_a_udid(mac: FakeMac) -> None:
    answer = recorded("devices")
    answer["result"]["devices"][0]["connectionProperties"]["tunnelState"] = "disconnected"
    mac.change(list_devices={"json": answer})
    with pytest.raises(DeviceError, match="several iPhones"):
        connect("")
    phone, version = connect(UDID)
    assert phone.udid == UDID and version == "397.28"
