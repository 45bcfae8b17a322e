"""Build the app's APK as Gradle's release build does, and look into what came out.

R8 shrinks the classes once; per precision aapt2 puts the model in, and zipalign and apksigner finish the file. The key
is made on the spot: such an APK is for looking at, not for a store.
"""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from android_demo.tools import aar
from android_demo.tools.app import build_app
from android_demo.tools.debian import find_build_tools
from android_demo.tools.jdk import find_jdk
from android_demo.tools.maven import fetch, fetch_one
from android_demo.tools.model import find_artifact, is_proved_on_gpu, take_model
from android_demo.tools.programs import run_or_raise
from android_demo.tools.resources import link_resources, read_catalogue
from android_demo.tools.steps import run_step
from android_demo.tools.tflite.native import GPU_LIBRARY, LIBRARY
from imageqx_export.artifact import Precision
from imageqx_export.errors import ConversionError

ABI = "arm64-v8a"
"""The one kind of phone that the APK is for, as a store splits an app."""

_PASSWORD = "android"  # the debug key's, as everywhere

# What Gradle's proguard-android-optimize.txt asks for, of what this app has.
_DEFAULT_RULES = """\
-allowaccessmodification
-keepattributes RuntimeVisibleAnnotations,AnnotationDefault
-keepclasseswithmembernames,includedescriptorclasses class * { native <methods>; }
-keepclassmembers enum * { public static **[] values(); public static ** valueOf(java.lang.String); }
"""


def shrink(name: str = "app/dex", more_rules: str = "") -> Path:
    """Run R8 over the app and all that it needs; return the folder with classes.dex.

    Args:
        name: The step's.
        more_rules: Beside the app's own.
    """
    resources, jars = link_resources(), [*build_app(), *fetch("kotlin")]
    jars = [jar for jar in jars if "onnxruntime" not in jar.name]  # the app ships one runtime
    (android,) = fetch("android")
    rules = [resources / "rules.pro", aar.RULES]
    return run_r8(name, jars, rules, libraries=[android], more_rules=_DEFAULT_RULES + more_rules)


def run_r8(
    name: str,
    jars: Sequence[Path],
    rules: Sequence[Path],
    *,
    libraries: Sequence[Path] = (),
    more_rules: str = "",
    for_jvm: bool = False,
) -> Path:
    """Shrink jars to one; return the folder with classes.dex, and mapping.txt of the names.

    Args:
        name: The step's.
        jars: All that goes in; the rules that they bring are taken, as the Gradle plugin does.
        rules: Files of rules.
        libraries: What is there on a phone, beside what the JDK has.
        more_rules: Rules as text.
        for_jvm: Write classes.jar in place of classes.dex.

    Raises:
        ConversionError: R8 fails.
    """
    (r8,) = fetch("r8")
    jdk = find_jdk()
    options = ["--release", *(["--classfile"] if for_jvm else ["--min-api", read_catalogue()["min-sdk"]])]
    libs = [word for library in (*libraries, jdk.home) for word in ("--lib", library)]

    def run(output: Path) -> None:
        output.mkdir()
        written, embedded = output / "more.pro", output / "embedded.pro"
        written.write_text(more_rules, encoding="utf-8")
        embedded.write_text(_read_embedded_rules(jars), encoding="utf-8")
        files = [word for file in (written, embedded, *rules) for word in ("--pg-conf", file)]
        jvm = ["-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # half the processor time, for one run
        command = [jdk.java, *jvm, "-cp", r8, "com.android.tools.r8.R8", *options, *libs]
        files += ["--pg-map-output", output / "mapping.txt"]
        target = output / "classes.jar" if for_jvm else output
        run_or_raise([*command, *files, "--output", target, *jars], ConversionError, f"R8 does not take {name}")

    return run_step(name, [*jars, *rules, r8], run, options=[*options, more_rules])


def _read_embedded_rules(jars: Sequence[Path]) -> str:
    """Return the rules that libraries bring with them, as the Gradle plugin takes them."""
    found = []
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            names = [name for name in archive.namelist() if name.startswith("META-INF/proguard/")]
            found += [archive.read(name).decode("utf-8") for name in names if not name.endswith("/")]
    return "\n".join(found)


def build_apk(folder: Path, precision: Precision) -> Path:
    """Build a signed, aligned APK with one precision's model.

    Args:
        folder: An export, with manifest.json.
        precision: Of the .tflite file.
    """
    assets, dex, tools = take_model(folder, precision), shrink(), find_build_tools()
    resources = link_resources(f"apk/{precision}-resources", assets)
    native, key = [_find_native("tflite", "tensorflow-lite", LIBRARY)], _make_key()
    if is_proved_on_gpu(find_artifact(folder, precision)):
        native.append(_find_native("gpu", "tensorflow-lite-gpu", GPU_LIBRARY))

    def build(output: Path) -> None:
        loose, aligned = output.with_suffix(".loose"), output.with_suffix(".aligned")
        try:
            loose.write_bytes((resources / "linked.apk").read_bytes())
            with zipfile.ZipFile(loose, "a") as archive:
                archive.write(dex / "classes.dex", "classes.dex", zipfile.ZIP_DEFLATED)
                # Stored: Android maps it where it lies, from API 23 on.
                for library in native:
                    archive.write(library, f"lib/{ABI}/{library.name}", zipfile.ZIP_STORED)
            tools.run("zipalign", "-f", "-p", "4", loose, aligned)
            sign(aligned, output, key)
        finally:
            loose.unlink(missing_ok=True)
            aligned.unlink(missing_ok=True)

    name = f"apk/imageqx-demo-{precision}"
    return run_step(name, [resources / "linked.apk", dex / "classes.dex", *native, key], build, suffix=".apk")


def sign(unsigned: Path, output: Path, key: Path) -> None:
    """Sign an APK; from API 26 on, schemes 2 and 3 suffice."""
    find_build_tools().run(
        "apksigner",
        "sign",
        "--ks",
        key,
        "--ks-pass",
        f"pass:{_PASSWORD}",
        "--min-sdk-version",
        read_catalogue()["min-sdk"],
        "--v1-signing-enabled",
        "false",
        "--v2-signing-enabled",
        "true",
        "--v3-signing-enabled",
        "true",
        "--out",
        output,
        unsigned,
    )
    Path(f"{output}.idsig").unlink(missing_ok=True)


def _find_native(pins: str, artifact: str, name: str) -> Path:
    """Take a library for phones out of its AAR, which is one of a set of pins."""
    packed = fetch_one(pins, artifact)

    def unpack(output: Path) -> None:
        output.mkdir()
        with zipfile.ZipFile(packed) as archive:
            (output / name).write_bytes(archive.read(f"jni/{ABI}/{name}"))

    return run_step(f"native/{ABI}-{pins}", [packed], unpack) / name


def _make_key() -> Path:
    def make(output: Path) -> None:
        command = [
            find_jdk().home / "bin" / "keytool",
            "-genkeypair",
            "-keystore",
            output,
            "-alias",
            "demo",
            "-keyalg",
            "EC",
            "-validity",
            "36500",
            "-dname",
            "CN=imageqx demo",
            "-storepass",
            _PASSWORD,
            "-keypass",
            _PASSWORD,
        ]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConversionError("keytool fails", where=str(output), got=done.stdout + done.stderr)

    return run_step("apk/key", [], make, suffix=".p12")
