"""The list of devices: both its shapes, which phone is taken, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageqx_export.bench.ios.app import import_coremltools
from imageqx_export.bench.ios.phones import (
    Phone,
    choose_phone,
    explain_too_old,
    format_version,
    read_phone,
    read_phones,
    refuse_locked,
    refuse_unfit,
)
from imageqx_export.errors import DeviceError
from imageqx_export.support.core_ml import OLDEST_IOS
from tests.bench.ios.fakes import IDENTIFIER, UDID, recorded

READY = Phone(identifier="C", udid="U", name="Mine", model="iPhone 14 Pro", ios="18.4.1", pairing="paired")


def test_phones_are_read_and_watches_are_not() -> None:
    old, mine = read_phones(recorded("devices"))
    assert mine == Phone(
        identifier=IDENTIFIER,
        udid=UDID,
        name="Clinic's iPhone",
        model="iPhone 14 Pro",
        product="iPhone15,2",
        kind="iPhone",
        ios="18.4.1",
        build="22E252",
        cpu="arm64e",
        transport="wired",
        pairing="paired",
        connection="disconnected",
        developer_mode="enabled",
    )
    assert old.ios == "" and old.version == () and old.connection == "unavailable"
    assert mine.label == f"Clinic's iPhone (iPhone 14 Pro, iOS 18.4.1) {UDID}" and "iOS ?" in old.label


def test_version_5_of_the_list_is_read_without_its_simulators() -> None:
    (phone,) = read_phones(recorded("devices_version5"))
    assert phone == Phone(
        identifier="BBBBBBBB-0000-4000-8000-000000000001",
        udid="00008110-000B000000000001",
        name="Ward iPhone",
        model="iPhone 13",
        product="iPhone14,5",
        kind="iPhone",
        ios="27.0",
        build="24A5380",
        cpu="arm64e",
        transport="localNetwork",
        pairing="paired",
        connection="disconnected",
        developer_mode="enabled",
    )


def test_the_new_shape_wins_where_both_are_there() -> None:
    device = recorded("details")["result"]
    device["properties"] = {"state": {"developerModeStatus": {"disabled": {}}, "name": "New"}}
    phone = read_phone(device)
    assert phone is not None and (phone.developer_mode, phone.name, phone.ios) == ("disabled", "New", "18.4.1")


@pytest.mark.parametrize("answer", [{}, {"result": {}}, {"result": []}, {"result": {"devices": 3}}])
def test_an_answer_without_a_list_is_refused(answer: Any) -> None:
    with pytest.raises(DeviceError, match="cannot be read"):
        read_phones(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["properties", "hardware", "hardwareProperties", "udid", "platform", "state", "identifier"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3))
def test_no_device_of_another_shape_is_a_crash(devices: list[Any]) -> None:
    assert all(phone.udid for phone in read_phones({"result": {"devices": devices}}))


def test_a_phone_is_found_by_udid_in_either_case_and_by_identifier() -> None:
    phones = read_phones(recorded("devices"))
    for name in (UDID, UDID.lower(), IDENTIFIER):
        assert choose_phone(phones, name).udid == UDID


def test_the_only_phone_in_reach_needs_no_udid() -> None:
    assert choose_phone(read_phones(recorded("devices")), "").udid == UDID


def test_an_unknown_udid_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(DeviceError, match="no iPhone has this UDID") as refused:
        choose_phone(read_phones(recorded("devices")), "00008120-000A000000000009")
    assert UDID in str(refused.value.got)


def test_no_phone_is_refused() -> None:
    with pytest.raises(DeviceError, match="no iPhone is connected") as refused:
        choose_phone((), "")
    assert refused.value.got == "none" and "cable" in str(refused.value.remedy)
    with pytest.raises(DeviceError, match="no iPhone is connected"):
        choose_phone([READY.model_copy(update={"connection": "unavailable"})], "")


def test_several_phones_without_a_udid_are_refused_and_with_one_are_not() -> None:
    phones = [READY, READY.model_copy(update={"identifier": "D", "udid": "V"})]
    with pytest.raises(DeviceError, match="several iPhones") as refused:
        choose_phone(phones, "")
    assert refused.value.remedy == "imageqx bench --target ios:U" and "V" in str(refused.value.got)
    assert choose_phone(phones, "V").udid == "V"


@pytest.mark.parametrize(
    ("fact", "what", "remedy"),
    [
        ({"pairing": "unpaired"}, "does not trust this Mac", "tap Trust"),
        ({"connection": "unavailable"}, "not in reach", "cable"),
        ({"developer_mode": "disabled"}, "developer mode is off", "Privacy & Security > Developer Mode"),
        ({"ios": "16.7.10"}, "too old", "update the phone"),
    ],
)
def test_what_rules_a_phone_out_is_said(fact: dict[str, str], what: str, remedy: str) -> None:
    refuse_unfit(READY)
    with pytest.raises(DeviceError, match=what) as refused:
        refuse_unfit(READY.model_copy(update=fact))
    assert remedy in str(refused.value.remedy) and "U" in str(refused.value.where)


@pytest.mark.parametrize("ios", ["17", "17.0", "17.0.1", "26.1", ""])
def test_new_enough_or_not_told_is_not_refused(ios: str) -> None:
    refuse_unfit(READY.model_copy(update={"ios": ios}))


def test_a_locked_phone_is_refused() -> None:
    refuse_locked(READY, recorded("unlocked"))
    with pytest.raises(DeviceError, match="the phone is locked") as refused:
        refuse_locked(READY, recorded("locked"))
    assert "Auto-Lock" in str(refused.value.remedy)


@pytest.mark.parametrize(
    "state",
    [{"passcodeRequired": False, "unlockedSinceBoot": False}, {}, {"passcodeRequired": "false"}],
)
def test_a_phone_is_not_taken_for_unlocked_without_saying_so(state: dict[str, Any]) -> None:
    with pytest.raises(DeviceError, match="lock"):
        refuse_locked(READY, {"result": state})


def test_a_model_for_a_newer_ios_is_not_run() -> None:
    assert explain_too_old(READY, 7) is None and explain_too_old(READY, 9) is None
    assert explain_too_old(READY, 10) == "needs iOS 26.0, the phone has 18.4.1"
    assert "newer than this program knows" in str(explain_too_old(READY, 99))


def test_the_table_of_versions_is_coremltools_own() -> None:
    import_coremltools()
    import coremltools

    prefix = "_SPECIFICATION_VERSION_IOS_"
    theirs = {v: int(k.removeprefix(prefix)) for k, v in vars(coremltools).items() if k.startswith(prefix)}
    assert {spec: ios[0] for spec, ios in OLDEST_IOS.items()} == {
        s: ios for s, ios in theirs.items() if s >= min(OLDEST_IOS)
    }


def test_dotted() -> None:
    assert format_version((17, 4)) == "17.4"


@pytest.mark.parametrize(
    ("ios", "version"),
    [("17.²", (17, 0)), ("²", ()), ("17.٣", (17, 3)), (f"17.{'9' * 5000}", (17, 0)), ("18.4.1", (18, 4, 1))],
)
def test_only_numbers_are_versions(ios: str, version: tuple[int, ...]) -> None:
    """A superscript is a digit to ``str.isdigit``, and not to ``int``."""
    assert READY.model_copy(update={"ios": ios}).version == version


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"result": [1]}])
def test_an_answer_without_a_lock_state_is_a_phone_that_does_not_say(answer: dict[str, object]) -> None:
    with pytest.raises(DeviceError, match="does not say whether it is locked"):
        refuse_locked(READY, answer)
