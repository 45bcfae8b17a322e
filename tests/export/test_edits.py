"""Graph edits have one form, as CONTRIBUTING says: a verb that works in place and returns what it changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import imageqx_export

ROOT = Path(imageqx_export.__file__).parent
FILES = [
    *ROOT.glob("export/*/passes.py"),
    *ROOT.glob("export/*/stem.py"),
    *ROOT.glob("export/*/accelerators.py"),
    ROOT / "export/onnx/entry.py",
    ROOT / "export/tflite/entry.py",
    ROOT / "export/tflite/halves.py",
    *ROOT.glob("quantize/rewrites/*.py"),
]
READERS = ("find_", "iterate_", "list_", "name_", "average_", "compute_", "make_")
"""What functions begin with that edit nothing."""
OTHER_FILES = {"cast_weights"}
"""What makes another file of a file's bytes, with a library that has no other form."""


def find_odd_edits(source: str) -> Iterator[str]:
    """Yield the public functions of a module that take a graph and return something else than what they changed."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith(("_", *READERS)) or node.name in OTHER_FILES:
            continue
        returns = None if node.returns is None else ast.unparse(node.returns)
        if not node.args.args or node.args.args[0].arg not in ("model", "graph") or returns not in ("bool", "int"):
            yield node.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_an_edit_works_in_place_and_returns_what_it_changed(path: Path) -> None:
    assert list(find_odd_edits(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "signature",
    ["shorten(model) -> None", "shorten(model) -> Model", "shorten(content: bytes) -> int", "shorten(model)"],
)
def test_an_edit_of_another_form_is_found(signature: str) -> None:
    assert list(find_odd_edits(f"def {signature}: ...")) == ["shorten"]
