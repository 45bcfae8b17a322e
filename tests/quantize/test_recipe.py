"""A recipe that is read says of every row what it may; anything else is refused with its row."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.errors import ArtifactError
from imageqx_export.quantize.recipe import read_recipe, write_recipe

SHIPPED = Path("models/imageqx.w8a8.json")


def _shipped() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(SHIPPED.read_bytes())
    return {**body, "relus": [{"module": f"late.{k}.0.block.0.1"} for k in range(3)]}


def _set(field: str, key: str, value: object, row: int = 1) -> Callable[[dict[str, Any]], str]:
    def change(body: dict[str, Any]) -> str:
        body[field][row][key] = value
        name = body[field][row].get("tensor", body[field][row].get("module"))
        return f"{field}.{row}.{key}" if key not in ("tensor", "module") else str(name)

    return change


def _set_first(field: str, key: str, value: object) -> Callable[[dict[str, Any]], str]:
    def change(body: dict[str, Any]) -> str:
        body[field][0][key][0] = value
        return f"{field}.0.{key}.0 ({body[field][0].get('tensor', body[field][0].get('module'))})"

    return change


def _repeat(field: str) -> Callable[[dict[str, Any]], str]:
    def change(body: dict[str, Any]) -> str:
        body[field].append(body[field][0])
        return str(body[field][0].get("tensor", body[field][0].get("module")))

    return change


def _clear(field: str) -> Callable[[dict[str, Any]], str]:
    def change(body: dict[str, Any]) -> str:
        body[field] = []
        return "weights" if field == "weights" else "w8a8 with 0 int8 activations"

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(_set("activations", "scale", value) for value in (0, -0.1, 1e31, 1e-60, "x", None)),
        *(_set_first("weights", "scales", value) for value in (0, -0.1, 1e31, 1e-60)),
        *(_set_first("channels", "scales", value) for value in (0, -0.1, 1.1)),
        *(_set_first("excitations", "values", value) for value in (0, -0.1, 1.1)),
        *(_set(*one, []) for one in (("weights", "scales"), ("channels", "scales"), ("excitations", "values"))),
        *(_set("activations", "zero_point", value) for value in (-129, 128, 0.5)),
        *(_repeat(field) for field in ("weights", "activations", "floats", "channels", "excitations", "relus")),
        *(_set("relus", "module", value) for value in (3, None)),
        *(_clear(field) for field in ("weights", "activations")),
    ],
)
def test_a_row_that_cannot_be_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], str]) -> None:
    body = _shipped()
    place = change(body)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(body))
    with pytest.raises(ArtifactError, match="not a recipe") as caught:
        read_recipe(path)
    assert place in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e39", "1e999"])
def test_a_scale_that_is_not_finite_is_refused(tmp_path: Path, number: str) -> None:
    body = _shipped()
    body["activations"][1]["scale"] = "HERE"
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(body).replace('"HERE"', number))
    with pytest.raises(ArtifactError, match="a recipe that cannot be read") as caught:
        read_recipe(path)
    assert "finite" in str(caught.value) or "no JSON number" in str(caught.value)


def test_the_first_three_rows_are_named_and_the_others_counted(tmp_path: Path) -> None:
    body = _shipped()
    for row in body["activations"][:5]:
        row["scale"] = -1
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(body))
    with pytest.raises(ArtifactError, match="not a recipe") as caught:
        read_recipe(path)
    got = caught.value.got or ""
    assert all(f"activations.{i}.scale ({body['activations'][i]['tensor']}): " in got for i in range(3))
    assert got.endswith("; and 2 more")


@pytest.mark.parametrize("name", ["imageqx.w8", "imageqx.w8a8", "duke-iqa.w8", "duke-iqa.w8a8"])
def test_what_is_shipped_is_read_and_written_to_the_byte(name: str, tmp_path: Path) -> None:
    shipped = Path("models") / f"{name}.json"
    write_recipe(tmp_path / "again.json", read_recipe(shipped))
    assert (tmp_path / "again.json").read_bytes() == shipped.read_bytes()


def test_relus_come_back(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(_shipped()))
    recipe = read_recipe(path)
    write_recipe(path, recipe)
    assert [row.module for row in recipe.relus] == [f"late.{k}.0.block.0.1" for k in range(3)]
    assert read_recipe(path) == recipe and recipe.rewrites.relus == recipe.relus
