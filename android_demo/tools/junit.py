"""Run JUnit tests in a JVM of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from android_demo.tools.jdk import Jdk, find_jdk
from android_demo.tools.maven import fetch
from android_demo.tools.programs import run_program
from imageqx_export.errors import ImageQXError

REPORT = "report: "
"""How a line begins that a test prints for people to see, whether it passes or not."""

_COUNT = re.compile(r"\[\s*(\d+) tests (found|successful|failed|skipped|aborted)")


@dataclass(frozen=True)
class Counts:
    """How many tests ran, and how they ended. ``aborted`` are those whose assumption did not hold."""

    found: int
    successful: int
    failed: int
    skipped: int
    aborted: int


class TestsFailedError(ImageQXError):
    """Tests that failed, or a JVM that died under them."""

    def __init__(self, where: str, counts: Counts, output: str) -> None:
        super().__init__("tests failed", where=where, got=f"{counts.failed} of {counts.found}\n{output}")
        self.counts = counts


def run_junit(
    name: str,
    tests: Path,
    classpath: Sequence[Path],
    *,
    properties: Mapping[str, object] = {},
    jvm: Sequence[str] = (),
    environment: Mapping[str, str] = {},
    jdk: Jdk | None = None,
    only: str | None = None,
) -> Counts:
    """Run all tests of a jar.

    Args:
        name: What errors and progress call them.
        tests: The jar with the test classes.
        classpath: What they need besides; Kotlin's standard library and JUnit are there always.
        properties: Java's system properties.
        jvm: Options of the JVM.
        environment: Variables that are added to this process's own.
        jdk: Java; the one that is found unless given.
        only: A regular expression that the class's name must fit.

    Raises:
        TestsFailedError: One fails, or there is none.
    """
    jars = [tests, *classpath, *fetch("kotlin"), *fetch("junit")]
    select = [] if only is None else ["--include-classname", only]
    command = [
        (jdk or find_jdk()).java,
        "-Xmx1g",
        "-XX:+UseSerialGC",
        *jvm,
        *(f"-D{k}={v}" for k, v in properties.items()),
        "-cp",
        os.pathsep.join(str(jar.resolve()) for jar in jars),
        "org.junit.platform.console.ConsoleLauncher",
        "execute",
        "--scan-class-path",
        tests.resolve(),
        "--disable-banner",
        "--details=tree",
        *select,
    ]
    done = run_program(command, environment=environment)
    counts = read_counts(done.stdout)
    if done.returncode or not counts.successful or counts.failed:
        raise TestsFailedError(name, counts, (done.stdout + done.stderr).strip())
    for line in done.stdout.splitlines():
        if line.startswith(REPORT):
            print(f"  {line.removeprefix(REPORT)}")
    print(f"  {name}: {counts.successful} passed, {counts.failed} failed, {counts.skipped + counts.aborted} skipped")
    return counts


def read_counts(output: str) -> Counts:
    r"""Read the console launcher's summary; zeros where it wrote none.

    >>> read_counts("[         3 tests found           ]\n[         3 tests successful      ]").successful
    3
    """
    found = {kind: int(number) for number, kind in _COUNT.findall(output)}
    return Counts(*(found.get(kind, 0) for kind in ("found", "successful", "failed", "skipped", "aborted")))
