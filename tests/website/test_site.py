"""What the site is made of, and that its checks find what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel

from website import REPOSITORY
from website.check import find_dead
from website.file_examples import make_examples
from website.file_kinds import FILES
from website.reference import list_commands, list_files, list_names
from website.stage import rewrite_links

FILES_OF_A_SITE = {"docs/a.md", "docs/p.png", "models/README.md"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](a.md#part)", "[a](a.md#part)"),
        ("[home](../README.md)", "[home](../index.md)"),
        ("[models](../models/)", "[models](../models/README.md)"),
        ("[code](../imageqx_export/errors.py)", "code"),
        ("![p](p.png) [w](https://example.org/x)", "![p](p.png) [w](https://example.org/x)"),
    ],
)
def test_links_stay_on_the_site(text: str, wanted: str) -> None:
    assert rewrite_links(text, "docs/a.md", FILES_OF_A_SITE) == wanted


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="b.html#there">b</a><a href="#here">a</a><a href="c.html">c</a>'
    )
    (tmp_path / "b.html").write_text('<script src="https://example.org/x.js"></script><a href="a.html#here">a</a>')
    assert find_dead(tmp_path) == [
        "a.html: b.html#there: no such anchor",
        "a.html: c.html",
        "b.html: loads https://example.org/x.js",
    ]


def test_the_reference_has_every_command_name_and_file() -> None:
    commands = "\n".join(list_commands())
    for name in ("predict", "export", "bench", "data check", "keys rotate"):
        assert f"## imageqx {name}\n" in commands
    assert "<code>--html DIR</code>" in commands
    stub = (REPOSITORY / "imageqx_export" / "__init__.pyi").read_text(encoding="utf-8")
    assert sum(line.startswith(":::") for line in list_names()) == stub.count(" as ")
    assert sum(line.startswith("## ") for line in list_files()) == len(FILES)


@pytest.mark.parametrize(("title", "model"), [(title, model) for title, _, model in FILES])
def test_an_example_of_each_file_keeps_its_schema(title: str, model: type[BaseModel]) -> None:
    """Held by jsonschema, which knows nothing of pydantic; one with a key more, or one less, does not keep it."""
    text = make_examples()[model].model_dump_json(by_alias=True)
    validator = Draft202012Validator(model.model_json_schema())
    value = json.loads(text)
    assert not list(validator.iter_errors(value)), title
    assert model.model_validate_json(text) == make_examples()[model]
    if model.model_config.get("extra") != "ignore":  # what an older app reads of a newer publisher's
        assert list(validator.iter_errors(value | {"surprise": 1}))
    for key in model.model_json_schema().get("required", ()):
        assert list(validator.iter_errors({name: one for name, one in value.items() if name != key})), key
    assert f"## {title}" in list(list_files())
