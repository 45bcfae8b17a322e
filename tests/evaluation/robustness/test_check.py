"""A check of robustness: on models whose answers follow from the pixels, so that what is called poor is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from imageqx_export.artifact import ModelSpec, Outputs, Pixels
from imageqx_export.cli import app
from imageqx_export.data.bank import PHOTO, SIDE, Bank, make_bank
from imageqx_export.data.kinds import KINDS
from imageqx_export.data.vocabulary import REASONS
from imageqx_export.errors import DatasetError, ImageQXError
from imageqx_export.evaluation.intervals import wilson
from imageqx_export.evaluation.robustness.check import measure_robustness
from imageqx_export.evaluation.robustness.picture import draw_rows
from imageqx_export.evaluation.robustness.render import HEAD, build_table, to_json, to_markdown
from imageqx_export.evaluation.robustness.result import Robustness
from imageqx_export.networks.imageqx.spec import spec as make_spec
from tests.binary_spec import binary_spec
from tests.conftest import CHECKPOINT
from tests.data.fakes import HEALTHY, LESION, NO_SKIN


class LightMeter:
    """A model that calls dark photos poor, by bad light, and everything else healthy skin."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec, self.signature = spec, spec.outputs
        self.asked = 0

    def run(self, pixels: Pixels) -> Outputs:
        self.asked += len(pixels)
        dark = pixels.mean((1, 2, 3)) < 100
        if self.spec.binary is not None:
            return {"good": np.where(dark, 0.1, 0.9).astype(np.float32)[:, None]}
        quality = np.where(dark[:, None], [0, 0, 0, 1.0], [0, 0, 1.0, 0]).astype(np.float32)
        reasons = np.zeros((len(pixels), len(REASONS)), np.float32)
        reasons[:, REASONS.index("bad_light")] = 0.9
        return {"quality": quality, "explanations": reasons}


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Return two photos of each class of a middling grey, the second of them without a mask."""
    images = np.full((6, SIDE, SIDE, 3), 150, np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[80:140, 80:140] = 255
    return make_bank(
        images, np.array([LESION, LESION, NO_SKIN, NO_SKIN, HEALTHY, HEALTHY]), PHOTO, masks=[mask, None] * 3
    )


@pytest.fixture(scope="module")
def found(bank: Bank) -> Robustness:
    return measure_robustness(LightMeter(make_spec()), bank, model_name="meter <1>", source="six grey photos")


def test_what_is_dark_is_called_poor(found: Robustness) -> None:
    """150 in linear light at 0.6 is 119 and at 0.14 61: the model's limit lies between."""
    (dark,) = [one for one in found.kinds if one.kind.name == "dark"]
    assert (dark.mild.photos, dark.strong.photos) == (6, 6)
    assert dark.mild.poor == wilson(0, 6) and dark.strong.poor == wilson(6, 6)
    assert dark.strong.hinted == wilson(6, 6)
    assert dark.mild.kept == wilson(2, 6)  # everything good is healthy skin to it
    (soft,) = [one for one in found.kinds if one.kind.name == "soft"]
    assert soft.strong.poor == wilson(0, 6) and soft.strong.hinted.value is None


def test_clean_photos_are_counted_per_class(found: Robustness) -> None:
    assert {name: cell.photos for name, cell in found.clean.items()} == {
        "lesion": 2,
        "no_skin": 2,
        "healthy_skin": 2,
        "all": 6,
    }
    assert found.clean["all"].poor == wilson(0, 6) and found.clean["lesion"].kept == wilson(0, 2)
    assert found.photos == 6


def test_a_kind_is_asked_of_the_photos_that_it_suits(found: Robustness) -> None:
    counts = {one.kind.name: one.strong.photos for one in found.kinds}
    assert list(counts) == [kind.name for kind in KINDS]
    assert counts["lesion out of focus"] == counts["cut lesion"] == counts["plain ground"] == 1  # a mask is needed
    assert counts["far, on skin"] == 2 and counts["far, in a room"] == 4 and counts["dark"] == 6


def test_a_reasons_kinds_are_counted_together(found: Robustness) -> None:
    """The meter finds the dark, and of the others what gets as dark; its first hint is always bad light."""
    together = found.pool_reasons()
    own = [one for one in found.kinds if one.kind.reason == REASONS.index("bad_light")]
    mild, strong = together["bad_light"]
    assert mild.photos == strong.photos == 7 * 6 and len(own) == 7
    assert strong.poor == wilson(sum(round(6 * (one.strong.poor.value or 0)) for one in own), 42)
    assert (strong.poor.value or 0) >= 1 / 7 and strong.hinted.value == 1.0 and mild.kept == wilson(14, 42)
    blurry = together["blurry"][1]
    assert blurry.photos == 3 * 6 + 1 and blurry.poor == wilson(0, 19) and blurry.hinted.value is None


