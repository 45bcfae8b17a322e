"""Find measured numbers of README and the site that nobody could measure again: without a command, or without a date.

A figure is a number with a unit of measurement (``8.7 ms``, ``0.43 ×``, ``93 %``, ``3e-8``), or a table in which every
third cell or more is a number. What a block says of command and date holds for the rest of its section, the date
under a page's title for the whole page; a caption may follow its table. A number that was not measured, such
as a limit, has the name of the file that decides it instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = r"(?<![\w.#/=-])[−-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?"
_UNIT: Final = r"(?:ms|s|seconds?|minutes|MB|MiB|KiB|GB|%|points?|×|million instructions|photos a second)(?![\w-])"
_LIMIT: Final = (
    r"(?:[Aa]t (?:most|least)|up to|longer than|more than|under|over|above|below|within|while both sides keep|[≤≥<>]) ?"
)
_FIGURE: Final = re.compile(
    rf"(?P<limit>{_LIMIT})?(?:{_NUMBER}\s{_UNIT}(?! \d)|(?<![\w.])\d(?:\.\d+)?e-\d+|(?<![\w.])0\.\d{{3,}})"
)
_CELL: Final = re.compile(rf"^\W*{_NUMBER}(?!\d|:)")
_COMMAND: Final = re.compile(
    r"`(?:OMP_NUM_THREADS=1 |IMAGEQX_\w+=\S+ |time )*"
    r"(?:make [a-z]|imageqx [a-z]|python3? -m|pytest |mvn |findings/|… --)"
    r"|^```console|^\$ |^(?:imageqx|make) [a-z]",
    re.MULTILINE,
)
_DATE: Final = re.compile(r"\b\d{1,2} (?:October|November|December)\s2026\b|\b2026-\d\d-\d\d\b")
_FILE: Final = re.compile(r"`[\w/.*-]+\.(?:py|toml|json|kt|ts|swift)`")
_SHARE: Final = 1 / 3


@dataclass(frozen=True)
class Part:
    """A paragraph, list item, table or block of code of a page.

    Attributes:
        line: Where it begins.
        text: All of it.
    """

    line: int
    text: str

    @property
    def heading(self) -> bool:
        """Whether it begins a section."""
        return self.text.startswith("#")

    @property
    def figure(self) -> str | None:
        """The first figure in it, or None."""
        if self.text.startswith("```"):
            return None
        if self.text.startswith("|"):
            cells = [cell.strip() for row in self.text.splitlines()[2:] for cell in row.strip("|").split("|")[1:]]
            numbers = [cell for cell in cells if _CELL.match(cell)]
            return numbers[0] if numbers and len(numbers) >= _SHARE * len(cells) else _find(self.text)
        return _find(self.text)


def _find(text: str) -> str | None:
    found = _FIGURE.finditer(re.sub(r"`[^`]*`", "", " ".join(text.split())))
    return next((one[0] for one in found if not one["limit"]), None)


def split_page(text: str) -> list[Part]:
    """Return the parts of a page."""
    parts: list[list[str]] = []
    starts: list[int] = []
    fenced = fresh = False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        table = line.startswith("|") and not (parts and parts[-1][-1].startswith("|"))
        begins = table or re.match(r"#|[-*] |\d\. ", line) is not None
        if not fenced and (not line.strip() or begins):
            fresh = True
        if line.strip() or fenced:
            if fresh or not parts:
                parts.append([])
                starts.append(number)
            parts[-1].append(line)
            fresh = False
        if line.lstrip().startswith("```"):
            fenced = not fenced
    return [Part(start, "\n".join(lines)) for start, lines in zip(starts, parts, strict=True)]


def find_unsourced(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, figure and what it lacks, of every figure of a page that lacks something.

    >>> list(find_unsourced("It takes 3 ms."))
    [(1, '3 ms', 'no command, no date')]
    >>> list(find_unsourced("`make bench`, 2026-11-30: 3 ms."))
    []
    """
    parts = split_page(text)
    page = said = (False, False)
    intro = True
    for index, part in enumerate(parts):
        if part.heading:
            intro = intro and not any(one.heading for one in parts[:index])
            said = page
            continue
        said = _merge(said, _look(part.text))
        if intro:
            page = (False, said[1])
        figure = part.figure
        named = (
            "".join(one.text for one in parts[max(0, index - 1) : index + 1])
            if part.text.startswith("|")
            else part.text
        )
        if figure is None or _FILE.search(named):
            continue
        after = parts[index + 1 : index + 2] if part.text.startswith("|") else []
        known = _merge(said, *(_look(one.text) for one in after))
        missing = [what for there, what in zip(known, ("no command", "no date"), strict=True) if not there]
        if missing:
            yield part.line, figure, ", ".join(missing)


def _look(text: str) -> tuple[bool, bool]:
    return _COMMAND.search(text) is not None, _DATE.search(text) is not None


def _merge(*facts: tuple[bool, bool]) -> tuple[bool, bool]:
    return any(one[0] for one in facts), any(one[1] for one in facts)
