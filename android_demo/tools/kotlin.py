"""Compile Kotlin to a jar, with the compiler that Gradle would run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from android_demo.tools.jdk import find_jdk
from android_demo.tools.maven import fetch, fetch_one
from android_demo.tools.programs import run_program
from android_demo.tools.steps import run_step
from imageqx_export.errors import ConversionError
from imageqx_export.support.files import list_files

JVM_TARGET = "11"
"""The class files' version: what the Gradle files ask for too."""

OPTIONS = (
    "-no-stdlib",
    "-no-reflect",
    "-jvm-target",
    JVM_TARGET,
    "-Werror",
    "-progressive",
    "-Xexplicit-api=warning",
)
TEST_OPTIONS = tuple(option for option in OPTIONS if not option.startswith("-Xexplicit-api"))

# A compiler that runs for ten seconds is not worth the optimizing compiler's time.
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g", "-Xshare:auto")
_PLUGIN = "kotlin-serialization-compiler-plugin-embeddable"


def compile_kotlin(
    name: str,
    sources: Sequence[Path],
    classpath: Sequence[Path],
    *,
    friends: Sequence[Path] = (),
    options: Sequence[str] = OPTIONS,
) -> Path:
    """Compile a source set.

    Args:
        name: The step's name, such as ``"core/main"``.
        sources: Folders of ``.kt`` files.
        classpath: Jars that it is compiled against; Kotlin's standard library is among them always.
        friends: Those jars of the class path whose internal names it may use: a module's own, for its tests.
        options: The compiler's.

    Returns:
        The jar.

    Raises:
        ConversionError: It does not compile; the compiler's messages are in the error.
    """
    compiler, plugin = fetch("compiler"), fetch_one("compiler", _PLUGIN)
    jars = [*classpath, *fetch("kotlin")]
    files = [file for folder in sources for file in list_files(folder) if file.suffix == ".kt"]
    arguments = [*options, f"-Xplugin={plugin}", "-module-name", name.replace("/", "-")]
    if friends:
        arguments.append("-Xfriend-paths=" + ",".join(str(path.resolve()) for path in friends))

    def make(output: Path) -> None:
        main = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
        command = [
            find_jdk().java,
            *_JVM,
            "-cp",
            os.pathsep.join(map(str, compiler)),
            main,
            *arguments,
            "-cp",
            os.pathsep.join(map(str, jars)),
            "-d",
            output,
            *files,
        ]
        done = run_program(command)
        if done.returncode:
            raise ConversionError(
                "Kotlin does not compile", where=name, got="\n" + (done.stderr or done.stdout).strip()
            )

    return run_step(name, [*files, *jars, *friends], make, options=arguments, suffix=".jar")
