"""Put what the site is made of into one folder, laid out as the repository is, so that relative links hold."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from website import FOLDERS, PAGES
from website.reference import write_reference

_PICTURES: Final = {".png", ".jpg", ".svg"}
_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def stage(repository: Path, out: Path) -> None:
    """Write the site's sources.

    Args:
        repository: The checkout.
        out: Replaced.
    """
    shutil.rmtree(out, ignore_errors=True)
    files = [*PAGES, *(str(path.relative_to(repository)) for path in _list_files(repository))]
    for name in files:
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            text = (repository / name).read_text(encoding="utf-8")
            target.write_text(rewrite_links(text, name, set(files)), encoding="utf-8")
        else:
            shutil.copyfile(repository / name, target)
    for name in ("index.md", "site.css"):
        shutil.copyfile(repository / "website" / name, out / name)
    write_reference(out / "reference")


def rewrite_links(text: str, name: str, files: set[str]) -> str:
    """Return a page whose links to files that are not on the site are their names alone.

    Args:
        text: Markdown.
        name: Of the page, relative to the repository, with "/" between the parts.
        files: Names of everything on the site, likewise.

    >>> rewrite_links("[a](../README.md) [b](../Makefile) ![c](p.png)", "docs/a.md", {"docs/p.png"})
    '[a](../index.md) b ![c](p.png)'
    """

    def rewrite(match: re.Match[str]) -> str:
        mark, shown, target, anchor = match.groups()
        parts: list[str] = []
        for part in [*name.split("/")[:-1], *target.split("/")]:
            parts = parts[:-1] if part == ".." else [*parts, part] if part not in ("", ".") else parts
        place = "/".join(parts)
        if place == "README.md":
            return f"[{shown}]({'../' * name.count('/')}index.md)"
        if place in files:
            return match.group(0)
        if f"{place}/README.md" in files:
            return f"[{shown}]({target.rstrip('/')}/README.md{anchor or ''})"
        return f"{mark}[{shown}]({target})" if mark else shown

    return _LINK.sub(rewrite, text)


def _list_files(repository: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((repository / folder).iterdir()):
            if path.suffix == ".md" or path.suffix in _PICTURES:
                yield path
