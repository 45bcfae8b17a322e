"""What is longer than a reader holds in mind is found, unless it says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lengths import main

BODY = "    x = 1\n" * 41
TOO_LONG = "x = 1\n" * 300


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'"""A file."""\n{TOO_LONG}', ["a.py:1: 301 lines, at most 300"]),
        (f'"""A file.\n\nLong because it is a table.\n"""\n{TOO_LONG}', []),
        (f"# Long because nobody reads this.\n{TOO_LONG}", ["a.py:1: 301 lines, at most 300"]),
        ("x = 1\n" * 300, []),
        (f"def work():\n{BODY}", ["a.py:1: work has 41 lines, at most 40"]),
        (f"class A:\n    async def work(self):\n{BODY.replace('    x', '        x')}", ["a.py:2: work has 41 lines"]),
        (f"def outer():\n    def work():\n{BODY.replace('    x', '        x')}", ["outer has 42", "work has 41"]),
        (f'def work():\n    """Work."""\n{BODY[:-10]}', []),
        (f'def work():\n    """Work.\n\n    Long because it is a table.\n    """\n{BODY}', []),
        (f"def work():\n    # Long because it is a table.\n{BODY}", []),
        (f"def work(\n{'    # an option' * 1}\n{'    *x,'}\n" + "\n" * 50 + f"):\n{BODY[:-10]}", []),
    ],
)
def test_what_is_too_long_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, found: list[str]
) -> None:
    (tmp_path / "a.py").write_text(text)
    assert main([str(tmp_path)]) == (1 if found else 0)
    *rows, _ = [*capsys.readouterr().out.splitlines(), ""][: len(found) + 1]
    assert len(rows) == len(found) and all(part in row for part, row in zip(found, rows, strict=True))
