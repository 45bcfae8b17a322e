"""``python -m tests.ios.prove``: run pytest on what needs the Swift compiler, or say loudly that there is none.

Without it, every Swift file is parsed by tree-sitter-swift instead, which is the weaker proof (``syntax.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from imageqx_export.errors import DeviceError
from tests.ios import toolchain

PARSED = "tests/ios/test_syntax.py"


def prove(arguments: Sequence[str]) -> int:
    """Return pytest's exit code, of the given arguments or of the fallback."""
    try:
        toolchain.find_command()
        toolchain.find_root() or toolchain.build_root()
    except DeviceError as error:
        print(f"NO SWIFT HERE, SO NOTHING WAS COMPILED OR RUN: {error}", file=sys.stderr)
        code = int(pytest.main([PARSED, "-q"]))
        print("WEAKER PROOF: ios_demo was parsed by tree-sitter-swift, and no more", file=sys.stderr)
        return code
    return int(pytest.main(list(arguments)))


if __name__ == "__main__":
    sys.exit(prove(sys.argv[1:]))
