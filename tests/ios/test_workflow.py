"""The workflow for a Mac: what it calls exists, and it chooses a simulator that is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.workflows import MAKEFILE, ROOT, commands_in, parse, scripts_of, steps_of

WORKFLOW = ROOT / ".github" / "workflows" / "ios.yml"
DOCUMENT = parse(WORKFLOW.read_text())


def test_what_it_calls_exists() -> None:
    scripts = "\n".join(script for _, script in scripts_of(DOCUMENT))
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE.read_text(), re.MULTILINE))
    assert {words[0] for words in commands_in(scripts, "make")} <= targets
    for name in re.findall(r"(?:-project|--package-path|python3) (ios_demo/[\w./]+)", scripts):
        assert (ROOT / name).exists(), name
    for module in re.findall(r"-m (tests[\w.]+)", scripts):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module
    assert "-scheme PhotoCheck" in scripts and "-scheme ImageQXKit" in scripts


def test_every_action_is_pinned_and_no_right_is_too_many() -> None:
    for step in steps_of(DOCUMENT):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40))
    assert DOCUMENT["permissions"] == {} and DOCUMENT["jobs"]["app"]["permissions"] == {"contents": "read"}


def test_the_newest_iphone_is_chosen() -> None:
    path = Path(ROOT / "ios_demo" / "choose_simulator.py")
    spec = importlib.util.spec_from_file_location("choose_simulator", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def device(name: str, available: bool = True) -> dict[str, object]:
        return {"name": name, "udid": f"id of {name}", "isAvailable": available}

    prefix = "com.apple.CoreSimulator.SimRuntime."
    listed = {
        f"{prefix}iOS-9-3": [device("iPhone 6")],
        f"{prefix}iOS-18-2": [device("iPad Air"), device("iPhone 15", available=False), device("iPhone 16")],
        f"{prefix}watchOS-26-0": [device("iPhone Watch")],
    }
    assert module.choose({"devices": listed}) == "id of iPhone 16"
    with pytest.raises(LookupError, match="downloadPlatform"):
        module.choose({"devices": {}})
