"""The Kotlin of core/ and runtime/, where there is a JDK and Maven; make test-android proves the same, and more."""

from __future__ import annotations

from pathlib import Path

import pytest

from android_demo.tools import maven, modules
from android_demo.tools.jdk import find_jdk
from imageqx_export.errors import UnavailableError

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", autouse=True)
def toolchain() -> None:
    """Skip, and say so, where the compiler cannot be had."""
    try:
        find_jdk()
        maven.fetch("compiler", "kotlin", "serialization", "junit", "onnx", "tflite")
    except UnavailableError as error:
        pytest.skip(f"THE ANDROID CODE IS NOT TESTED: {error}")


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(modules.DEMO.parent)


def test_core_gives_what_python_gives() -> None:
    counts = modules.test_core()
    assert counts.successful > 300
    assert counts.skipped == counts.aborted == 0


def test_runtime_gives_what_pytorch_gives_on_onnx_runtime(exported: Path) -> None:
    counts = modules.test_runtime(exported)
    assert counts.successful > 20
    assert counts.skipped == counts.aborted == 0
