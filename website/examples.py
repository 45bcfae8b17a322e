"""Look at every shell and Python block of README and the site's pages, and say which of them can be run, and how.

What cannot be run as it stands is in ``examples.toml``, with the reason and what CI runs of it; what takes hours is run
with further options that make it small, which are there too. Options, targets and programs of all are looked at.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from imageqx_export.cli import app
from website import FOLDERS, PAGES, REPOSITORY

FENCE: Final = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OTHERS: Final = frozenset({"kotlin", "swift", "xml", "text"})
"""Languages of blocks that are no commands of a shell and no Python; their own tests compile Kotlin and Swift."""


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: Its file, relative to the repository.
        line: Where it begins.
        language: What the page says that it is: ``sh``, ``console`` (with what is printed), ``python`` or another.
        text: What stands in it.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """The page and line, for people."""
        return f"{self.page}:{self.line}"

    def list_commands(self) -> list[str]:
        """Return the commands of a shell, whole and without comments.

        >>> Block("a", 1, "sh", "make a  # b").list_commands()
        ['make a']
        """
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        bare = [re.sub(r"(^|\s+)# .*", "", line) for line in lines]
        return [" ".join(line.split()) for line in bare if line.strip()]


@dataclass(frozen=True)
class Omission:
    """Commands that are not run as they stand.

    Attributes:
        begins: How they begin.
        why: The reason.
        instead: What CI runs of it, a line of ``.ci/run``; empty where nothing does.
        add: Options that are added to it so that it is run, small; the last of an option's values counts.
        codes: The exit codes that are right where it is run so.
        says: What is printed where such a code is not 0.
        small: Whether it is run all the same, so.
    """

    begins: str
    why: str
    instead: str = ""
    add: str = ""
    codes: tuple[int, ...] = (0,)
    says: str = ""
    small: bool = False


def list_pages(repository: Path = REPOSITORY) -> list[Path]:
    """Return README and every page of the site that people write."""
    folders = (path for folder in FOLDERS for path in sorted((repository / folder).glob("*.md")))
    return [repository / "README.md", *(repository / name for name in PAGES), *folders]


def list_blocks(pages: Iterable[Path], repository: Path = REPOSITORY) -> Iterator[Block]:
    """Yield the pages' blocks of code."""
    for path in pages:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield Block(str(path.relative_to(repository)), line, match[1], match[2])


def read_omissions() -> list[Omission]:
    """Return what is not run, and what is run small."""
    with (Path(__file__).parent / "examples.toml").open("rb") as file:
        table = tomllib.load(file)
    small = [Omission(**row | {"codes": tuple(row.get("codes", (0,))), "small": True}) for row in table["small"]]
    return [*small, *(Omission(**row) for row in table["not_run"])]


def find_omission(command: str, omissions: Sequence[Omission]) -> Omission | None:
    """Return the one that a command falls under, the longest, or None."""
    found = [one for one in omissions if command.startswith(one.begins)]
    return max(found, key=lambda one: len(one.begins), default=None)


def find_faults(blocks: Sequence[Block], omissions: Sequence[Omission], ci: str, makefile: str) -> Iterator[str]:
    """Yield what can be known without running: languages, targets, options, and omissions that nothing needs.

    Args:
        blocks: Of the pages.
        omissions: What is not run.
        ci: The text of ``.ci/run``.
        makefile: Of the Makefile.
    """
    used: set[str] = set()
    for block in blocks:
        if block.language not in ("sh", "console", "python", *OTHERS):
            yield f"{block.place}: a block says its language, such as sh, console, python or text: {block.language!r}"
        for command in [block.text] if block.language == "python" else _list_shell(block):
            omission = find_omission(command, omissions)
            used.update({omission.begins} if omission else ())
            if block.language != "python":
                whole = f"{command} {omission.add}" if omission and omission.add else command
                yield from (f"{block.place}: {fault}" for fault in _check_command(whole, makefile))
                if command.startswith("make ") and omission is None and not _is_run(command, ci):
                    yield f"{block.place}: {command}: .ci/run has no such line, and examples.toml no reason"
    for one in omissions:
        if one.begins not in used:
            yield f"examples.toml: no page has {one.begins}"
        if one.instead and not _is_run(one.instead, ci):
            yield f"examples.toml: {one.begins}: .ci/run has no {one.instead}"


def _list_shell(block: Block) -> list[str]:
    return block.list_commands() if block.language in ("sh", "console") else []


def _is_run(command: str, ci: str) -> bool:
    """Return whether a line of CI begins with a command's program and target."""
    wanted = shlex.split(command)[:2]
    return any(line.split()[:2] == wanted for line in re.sub(r"^\w+=\S+ ", "", ci, flags=re.MULTILINE).splitlines())


def _check_command(command: str, makefile: str) -> Iterator[str]:
    """Yield what is wrong with a command that need not be run to see it: a target or an option that is not there."""
    for part in re.split(r" \| | && ", command):
        words = shlex.split(re.sub(r" > \S+$", "", part))
        program = words[0].rpartition("/")[2]
        if program == "make":
            targets = [word for word in words[1:] if "=" not in word]
            yield from (
                f"the Makefile has no {name}" for name in targets if not re.search(f"(?m)^{re.escape(name)}:", makefile)
            )
        elif "imageqx" in words or program == "imageqx":
            at = next(index for index, word in enumerate(words) if word.rpartition("/")[2] == "imageqx")
            yield from parse_words(words[at + 1 :])


def parse_words(words: list[str]) -> Iterator[str]:
    """Yield why the command line refuses words, which are not acted upon."""
    command: Any = typer.main.get_command(app)
    name = "imageqx"
    try:
        while hasattr(command, "commands"):
            name, *words = words
            command = command.commands[name]
        command.make_context(name, words)
    except KeyError:
        yield f"imageqx has no {name}"
    except Exception as error:  # typer's own copy of click raises classes that cannot be imported
        yield f"imageqx {name}: {error.__class__.__name__}: {error}"
