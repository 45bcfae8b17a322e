"""What a phone would run, dex, says the same: classes → D8 or R8 → dex → dex-tools → classes, and core's tests there.

D8's is what an app gets that is not minified. The APK's is R8's: tests call what an app without them need not keep, so
theirs is made by the same run with more rules to keep names, as Android's own tests of minified builds are; what R8
makes of the bodies stays.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from android_demo.tools import modules
from android_demo.tools.apk import shrink
from android_demo.tools.checks import classfile
from android_demo.tools.checks.classfile import mend_jar
from android_demo.tools.jdk import find_jdk
from android_demo.tools.junit import Counts, TestsFailedError, run_junit
from android_demo.tools.maven import fetch
from android_demo.tools.programs import run_or_raise
from android_demo.tools.steps import run_step
from imageqx_export.errors import ConversionError

MIN_API = 26

# dex-tools leaves out stack maps, which the JVM asks of classes that it does not trust.
_UNVERIFIED = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote")
_DECISIONS = r".*\.DecisionsTest$"
_CORE = "org/imageqx/core/"
_KEPT_FOR_TESTS = """\
-keep class org.imageqx.core.** { *; }
-keep class kotlin.** { *; }
-keep class kotlinx.** { *; }
-dontwarn kotlin.**
-dontwarn kotlinx.**
"""


def test_dex() -> Counts:
    """Run core's tests on its dex, and see that a changed dex fails them.

    Raises:
        TestsFailedError: One fails.
        ConversionError: A tool fails, or the tests do not see a change.
    """
    core, *libraries = modules.build_core()
    tests = modules.build_core_tests()
    properties = {"imageqx.golden": modules.make_golden().resolve()}
    back = from_dex("core", to_dex("core", core, libraries), libraries)
    counts = run_junit("core from dex", tests, [back, *libraries], properties=properties, jvm=_UNVERIFIED)
    changed = from_dex("changed", to_dex("changed", change_label(core), libraries), libraries)
    try:
        run_junit("changed", tests, [changed, *libraries], properties=properties, jvm=_UNVERIFIED, only=_DECISIONS)
    except TestsFailedError:
        return counts
    raise ConversionError("core's tests pass on a dex that was changed")


def test_app_dex() -> Counts:
    """Run core's tests on what R8 makes of it in the app, and see that it is not what went in.

    Raises:
        TestsFailedError: One fails.
        ConversionError: A tool fails, or R8 left core as it was.
    """
    core, *libraries = modules.build_core()
    back = from_dex("app", shrink("dex/app", _KEPT_FOR_TESTS) / "classes.dex", libraries)
    plain = from_dex("core", to_dex("core", core, libraries), libraries)
    if not measure_core(back) < measure_core(plain):
        raise ConversionError("R8 shrank nothing of core: its dex is not the app's", where=back)
    properties = {"imageqx.golden": modules.make_golden().resolve()}
    return run_junit(
        "core from the app's dex",
        modules.build_core_tests(),
        [back, *libraries],
        properties=properties,
        jvm=_UNVERIFIED,
    )


def to_dex(name: str, jar: Path, libraries: list[Path]) -> Path:
    """Compile a jar to dex as the Android plugin would; return a zip with classes.dex."""
    (r8,) = fetch("r8")

    def make(output: Path) -> None:
        classpath = [word for library in libraries for word in ("--classpath", library)]
        command = [
            find_jdk().java,
            "-cp",
            r8,
            "com.android.tools.r8.D8",
            "--release",
            "--min-api",
            MIN_API,
            "--lib",
            find_jdk().home,
            *classpath,
            "--output",
            output,
            jar,
        ]
        run_or_raise(command, ConversionError, "D8")

    return run_step(f"dex/{name}-dex", [r8, jar, *libraries], make, options=[MIN_API], suffix=".zip")


def from_dex(name: str, archive: Path, libraries: list[Path]) -> Path:
    """Convert the dex files of a zip or an APK back to classes, which run beside some libraries; return a jar."""
    tools = fetch("dex-tools")

    def make(output: Path) -> None:
        main = "com.googlecode.dex2jar.tools.Dex2jarCmd"
        classpath = os.pathsep.join(map(str, tools))
        raw = output.with_suffix(".raw.jar")
        run_or_raise([find_jdk().java, "-cp", classpath, main, "--force", "-o", raw, archive], ConversionError, main)
        if not raw.exists():
            raise ConversionError("dex-tools wrote nothing", where=archive)
        mend_jar(raw, output, libraries)

    return run_step(f"dex/{name}-back", [archive, *tools, Path(classfile.__file__)], make, suffix=".jar")


def measure_core(jar: Path) -> int:
    """Return the bytes of core's classes in a jar, unpacked."""
    with zipfile.ZipFile(jar) as archive:
        return sum(entry.file_size for entry in archive.infolist() if entry.filename.startswith(_CORE))


def change_label(jar: Path) -> Path:
    """Return a copy of core in which the label of poor photos is spelt otherwise."""

    def make(output: Path) -> None:
        with zipfile.ZipFile(jar) as source, zipfile.ZipFile(output, "w") as target:
            for name in source.namelist():
                target.writestr(name, source.read(name).replace(b"poor_quality", b"poor_qualitz"))

    return run_step("dex/changed-classes", [jar], make, suffix=".jar")
