"""``imageqx-android``: ``core/`` and ``runtime/`` as one AAR, in a folder that is a Maven repository."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import imageqx_export
from android_demo.tools import modules
from android_demo.tools.kotlin import compile_kotlin
from android_demo.tools.maven import Coordinate, fetch, read_lock
from android_demo.tools.steps import run_step

GROUP, NAME = "org.imageqx", "imageqx-android"
MIN_SDK = 26
RULES = modules.DEMO / "runtime" / "consumer-rules.pro"
"""What an app that shrinks itself must keep; R8 takes it from the AAR."""
_OPTIONAL = "<optional>true</optional>"
_NO_DATE = (1980, 1, 1, 0, 0, 0)

_MANIFEST = f"""<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.imageqx.runtime">
    <uses-sdk android:minSdkVersion="{MIN_SDK}" />
</manifest>
"""
_METADATA = f"aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk={MIN_SDK}\nminCompileSdkExtension=0\n"


def coordinate(version: str | None = None) -> Coordinate:
    """Return the library's coordinate, of this package's version."""
    return Coordinate(GROUP, NAME, version or imageqx_export.__version__, "aar")


def build_android_runtime() -> list[Path]:
    """Compile what of ``runtime/`` needs Android's own classes; return its class path, itself first."""
    runtime = modules.build_runtime()
    sources = [modules.DEMO / "runtime" / "src" / "android" / "kotlin"]
    return [compile_kotlin("runtime/android", sources, [*runtime, *fetch("android")]), *runtime]


def build_aar() -> Path:
    """Write the AAR."""
    android, runtime, core, *_ = build_android_runtime()
    jars = [core, runtime, android]

    def make(output: Path) -> None:
        classes = output.with_suffix(".classes.jar")
        merge_jars(jars, classes)
        entries = {
            "AndroidManifest.xml": _MANIFEST.encode(),
            "classes.jar": classes.read_bytes(),
            "R.txt": b"",
            "proguard.txt": RULES.read_bytes(),
            "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA.encode(),
        }
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries.items():
                archive.writestr(zipfile.ZipInfo(name, _NO_DATE), data, zipfile.ZIP_DEFLATED)
        classes.unlink()

    return run_step("aar/imageqx-android", [*jars, RULES], make, options=[_MANIFEST, _METADATA], suffix=".aar")


def merge_jars(jars: Sequence[Path], output: Path) -> None:
    """Write one jar of several, without dates, so that the same classes give the same bytes."""
    entries: dict[str, bytes] = {}
    for jar in jars:
        with zipfile.ZipFile(jar) as source:
            entries |= {
                name: source.read(name) for name in source.namelist() if not name.endswith(("/", "MANIFEST.MF"))
            }
    with zipfile.ZipFile(output, "w") as target:
        for name in sorted(entries):
            target.writestr(zipfile.ZipInfo(name, _NO_DATE), entries[name], zipfile.ZIP_DEFLATED)


def write_repository(folder: Path) -> Path:
    """Write the AAR with its POM and their checksums as a Maven repository; return the AAR there.

    Args:
        folder: The repository; other libraries and versions in it stay.
    """
    one = coordinate()
    aar = folder / one.path
    pom = aar.with_suffix(".pom")
    aar.parent.mkdir(parents=True, exist_ok=True)
    _write(aar, build_aar().read_bytes())
    _write(pom, write_pom(one).encode())
    return aar


def write_pom(one: Coordinate) -> str:
    """Return the POM: what an app gets with the library, and the GPU delegate and ONNX Runtime, which it may add."""
    kotlin, json = (_find_pin(artifact) for artifact in ("kotlin-stdlib", "kotlinx-serialization-json-jvm"))
    tflite, onnx = _find_pin("tensorflow-lite"), _find_pin("onnxruntime")
    gpu = (_find_pin("tensorflow-lite-gpu"), _find_pin("tensorflow-lite-gpu-api"))
    dependencies = (
        _write_dependency(kotlin.group, kotlin.artifact, kotlin.version),
        _write_dependency(json.group, json.artifact, json.version),
        _write_dependency(tflite.group, tflite.artifact, tflite.version, "<type>aar</type>"),
        *(_write_dependency(one.group, one.artifact, one.version, f"<type>aar</type>{_OPTIONAL}") for one in gpu),
        _write_dependency(onnx.group, "onnxruntime-android", onnx.version, f"<type>aar</type>{_OPTIONAL}"),
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
        f"<groupId>{one.group}</groupId><artifactId>{one.artifact}</artifactId><version>{escape(one.version)}</version>\n"
        "<packaging>aar</packaging><name>ImageQX for Android</name>\n"
        "<description>Is this skin photo good enough for a dermatologist, and if not, why.</description>\n"
        "<licenses><license><name>Apache-2.0</name></license></licenses>\n"
        f"<dependencies>\n{''.join(dependencies)}</dependencies>\n</project>\n"
    )


def read_readme_lines(readme: Path) -> str:
    """Return the Kotlin that the folder's README shows for assessing a bitmap."""
    match = re.search(r"```kotlin\n((?:(?!```).)*openAssessor.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    if match is None:
        raise ValueError(f"no Kotlin with openAssessor in {readme}")
    return match[1]


def _find_pin(artifact: str) -> Coordinate:
    return next(one for pins in read_lock().values() for one in pins if one.artifact == artifact)


def _write_dependency(group: str, artifact: str, version: str, more: str = "") -> str:
    name = f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
    return f"<dependency>{name}<scope>compile</scope>{more}</dependency>\n"


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for kind in ("sha1", "sha256"):
        path.with_name(f"{path.name}.{kind}").write_text(hashlib.new(kind, data).hexdigest(), encoding="ascii")
