"""The modules of android_demo, and what each is compiled and tested with."""

from __future__ import annotations

from pathlib import Path

from android_demo.tools.junit import Counts, run_junit
from android_demo.tools.kotlin import TEST_OPTIONS, compile_kotlin
from android_demo.tools.maven import fetch

DEMO = Path(__file__).resolve().parent.parent


def list_sources(module: str, kind: str = "main") -> Path:
    """Return the Kotlin folder of a module's source set, ``"main"`` or ``"test"``."""
    return DEMO / module / "src" / kind / "kotlin"


def build_core() -> list[Path]:
    """Compile ``core/``; return its class path, itself first."""
    libraries = fetch("serialization")
    return [compile_kotlin("core/main", [list_sources("core")], libraries), *libraries]


def test_core() -> Counts:
    """Run ``core/``'s tests."""
    core = build_core()
    tests = compile_kotlin(
        "core/test", [list_sources("core", "test")], [*core, *fetch("junit")], friends=core[:1], options=TEST_OPTIONS
    )
    return run_junit("core", tests, core)
