"""The text of --target, and the target it names."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.bench.host.target import HostTarget
from imageqx_export.bench.targets import CPUS, FORMS, KINDS, AdbOptions, make_target, make_targets
from imageqx_export.errors import MeasurementError, UnknownNameError


class Made:
    """A target that was made, and of what."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put recorders where the targets' classes are imported from."""
    kinds = {"emulator": "EmulatedTarget", "android": "AdbTarget", "ios": "IosTarget", "web": "WebTarget"}
    for name, kind in kinds.items():
        module = ModuleType(name)
        setattr(module, kind, type(kind, (Made,), {}))
        monkeypatch.setitem(sys.modules, f"imageqx_export.bench.{name}.target", module)


@pytest.mark.parametrize(
    ("text", "kind", "arguments"),
    [
        *((f"emulated:{cpu}", "EmulatedTarget", (cpu,)) for cpu in CPUS),
        ("adb", "AdbTarget", (None, None, False)),
        ("adb:0123456789", "AdbTarget", ("0123456789", None, False)),
        ("adb:127.0.0.1:5555", "AdbTarget", ("127.0.0.1:5555", None, False)),
        ("ios", "IosTarget", ("",)),
        ("web:chromium", "WebTarget", ()),
        ("ios:00008110-0001", "IosTarget", ("00008110-0001",)),
    ],
)
def test_every_form(modules: None, text: str, kind: str, arguments: tuple[object, ...]) -> None:
    target: Any = make_target(text)
    assert (type(target).__name__, target.arguments) == (kind, arguments)


def test_the_host() -> None:
    target = make_target("host")
    assert isinstance(target, HostTarget) and target.name == "host" and target.timed


def test_options_for_phones(modules: None) -> None:
    options = AdbOptions(Path("tool"), True)
    host, phone = make_targets(["host", "adb:1", "host"], options)
    made: Any = phone
    assert isinstance(host, HostTarget) and made.arguments == ("1", Path("tool"), True)
    with pytest.raises(MeasurementError, match="attached Android phones"):
        make_targets(["host"], options)
    assert len(make_targets(["host"], AdbOptions())) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hosts",
        "host:",
        "host:1",
        "emulated",
        "emulated:",
        "emulated:pixel",
        "adb:",
        "ios:",
        "web",
        "web:ie",
        "HOST",
    ],
)
def test_unknown_targets_are_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        make_target(text)
    assert f"unknown target '{text}'" in str(caught.value)
    assert all(form in str(caught.value) for form in FORMS)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_other_text_is_refused(text: str) -> None:
    if text.partition(":")[0] not in KINDS:
        with pytest.raises(UnknownNameError):
            make_target(text)
