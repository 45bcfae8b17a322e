"""An app that takes ``imageqx-android`` and shrinks itself with R8 says what PyTorch says; without the AAR's rules, no.

The app is ``consumer/Consumer.kt``, with both runtimes. R8 takes the rules that Gradle would: the AAR's
``proguard.txt``, those of the other AARs and jars. It writes classes for a JVM, as those that dex-tools makes of a dex
of R8's do not run on one: R8 calls the constructor of a class's parent from elsewhere, which a dex may.
"""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

from android_demo.tools import aar
from android_demo.tools.apk import run_r8
from android_demo.tools.jdk import find_jdk
from android_demo.tools.kotlin import TEST_OPTIONS, compile_kotlin
from android_demo.tools.maven import fetch
from android_demo.tools.modules import unpack_classes
from android_demo.tools.programs import run_program
from android_demo.tools.steps import run_step
from android_demo.tools.tflite.native import build_native
from imageqx_export.artifact import Artifact, Format, Precision
from imageqx_export.bundle.golden import list_golden_pictures, load_golden_outputs
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.errors import ConversionError, ParityError
from imageqx_export.predict.verdict import make_verdict

_SOURCES = Path(__file__).with_name("consumer")
_MAIN = "org.imageqx.consumer.ConsumerKt"
_KEEP_MAIN = f"-keep class {_MAIN} {{ public static void main(java.lang.String[]); }}\n"
_ONNX_NATIVE = "ai/onnxruntime/native/linux-x64/"


def check_shrunk(folder: Path) -> None:
    """Let the shrunk app assess an export's golden pictures, with a file of each runtime.

    Raises:
        ParityError: It says something else than PyTorch.
        ConversionError: R8 does not take it, or it runs without what the AAR's rules keep.
    """
    artifacts = [find_float32(folder, kind) for kind in (Format.TFLITE, Format.ONNX)]
    shrunk = shrink_consumer("aar/shrunk", "proguard.txt")
    for artifact in artifacts:
        done, wanted = run_consumer(shrunk, folder, artifact), list_verdicts(folder, artifact)
        if done.stdout.splitlines() != wanted:
            raise ParityError(
                "a shrunk app says something else",
                where=artifact.path,
                expected="\n".join(wanted),
                got=done.stdout + done.stderr,
            )
        print(f"  shrunk, {artifact.path}: {len(wanted)} of {len(wanted)} verdicts are PyTorch's")
    bare = shrink_consumer("aar/bare", "keeps-nothing.txt")
    if not [artifact for artifact in artifacts if fails(bare, folder, artifact)]:
        raise ConversionError("the app runs without what the AAR's rules keep")


def fails(classes: Path, folder: Path, artifact: Artifact) -> bool:
    """Tell whether the app fails with a file, and print why."""
    done = run_consumer(classes, folder, artifact)
    lines = [line for line in (done.stderr + done.stdout).splitlines() if "Error" in line or "Exception" in line]
    why = (lines or ["a crash"])[0] if done.returncode else "it runs all the same"
    print(f"  without what the AAR keeps, {artifact.path}: {why[:120]}")
    return done.returncode != 0


def shrink_consumer(name: str, ours: str) -> Path:
    """Compile the app against the AAR, and shrink it to a jar, with rules of the unpacked AAR's."""
    unpacked = unpack_aar()
    onnx, tflite = fetch("onnx"), fetch("tflite")
    libraries = [unpacked / "classes.jar", *(unpack_classes(one) for one in tflite), *onnx, *fetch("serialization")]
    app = compile_kotlin("aar/shrunk-app", [_SOURCES], libraries, options=TEST_OPTIONS)
    rules = [unpacked / f"proguard-{number}.txt" for number in range(len(tflite))]
    rules.append(unpacked / ours)
    jars = [app, *libraries, *fetch("kotlin")]
    folder = run_r8(name, jars, rules, libraries=fetch("android"), more_rules=_KEEP_MAIN, for_jvm=True)
    return folder / "classes.jar"


def unpack_aar() -> Path:
    """Return a folder with the AAR's classes and rules, these without what they keep, and TensorFlow Lite's rules."""
    library, others = aar.build_aar(), fetch("tflite")

    def make(output: Path) -> None:
        output.mkdir()
        with zipfile.ZipFile(library) as archive:
            for name in ("classes.jar", "proguard.txt"):
                (output / name).write_bytes(archive.read(name))
        lines = (output / "proguard.txt").read_text(encoding="utf-8").splitlines(keepends=True)
        (output / "keeps-nothing.txt").write_text("".join(one for one in lines if not one.startswith("-keep")))
        for number, other in enumerate(others):
            with zipfile.ZipFile(other) as archive:
                (output / f"proguard-{number}.txt").write_bytes(archive.read("proguard.txt"))

    return run_step("aar/unpacked", [library, *others, Path(__file__)], make)


def run_consumer(classes: Path, folder: Path, artifact: Artifact) -> subprocess.CompletedProcess[str]:
    """Run the app over an export's golden pictures."""
    native = build_native().resolve()
    command = [
        find_jdk().java,
        f"-Djava.library.path={native}",
        f"-Donnxruntime.native.path={unpack_onnx_native().resolve()}",
        "-cp",
        classes,
        _MAIN,
        folder.resolve(),
        artifact.path,
        *(folder.resolve() / "golden" / name for name in list_golden_pictures(folder)),
    ]
    return run_program(command, environment={"LD_LIBRARY_PATH": os.fspath(native)})


def unpack_onnx_native() -> Path:
    """Take ONNX Runtime's native libraries out of its jar, whose classes are not to be on the class path."""
    (jar,) = fetch("onnx")

    def unpack(output: Path) -> None:
        output.mkdir()
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.startswith(_ONNX_NATIVE) and not name.endswith("/"):
                    (output / Path(name).name).write_bytes(archive.read(name))

    return run_step("native/onnx", [jar], unpack)


def find_float32(folder: Path, kind: Format) -> Artifact:
    """Return an export's float32 file of a format."""
    artifacts = read_manifest(folder).artifacts
    return next(one for one in artifacts if one.format is kind and one.precision is Precision.FP32)


def list_verdicts(folder: Path, artifact: Artifact) -> list[str]:
    """Return what the app should print: a line for each golden picture, from PyTorch's outputs."""
    outputs = load_golden_outputs(folder, artifact.precision)
    names = list_golden_pictures(folder)
    verdicts = [make_verdict(name, outputs, index, artifact.spec) for index, name in enumerate(names)]
    return [f"{str(one.retake).lower()} {'; '.join(one.hints)}" for one in verdicts]
