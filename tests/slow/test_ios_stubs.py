"""The stub of Core ML against Apple's headers: ``make test-ios``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.ios.anchor_stub import fetch_crate, find_unknown

STUB = (Path(__file__).parents[1] / "ios" / "stubs" / "CoreML" / "CoreML.swift").read_text()
pytestmark = pytest.mark.skipif(
    shutil.which("cargo") is None, reason="cargo is not installed: the stub is not anchored"
)


@pytest.fixture(scope="module")
def generated() -> Path:
    os.environ.setdefault("CARGO_TERM_QUIET", "true")
    return fetch_crate()


def test_apple_has_every_declaration(generated: Path) -> None:
    assert find_unknown(STUB, generated) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("featureValueForName:", "featureForName:", "no featureForName:"),
        ("MLComputeUnits CPUAndGPU", "MLComputeUnits CPUAndTPU", "no CPUAndTPU"),
        ("case all = 2", "case all = 3", "no All = 3"),
        ("MLModelCreatorDefinedKey", "MLModelOwnKey", "no constant MLModelOwnKey"),
        ("  // MLMultiArray count", "", "names nothing"),
    ],
)
def test_a_declaration_that_apple_lacks_is_found(old: str, new: str, says: str, generated: Path) -> None:
    assert old in STUB
    found = find_unknown(STUB.replace(old, new), generated)
    assert found and all(says in problem for problem in found)
