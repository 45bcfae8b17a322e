"""A recipe's file: the same value comes back, it is a line a tensor, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageqx_export.errors import ArtifactError
from imageqx_export.quantize.recipe import (
    ActivationScale,
    CalibrationSet,
    ChannelScales,
    FloatOperation,
    Recipe,
    WeightScales,
    format_recipe,
    read_recipe,
    write_recipe,
)

SCALES = st.floats(2.0**-100, 1, width=32, exclude_min=True)


def recipe(scales: list[float], zero_point: int = -3) -> Recipe:
    return Recipe(
        precision="w8a8",
        checkpoint_sha256="ab" * 32,
        calibration=CalibrationSet(images=256, sha256="cd" * 32, source="256 photos “below” my photos"),
        channels=(ChannelScales(module="stem.1", scales=tuple(scales)),),
        weights=(WeightScales(tensor="stem.0:conv", scales=tuple(scales), observer="mse"),),
        activations=(
            ActivationScale(tensor="stem.0:conv", scale=scales[0], zero_point=zero_point, observer="mse"),
            ActivationScale(tensor="stem.1:mul", scale=scales[-1], zero_point=127, observer="minmax"),
        ),
        floats=(FloatOperation(tensor="quality:linear", reason="a head"),),
    )


@given(st.lists(SCALES, min_size=1, max_size=6), st.integers(-128, 127))
def test_the_same_value_comes_back(tmp_path_factory: pytest.TempPathFactory, scales: list[float], zero: int) -> None:
    path = tmp_path_factory.mktemp("recipes") / "r.json"
    write_recipe(path, recipe(scales, zero))
    assert read_recipe(path) == recipe(scales, zero)


def test_it_is_json_with_a_line_a_tensor_and_short_numbers() -> None:
    third = float(np.float32(1) / np.float32(3))
    text = format_recipe(recipe([third, 0.25]))
    rows = json.loads(text)["weights"]
    assert rows == [{"tensor": "stem.0:conv", "scales": [0.33333334, 0.25], "observer": "mse"}]
    assert sum("stem.0:conv" in line for line in text.splitlines()) == 2  # its weight, its output
    assert "“below”" in text and text.endswith("}\n")


def test_a_changed_scale_changes_one_line() -> None:
    before, after = format_recipe(recipe([0.5, 0.25])), format_recipe(recipe([0.5, 0.25], zero_point=7))
    pairs = list(zip(before.splitlines(), after.splitlines(), strict=True))
    assert [a for a, b in pairs if a != b] == [line for line in before.splitlines() if '"zero_point": -3' in line]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "more than 64 values within values"),
        ("{}", "precision"),
        (format_recipe(recipe([0.5])).replace('"zero_point": -3', '"zero_point": 300'), "activations.0.zero_point"),
        (format_recipe(recipe([0.5])).replace('"scale": 0.5', '"scale": NaN'), "NaN is no JSON number"),
        (format_recipe(recipe([0.5])).replace("w8a8", "int8"), "precision"),
        (format_recipe(recipe([0.5])).replace("w8a8", "w8"), "w8 with 2 int8 activations"),
        (format_recipe(recipe([0.5]))[:-40], "not JSON"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ArtifactError) as refused:
        read_recipe(tmp_path / "r.json")
    assert words in str(refused.value) and str(tmp_path / "r.json") in str(refused.value)


def test_a_missing_recipe_is_said_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="imageqx quantize"):
        read_recipe(tmp_path / "none.json")


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    write_recipe(path, recipe([0.5]))

    def full(self: Path, *args: object, **kwargs: object) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="disk full"):
        write_recipe(path, recipe([0.25]))
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"] and read_recipe(path) == recipe([0.5])
