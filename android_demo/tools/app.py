"""Compile and test the app: its plain Kotlin, its screens and its decoders, on a JVM."""

from __future__ import annotations

from pathlib import Path

import PIL

from android_demo.tools import photos
from android_demo.tools.aar import build_android_runtime
from android_demo.tools.junit import Counts, run_junit
from android_demo.tools.kotlin import TEST_OPTIONS, compile_kotlin
from android_demo.tools.maven import fetch
from android_demo.tools.modules import DEMO, list_sources, unpack_classes
from android_demo.tools.resources import PACKAGE, compile_r, link_resources, merge_manifest
from android_demo.tools.steps import BUILD, run_step
from imageqx_export.bench.imported import read_shared_run

SCREENS = BUILD / "screens"
"""Where the tests draw every screen."""

SHARED_RUN = BUILD / "shared_run.json"
"""What the app's measurement writes; a test of ``imageqx bench --import`` reads it."""

# What Robolectric reaches into; the list is its own documentation's, for a JVM from 17 on.
_JVM = (
    "-Xmx2g",
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.lang", "java.util", "java.io", "java.net")),
    "--add-opens=java.base/jdk.internal.access=ALL-UNNAMED",
)


def build_app() -> list[Path]:
    """Compile ``app/``; return its class path, itself first."""
    libraries = [compile_r(), *build_android_runtime()]
    jar = compile_kotlin("app/main", [list_sources("app")], [*libraries, *fetch("android")], options=TEST_OPTIONS)
    return [jar, *libraries]


def build_tests(app: list[Path]) -> Path:
    """Compile ``app/``'s tests."""
    against = [*app, *fetch("robolectric", "junit"), *_unpack_androidx(), *fetch("android")]
    return compile_kotlin("app/test", [list_sources("app", "test")], against, friends=app[:1], options=TEST_OPTIONS)


def test_app(only: str | None = None) -> Counts:  # noqa: PT028  # no test of pytest
    """Run ``app/``'s tests: with Android's own classes and native graphics, on no phone.

    Args:
        only: A regular expression that the test class's name must fit; all unless given.
    """
    app = build_app()
    (android,) = fetch("robolectric-android")
    properties = {
        "robolectric.offline": "true",
        "robolectric.dependency.dir": android.parent,
        "imageqx.screens": SCREENS.resolve(),
        "imageqx.run": SHARED_RUN.resolve(),
        "imageqx.photos": make_photos().resolve(),
    }
    classpath = [_configure(), *app, *fetch("robolectric"), *_unpack_androidx(), *fetch("android")]
    counts = run_junit("app", build_tests(app), classpath, properties=properties, jvm=_JVM, only=only)
    if only is None:
        run = read_shared_run(SHARED_RUN)
        print(f"  imageqx bench --import reads what the app shares: {len(run.measurements)} models of {run.target}")
    return counts


def make_photos() -> Path:
    """Write the photos that Android's decoders are held to; return their folder."""
    package = DEMO.parent / "imageqx_export"
    reads = [Path(photos.__file__), package / "preprocess.py", package / "bundle" / "golden_photos"]
    return run_step("photos", reads, photos.write_decoder_photos, options=[PIL.__version__])


def _unpack_androidx() -> list[Path]:
    return [unpack_classes(aar) for aar in fetch("androidx-test")]


def _configure() -> Path:
    """Write what Robolectric asks for: where the manifest, the resources and the assets are."""
    resources, manifest = link_resources(), merge_manifest()

    def write(output: Path) -> None:
        (output / "assets").mkdir(parents=True)
        file = output / "com" / "android" / "tools" / "test_config.properties"
        file.parent.mkdir(parents=True)
        values = {
            "android_merged_manifest": manifest.resolve(),
            "android_merged_assets": (output / "assets").resolve(),
            "android_resource_apk": (resources / "linked.apk").resolve(),
            "android_custom_package": PACKAGE,
        }
        file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")

    return run_step("app/robolectric", [manifest, resources], write)
