"""Swift's syntax without a Swift compiler, by tree-sitter's grammar: the weaker proof, of what it can tell at all.

It finds what cannot be parsed. Types, names, missing returns and data races are the compiler's to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tree_sitter_swift
from tree_sitter import Language, Node, Parser

DEMO = Path(__file__).parents[2] / "ios_demo"


def list_sources() -> list[Path]:
    """Return every Swift file of ios_demo."""
    return sorted(path for path in DEMO.rglob("*.swift") if ".build" not in path.parts)


def find_syntax_errors(source: bytes) -> list[str]:
    """Return what cannot be parsed, such as ``"line 3: missing )"``; empty where all can."""
    root = Parser(Language(tree_sitter_swift.language())).parse(source).root_node
    return [_describe(node) for node in _list_faults(root)]


def _list_faults(node: Node) -> Iterator[Node]:
    if node.is_error or node.is_missing:
        yield node
    elif node.has_error:
        for child in node.children:
            yield from _list_faults(child)


def _describe(node: Node) -> str:
    what = f"missing {node.type}" if node.is_missing else "cannot be parsed"
    return f"line {node.start_point.row + 1}: {what}"
