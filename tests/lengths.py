"""List files over 300 lines and functions over 40 that do not say why: ``python -m tests.lengths``, in ``make check``.

A reason is a sentence that begins with "Long because": in the docstring of a file, or anywhere in a function. Of a
function the lines of its body count: a docstring is as long as it must be, and a command's options are parameters.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOTS = ("imageqx_export", "tests", "benchmarks", "website", "android_demo/tools", "web_demo/tools")
MOST_OF_A_FILE, MOST_OF_A_FUNCTION = 300, 40
REASON = "Long because "


def find_long(path: Path) -> Iterator[str]:
    """Yield what is too long in a Python file and gives no reason, as ``file:line: what``."""
    text = path.read_text(encoding="utf-8")
    lines, tree = text.splitlines(), ast.parse(text)
    if len(lines) > MOST_OF_A_FILE and REASON not in (ast.get_docstring(tree) or ""):
        yield f"{path}:1: {len(lines)} lines, at most {MOST_OF_A_FILE}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if length > MOST_OF_A_FUNCTION and REASON not in (ast.get_source_segment(text, node) or ""):
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most {MOST_OF_A_FUNCTION}"


def main(roots: Sequence[str]) -> int:
    """Print what is too long below some folders; return 1 where anything is."""
    found = [row for root in roots for path in sorted(Path(root).rglob("*.py")) for row in find_long(path)]
    for row in found:
        print(row)
    if found:
        print(f'split them along a seam, or say why: a sentence in the docstring that begins with "{REASON}"')
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ROOTS))
