"""What pages show is run, or there is a reason; and an example that does not hold is found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from website import REPOSITORY
from website.examples import (
    Block,
    Omission,
    find_faults,
    find_omission,
    list_blocks,
    list_pages,
    read_omissions,
)
from website.run import run_blocks

CI = "set -e\nmake check\nIMAGEQX_NO_CACHE=1 make export # why\n"
MAKEFILE = "check: setup\nexport: setup\nbench:\n"


def _find(text: str, language: str = "sh", omissions: Sequence[Omission] = ()) -> list[str]:
    return list(find_faults([Block("a.md", 1, language, text)], omissions, CI, MAKEFILE))


def test_every_command_of_every_page_is_there_and_run_or_has_a_reason() -> None:
    ci, makefile = ((REPOSITORY / name).read_text(encoding="utf-8") for name in (".ci/run", "Makefile"))
    blocks = list(list_blocks(list_pages()))
    assert not list(find_faults(blocks, read_omissions(), ci, makefile))
    assert {"README.md", "docs/predict.md", "web_demo/README.md"} <= {block.page for block in blocks}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("make nothing", "the Makefile has no nothing"),
        ("make bench", ".ci/run has no such line"),
        ("imageqx predict a.jpg --nothing", "No such option"),
        ("find . | imageqx nothing -", "imageqx has no nothing"),
        ("torchrun -n 2 imageqx train --nothing", "No such option"),
    ],
)
def test_what_is_not_there_is_found(text: str, fault: str) -> None:
    found = _find(text)[0]
    assert fault in found and found.startswith("a.md:1: ")


def test_what_ci_runs_needs_no_reason() -> None:
    assert not _find("make check\nmake export  # twelve files\n")
    assert not _find("$ imageqx predict a.jpg\na.jpg  good\n", "console")


def test_a_block_says_its_language() -> None:
    assert "says its language" in _find("make check", "")[0]
    assert not _find("val a = 1", "kotlin")


def test_reasons_are_needed_and_true() -> None:
    needless = Omission("imageqx nothing", "because")
    false = Omission("make bench", "because", "make nothing")
    assert _find("make check", omissions=[needless]) == ["examples.toml: no page has imageqx nothing"]
    assert _find("make bench", omissions=[false]) == ["examples.toml: make bench: .ci/run has no make nothing"]


def test_the_longest_reason_counts() -> None:
    short, long = Omission("imageqx compat", "short"), Omission("imageqx compat --runtimes", "long")
    assert find_omission("imageqx compat --runtimes a", [short, long]) is long
    assert find_omission("imageqx predict", [short, long]) is None


def test_commands_are_whole() -> None:
    block = Block("a.md", 1, "sh", "make a  # why\n# a remark\nb \\\n   --c\n")
    assert block.list_commands() == ["make a", "b --c"]


def test_what_fails_or_prints_otherwise_is_found(tmp_path: Path) -> None:
    blocks = [
        Block("a.md", 1, "sh", "touch there\nmake nothing  # CI's\nopen nothing\ntest -f there\n"),
        Block("a.md", 2, "sh", "test -f nowhere"),
        Block("a.md", 3, "console", "$ echo a\na\n$ echo b\nc\n"),
        Block("a.md", 4, "python", "assert 1 == 2"),
        Block("a.md", 5, "python", "import pathlib; assert pathlib.Path('there').exists()"),
        Block("a.md", 6, "kotlin", "val a ="),
    ]
    faults = list(run_blocks(blocks, [Omission("open ", "needs a Mac")], tmp_path))
    assert [fault.split(": ")[0] for fault in faults] == ["a.md:2", "a.md:3", "a.md:4"]
    assert "echo b: printed b" in faults[1] and "AssertionError" in faults[2]


def test_what_takes_hours_is_run_small_and_a_variable_lasts(tmp_path: Path) -> None:
    blocks = [
        Block("a.md", 1, "sh", "export A=1\ntest $A = 1\nfalse  # 1 is right\nimageqx data kinds\nimageqx nothing")
    ]
    small = [
        Omission("false", "", codes=(1,), small=True),
        Omission("imageqx data", "", add="--nothing", codes=(2,), small=True),
    ]
    (fault,) = run_blocks(blocks, small, tmp_path)
    assert fault.startswith("a.md:1: imageqx nothing: exit code 2")


def test_an_option_that_is_added_must_be_there() -> None:
    assert (
        "No such option"
        in _find("imageqx doctor", omissions=[Omission("imageqx doctor", "", add="--no", small=True)])[0]
    )
