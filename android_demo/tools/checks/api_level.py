"""No class may use what Android 8 (API 26, the minSdk) lacks: animal-sniffer with gummy-bears' signature.

Compilers do not see it: ``ByteBuffer.rewind()`` returns a ByteBuffer since Java 9, and a call to that method dies on
Android 8 with NoSuchMethodError.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from android_demo.tools import modules
from android_demo.tools.jdk import find_jdk
from android_demo.tools.maven import fetch
from android_demo.tools.programs import run_or_raise, run_program
from android_demo.tools.steps import run_step
from imageqx_export.errors import ConversionError

CHECKER = Path(__file__).with_name("ApiLevel.java")
PASSED_OVER = (
    "org.imageqx.*",
    "kotlin.*",
    "kotlinx.*",
    "org.jetbrains.annotations.*",
    "org.tensorflow.lite.*",
    "ai.onnxruntime.*",
)
"""What comes with the app, and so is there on every version."""

_TOO_NEW = """
class TooNew {
    static void rewind(java.nio.ByteBuffer buffer) {
        buffer.rewind();
    }
}
"""


class ApiLevelError(ConversionError):
    """A class uses what the oldest Android lacks."""


GUARDED = {
    "MainActivity": ("android.window.OnBackInvoked",),
    "bench/FactsKt": ("android.os.Build.SOC_MODEL", "android.os.PowerManager.getCurrentThermalStatus()"),
    "photo/PhotoDecoder": ("android.graphics.ImageDecoder",),
}
"""Per class of ``app/``, what newer API it asks the phone's version for first."""


def check_app_level(app: Path) -> None:
    """Check ``app/``: what is too new for Android 8 is what ``GUARDED`` says, all of it and nothing else.

    Raises:
        ApiLevelError: It is not.
    """
    lines = find_too_new([app])
    places = [(name, what) for name, whats in GUARDED.items() for what in whats]
    strange = [line for line in lines if not any(_fits(line, *place) for place in places)]
    unused = [
        f"{name} no longer uses {what}" for name, what in places if not any(_fits(line, name, what) for line in lines)
    ]
    if strange or unused:
        raise ApiLevelError("app/ uses what Android 8 lacks, unguarded", got="\n" + "\n".join(strange + unused))
    print(f"  {app}: {len(places)} kinds of newer API, each behind a question for the version")


def _fits(line: str, name: str, what: str) -> bool:
    return f"org/imageqx/demo/{name}.class" in line and what in line


def check_api_level(jars: Sequence[Path] = ()) -> None:
    """Check ``core/``, ``runtime/`` and further jars, and that the check finds what is too new.

    Raises:
        ApiLevelError: A class uses something that is not there, or the check is blind.
    """
    ours = [modules.build_core()[0], modules.build_runtime()[0], *jars]
    found = find_too_new(ours)
    if found:
        raise ApiLevelError("classes use what Android 8 lacks", got="\n" + "\n".join(found))
    if not any("ByteBuffer.rewind" in line for line in find_too_new([compile_too_new()])):
        raise ApiLevelError("the check does not find ByteBuffer.rewind() as Java 9 compiles it")
    print(f"  {', '.join(str(jar.relative_to('build/android')) for jar in ours)}: nothing newer than API 26")


def find_too_new(jars: Sequence[Path]) -> list[str]:
    """Return a line per use of something that API 26 lacks."""
    *classpath, signature = fetch("animal-sniffer")
    command = [
        find_jdk().java,
        "-cp",
        os.pathsep.join(map(str, classpath)),
        CHECKER,
        signature,
        ",".join(PASSED_OVER),
        *jars,
    ]
    done = run_program(command)
    lines = [line for line in done.stdout.splitlines() if "Undefined reference" in line]
    if bool(done.returncode) != bool(lines):
        raise ApiLevelError("animal-sniffer failed", got=(done.stdout + done.stderr).strip())
    return lines


def compile_too_new() -> Path:
    """Compile a class that uses what came after Android 8; return its folder."""

    def make(folder: Path) -> None:
        folder.mkdir()
        source = folder / "TooNew.java"
        source.write_text(_TOO_NEW, encoding="utf-8")
        run_or_raise([find_jdk().javac, "--release", "9", "-d", folder, source], ConversionError, "javac")

    return run_step("api-level/too-new", [], make, options=[_TOO_NEW])
