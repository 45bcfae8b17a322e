"""``python -m android_demo.tools``: build and test android_demo, and renew its lock."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping

from android_demo.tools import maven, modules
from imageqx_export.errors import ImageQXError

TESTS: Mapping[str, Callable[[], object]] = {
    "core": modules.test_core,
}
"""What ``test`` runs, in this order: name → a function that raises where something is wrong."""


def main() -> None:
    """Run what the command line asks for; exit 1 with one error where it fails."""
    parser = argparse.ArgumentParser(prog="python -m android_demo.tools", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    test = commands.add_parser("test", help="run proofs; all unless named")
    test.add_argument("names", nargs="*", choices=[[], *TESTS], metavar="NAME", help=", ".join(TESTS))
    commands.add_parser("fetch", help="fetch everything that the lock names")
    commands.add_parser("lock", help="fetch everything whatever its digest, and write the digests into the lock")
    arguments = parser.parse_args()
    try:
        if arguments.command == "test":
            for name in arguments.names or TESTS:
                print(f"{name}:", flush=True)
                TESTS[name]()
        elif arguments.command == "fetch":
            maven.fetch(*maven.read_lock())
        else:
            maven.write_lock()
    except ImageQXError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
