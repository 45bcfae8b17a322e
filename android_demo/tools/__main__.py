"""``python -m android_demo.tools``: build and test android_demo, and renew its lock."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from android_demo.tools import aar, app, maven, modules
from android_demo.tools.checks import api_level, apk, arm64, dex, gpu, library, shrunk
from android_demo.tools.tflite import native
from imageqx_export.errors import ImageQXError

ARTIFACTS = Path("artifacts") / "imageqx"

TESTS: Mapping[str, Callable[[Path], object]] = {
    "core": lambda _: modules.test_core(),
    "runtime": modules.test_runtime,
    "tflite": modules.test_tflite,
    "gpu": gpu.check_gpu,
    "arm64": arm64.check_arm64,
    "api-level": lambda _: api_level.check_api_level(),
    "dex": lambda _: dex.test_dex(),
    "app-dex": lambda _: dex.test_app_dex(),
    "library": lambda _: library.check_library(),
    "shrunk": shrunk.check_shrunk,
    "app": lambda _: app.test_app(),
    "app-level": lambda _: api_level.check_app_level(app.build_app()[0]),
    "apk": apk.test_apks,
}
"""What ``test`` runs, in this order: name → a function of an export's folder that raises where something is wrong."""


def main() -> None:
    """Run what the command line asks for; exit 1 with one error where it fails."""
    parser = argparse.ArgumentParser(prog="python -m android_demo.tools", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    test = commands.add_parser("test", help="run proofs; all unless named")
    test.add_argument("names", nargs="*", choices=[[], *TESTS], metavar="NAME", help=", ".join(TESTS))
    test.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="an export's folder")
    publish = commands.add_parser("aar", help="write imageqx-android as a Maven repository")
    publish.add_argument("--out", type=Path, default=Path("build") / "maven", help="its folder")
    commands.add_parser("runner", help="build what imageqx compat --runtimes tensorflow-lite runs")
    commands.add_parser("fetch", help="fetch everything that the lock names")
    commands.add_parser("lock", help="fetch everything whatever its digest, and write the digests into the lock")
    arguments = parser.parse_args()
    try:
        if arguments.command == "test":
            run_tests(arguments.names or list(TESTS), arguments.artifacts)
        elif arguments.command == "aar":
            print(aar.write_repository(arguments.out))
        elif arguments.command == "runner":
            print(*native.build_runners(), sep="\n")
        elif arguments.command == "fetch":
            maven.fetch(*maven.read_lock())
        else:
            maven.write_lock()
    except ImageQXError as error:
        sys.exit(f"error: {error}")


def run_tests(names: list[str], artifacts: Path) -> None:
    """Run some of ``TESTS``, each with its time; the first that fails ends it."""
    for name in names:
        began = time.monotonic()
        print(f"{name}:", flush=True)
        TESTS[name](artifacts)
        print(f"{name}: right, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