def test_a_model_that_says_good_or_poor_has_no_hints(bank: Bank) -> None:
    model = LightMeter(binary_spec())
    printed = measure_robustness(model, bank, model_name="meter", source="six grey photos")
    (dark,) = [one for one in printed.kinds if one.kind.name == "dark"]
    assert dark.strong.poor == wilson(6, 6) and dark.strong.hinted.value is dark.strong.kept.value is None
    assert to_json(printed)["thresholds"] == {"good": 0.6}


def test_the_same_at_every_call(bank: Bank, found: Robustness) -> None:
    again = measure_robustness(LightMeter(make_spec()), bank, model_name="meter <1>", source="six grey photos")
    assert to_json(again) == to_json(found)
    for one, other in zip(again.kinds, found.kinds, strict=True):
        assert all(np.array_equal(a.picture, b.picture) for a, b in zip(one.examples, other.examples, strict=True))


def test_table_json_and_markdown_say_the_same(found: Robustness) -> None:
    grid, body = build_table(found), json.loads(json.dumps(to_json(found), allow_nan=False))
    assert grid.head == HEAD and all(len(row) == len(HEAD) for row in grid.rows)
    assert [row[0] for row in grid.rows[4:-5]] == [kind["name"] for kind in body["kinds"]]
    assert [row[1].replace(" ", "_") for row in grid.rows[-5:]] == list(body["reasons"]) == list(REASONS)
    (dark,) = [kind for kind in body["kinds"] if kind["name"] == "dark"]
    assert (dark["reason"], dark["strong"]["poor"], dark["mild"]["poor"]) == ("bad_light", 1.0, 0.0)
    assert dark["strong"]["poor_ci"][0] == pytest.approx(0.6097, abs=1e-4)  # Wilson's, of 6 in 6
    text = to_markdown(found)
    assert "meter &lt;1" in text or "meter \\<1" in text
    assert "| dark | bad light | 6 | 0.00 (0.00–0.39) | 0.33" in text and "harmless" in text


def test_the_picture_has_a_row_per_kind_with_photos(found: Robustness) -> None:
    sheet = np.asarray(draw_rows(found))
    assert all(len(one.examples) == 2 for one in found.kinds)
    red = (sheet[..., 0] > 120) & (sheet[..., 1] < 60) & (sheet[..., 2] < 60)
    assert red.any()  # the meter is wrong about many
    wanted = {one.kind.name: [e.wanted for e in one.examples] for one in found.kinds}
    assert wanted["dark"] == [True, True] and wanted["soft"] == [True, False] and wanted["grey scale"] == [True, True]


def test_no_photo_is_an_error(bank: Bank) -> None:
    with pytest.raises(DatasetError, match="no photos to degrade"):
        measure_robustness(LightMeter(make_spec()), bank.take(np.empty(0, np.int64)), model_name="m", source="nothing")


def invoke(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_command_writes_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imageqx_export.evaluation.robustness import file

    monkeypatch.setattr(file, "load_photo_model", lambda path: LightMeter(make_spec()))
    out = tmp_path / "checked"
    for _ in range(2):  # the second replaces the first
        result = invoke(CHECKPOINT, "--robustness", "--samples", 6, "--out", out, "--json")
        assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["robustness.json", "robustness.md", "robustness.png"]
    body = json.loads((out / "robustness.json").read_text())
    assert body == json.loads(result.stdout) and body["photos"] == 6
    assert {name: cell["photos"] for name, cell in body["clean"].items()} == {
        "lesion": 2,
        "no_skin": 2,
        "healthy_skin": 2,
        "all": 6,
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--split", "train"), "one of test, val"),
        (("--annotations", "t.csv", "--images", "."), "degrades photos that are good"),
        (("--photos", "nowhere"), "no such folder of photos"),
        (("--out", "."), "something else than a check of robustness"),
    ],
)
def test_mistakes_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "mine.txt").touch()
    monkeypatch.chdir(tmp_path)
    result = invoke(CHECKPOINT, "--robustness", *arguments)
    assert isinstance(result.exception, ImageQXError) and words in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
