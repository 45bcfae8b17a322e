"""The modules of android_demo, and what each is compiled and tested with."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy
import PIL

from android_demo.tools import golden
from android_demo.tools.junit import Counts, run_junit
from android_demo.tools.kotlin import TEST_OPTIONS, compile_kotlin
from android_demo.tools.maven import fetch
from android_demo.tools.steps import run_step
from android_demo.tools.tflite.native import build_native

DEMO = Path(__file__).resolve().parent.parent


_NATIVE = r".*\.(TfliteRuntimeTest|GpuMissingTest|GpuDelegateTest)$"
"""What needs a library of TensorFlow Lite's."""


def list_sources(module: str, kind: str = "main") -> Path:
    """Return the Kotlin folder of a module's source set, ``"main"`` or ``"test"``."""
    return DEMO / module / "src" / kind / "kotlin"


def build_core() -> list[Path]:
    """Compile ``core/``; return its class path, itself first."""
    libraries = fetch("serialization")
    return [compile_kotlin("core/main", [list_sources("core")], libraries), *libraries]


def build_runtime() -> list[Path]:
    """Compile ``runtime/``, against the libraries that run it; return its class path, itself first."""
    core, libraries = build_core(), [*fetch("onnx"), *unpack_tflite()]
    return [compile_kotlin("runtime/main", [list_sources("runtime")], [*core, *libraries]), *core, *libraries]


def unpack_tflite() -> list[Path]:
    """Take the classes out of TensorFlow Lite's AARs, and of its GPU delegate's; return their jars."""
    return [unpack_classes(aar) for aar in fetch("tflite", "gpu")]


def unpack_classes(aar: Path) -> Path:
    """Take ``classes.jar`` out of an AAR."""

    def unpack(output: Path) -> None:
        with zipfile.ZipFile(aar) as archive:
            output.write_bytes(archive.read("classes.jar"))

    return run_step(f"classes/{aar.stem}", [aar], unpack, suffix=".jar")


def make_golden() -> Path:
    """Write what core's tests compare with; return its folder."""
    package = DEMO.parent / "imageqx_export"
    reads = (
        "artifact.py",
        "model_spec.py",
        "preprocess.py",
        "decisions.py",
        "bundle/photos.py",
        "bundle/golden_photos",
        "support/colours.py",
        "evaluation/heatmap.py",
        "predict/verdict.py",
        "networks/imageqx/spec.py",
    )
    files = [Path(golden.__file__), *(package / name for name in reads)]
    return run_step("golden", files, golden.write_golden, options=[PIL.__version__, numpy.__version__])


def build_core_tests() -> Path:
    """Compile ``core/``'s tests."""
    core = build_core()
    return compile_kotlin(
        "core/test", [list_sources("core", "test")], [*core, *fetch("junit")], friends=core[:1], options=TEST_OPTIONS
    )


def test_core() -> Counts:
    """Run ``core/``'s tests."""
    return run_junit("core", build_core_tests(), build_core(), properties={"imageqx.golden": make_golden().resolve()})


def build_runtime_tests() -> tuple[Path, list[Path]]:
    """Compile ``runtime/``'s tests; return their jar, and what it needs."""
    runtime = build_runtime()
    tests = compile_kotlin(
        "runtime/test",
        [list_sources("runtime", "test")],
        [*runtime, *fetch("junit")],
        friends=runtime[:1],
        options=TEST_OPTIONS,
    )
    return tests, runtime


def test_runtime(artifacts: Path) -> Counts:
    """Run ``runtime/``'s tests with ONNX Runtime's own build for desktops, over an export's golden pictures."""
    tests, classpath = build_runtime_tests()
    properties = {"imageqx.artifacts": artifacts.resolve()}
    return run_junit("runtime", tests, classpath, properties=properties, only=rf"^(?!{_NATIVE}).*Test$")


def test_tflite(artifacts: Path) -> Counts:
    """Run the same contract with TensorFlow Lite's library for Android."""
    tests, classpath = build_runtime_tests()
    folder = build_native().resolve()
    return run_junit(
        "tflite",
        tests,
        classpath,
        properties={"imageqx.artifacts": artifacts.resolve(), "java.library.path": folder},
        environment={"LD_LIBRARY_PATH": str(folder)},
        only=r".*\.(TfliteRuntimeTest|GpuMissingTest)$",
    )
