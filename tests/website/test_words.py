"""The lists that people keep by hand: every model file, the words of the glossary, the citation."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from website import REPOSITORY
from website.examples import list_pages

MODELS = REPOSITORY / "models"


def _list_missing(text: str) -> list[str]:
    named = set(re.findall(r"`([^`/ ]+)`", "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))))
    return sorted(path.name for path in MODELS.iterdir() if path.is_file() and path.name not in named)


def test_every_model_file_is_listed() -> None:
    text = (MODELS / "README.md").read_text(encoding="utf-8")
    assert not _list_missing(text)
    assert _list_missing(text.replace("| `imageqx.runtimes.json` |", "| |")) == ["imageqx.runtimes.json"]


def test_the_citation_is_of_this_version_and_has_what_the_format_asks_for() -> None:
    """Citation File Format 1.2.0: cff-version, message, title and authors are required, and names of a reference."""
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0" and citation["type"] in ("software", "dataset")
    assert citation["message"] and citation["title"] and citation["license"] == "Apache-2.0"
    assert all(set(one) & {"name", "family-names"} for one in citation["authors"])
    assert citation["version"] == project["version"]
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference) and isinstance(reference["year"], int)


@pytest.mark.parametrize("word", ["judge", "twins", "painted"])
def test_words_that_were_given_up_are_in_no_page(word: str) -> None:
    """Photos are assessed, and synthetic; Kotlin's names and the changelog, which tells of the change, may say them."""
    pages = [path for path in list_pages() if path.name != "CHANGELOG.md" and "android" not in str(path)]
    found = [path.name for path in pages if re.search(rf"\b{word}", path.read_text(encoding="utf-8"), re.IGNORECASE)]
    assert not found
