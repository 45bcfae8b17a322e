"""Link the app's resources with aapt2, as the Android Gradle plugin does."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from xml.etree import ElementTree

from android_demo.tools.debian import BuildTools, find_build_tools
from android_demo.tools.jdk import find_jdk
from android_demo.tools.kotlin import JVM_TARGET
from android_demo.tools.steps import run_step
from imageqx_export.errors import ConversionError

DEMO = Path(__file__).resolve().parent.parent
APP = DEMO / "app" / "src" / "main"
CATALOGUE = DEMO / "gradle" / "libs.versions.toml"
PACKAGE = "org.imageqx.demo"
VERSION = "1.0"
_ANDROID = "{http://schemas.android.com/apk/res/android}"


def read_catalogue() -> dict[str, str]:
    """Read Gradle's version catalogue: version by name."""
    with CATALOGUE.open("rb") as file:
        return dict(tomllib.load(file)["versions"])


def write_manifest(output: Path) -> None:
    """Write the app's manifest as the Gradle plugin merges it: with the package, the SDKs and no placeholder left."""
    versions = read_catalogue()
    ElementTree.register_namespace("android", _ANDROID.strip("{}"))
    text = (APP / "AndroidManifest.xml").read_text(encoding="utf-8").replace("${applicationId}", PACKAGE)
    root = ElementTree.fromstring(text)
    root.set("package", PACKAGE)
    root.set(f"{_ANDROID}versionCode", "1")
    root.set(f"{_ANDROID}versionName", VERSION)
    sdk = ElementTree.Element("uses-sdk")
    sdk.set(f"{_ANDROID}minSdkVersion", versions["min-sdk"])
    sdk.set(f"{_ANDROID}targetSdkVersion", versions["target-sdk"])
    root.insert(0, sdk)
    ElementTree.ElementTree(root).write(output, encoding="utf-8", xml_declaration=True)


def merge_manifest() -> Path:
    """Return the merged manifest."""
    return run_step(
        "app/AndroidManifest",
        [APP / "AndroidManifest.xml", CATALOGUE],
        write_manifest,
        options=[PACKAGE],
        suffix=".xml",
    )


def link_resources(name: str = "app/resources", assets: Path | None = None) -> Path:
    """Link the resources into a folder: ``linked.apk``, ``java/`` with R.java, ``rules.pro`` of what they name.

    Args:
        name: The step's.
        assets: Goes into the APK; .tflite files are stored.
    """
    tools, manifest = find_build_tools(), merge_manifest()
    reads = [APP / "res", manifest, tools.framework, *([] if assets is None else [assets])]

    def link(output: Path) -> None:
        output.mkdir()
        _link(tools, manifest, output, assets)

    return run_step(name, reads, link)


def _link(tools: BuildTools, manifest: Path, output: Path, assets: Path | None) -> None:
    tools.run("aapt2", "compile", "--dir", APP / "res", "-o", output / "compiled.zip")
    tools.run(
        "aapt2",
        "link",
        "-I",
        tools.framework,
        "--manifest",
        manifest,
        "--java",
        output / "java",
        "--proguard",
        output / "rules.pro",
        "-0",
        ".tflite",
        *([] if assets is None else ["-A", assets]),
        "-o",
        output / "linked.apk",
        output / "compiled.zip",
    )
    (output / "compiled.zip").unlink()


def compile_r() -> Path:
    """Compile R.java; return its jar."""
    resources = link_resources()

    def build(output: Path) -> None:
        classes = output.with_suffix("")
        sources = [str(path) for path in (resources / "java").rglob("*.java")]
        jdk = find_jdk()
        for command in (
            [jdk.javac, "--release", JVM_TARGET, "-d", classes, *sources],
            [jdk.home / "bin" / "jar", "--create", "--file", output, "-C", classes, "."],
        ):
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
            if done.returncode:
                raise ConversionError("R.java does not compile", where=str(resources), got=done.stdout + done.stderr)

    return run_step("app/R", [resources / "java"], build, options=[JVM_TARGET], suffix=".jar")
