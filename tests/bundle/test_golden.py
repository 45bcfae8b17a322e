from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.artifact import Precision
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels, measure_golden_error
from imageqx_export.errors import MeasurementError

EXPECTED = {
    "01.png": {"quality": [0.25, 0.75], "map": [[1.0, 2.0]]},
    "00.png": {"quality": [0.5, 0.5], "map": [[3.0, 4.0]]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    golden = tmp_path / "golden"
    golden.mkdir()
    for index, name in enumerate(sorted(EXPECTED)):
        Image.fromarray(np.full((224, 224, 3), 10 * (index + 1), np.uint8)).save(golden / name)
    (golden / "expected.json").write_text(json.dumps(EXPECTED))
    return tmp_path


def right() -> dict[str, NDArray[np.float32]]:
    return {
        "quality": np.array([[0.5, 0.5], [0.25, 0.75]], np.float32),
        "map": np.array([[[3.0, 4.0]], [[1.0, 2.0]]], np.float32),
    }


def test_pictures_and_outputs_come_in_the_order_of_their_names(folder: Path) -> None:
    pixels = load_golden_pixels(folder)
    assert pixels.shape == (2, 224, 224, 3)
    assert pixels.dtype == np.uint8
    assert pixels[:, 0, 0, 0].tolist() == [10, 20]
    for name, values in load_golden_outputs(folder, Precision.FP32).items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, right()[name])


def test_the_right_outputs_have_no_error(folder: Path) -> None:
    assert measure_golden_error(folder, Precision.FP16, right()) == 0.0


def test_the_error_is_the_largest_of_all_outputs(folder: Path) -> None:
    outputs = right()
    outputs["quality"][0, 0] += 0.125
    outputs["map"][1, 0, 1] -= 0.5
    assert measure_golden_error(folder, Precision.FP16, outputs) == 0.5


def test_another_photos_outputs_are_a_large_error(folder: Path) -> None:
    assert measure_golden_error(folder, Precision.FP16, {name: values[::-1] for name, values in right().items()}) == 2.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_error_but_a_failure(value: float, folder: Path) -> None:
    outputs = right()
    outputs["quality"][1, 1] = value
    with pytest.raises(MeasurementError, match="not finite"):
        measure_golden_error(folder, Precision.FP16, outputs)


def test_refuses_missing_and_unknown_outputs_and_other_shapes(folder: Path) -> None:
    with pytest.raises(MeasurementError, match="not the golden ones"):
        measure_golden_error(folder, Precision.FP16, {"quality": right()["quality"]})
    with pytest.raises(MeasurementError, match="not the golden ones"):
        measure_golden_error(folder, Precision.FP16, {**right(), "more": np.zeros(1, np.float32)})
    with pytest.raises(MeasurementError, match="another shape"):
        measure_golden_error(folder, Precision.FP16, {**right(), "quality": right()["quality"][:1]})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"00.png": 3}', '{"00.png": {}}', '{"00.png": {"quality": [1e308]}}'],  # no float32
)
def test_refuses_golden_outputs_that_cannot_be_read(text: str, folder: Path) -> None:
    (folder / "golden/expected.json").write_text(text)
    with pytest.raises(MeasurementError, match="cannot be read") as caught:
        measure_golden_error(folder, Precision.FP16, right())
    assert caught.value.remedy == "imageqx export"


def test_refuses_rows_of_different_outputs(folder: Path) -> None:
    rows = {"00.png": {"quality": [1.0]}, "01.png": {"map": [1.0]}}
    (folder / "golden/expected.json").write_text(json.dumps(rows))
    with pytest.raises(MeasurementError, match="cannot be read"):
        load_golden_outputs(folder, Precision.FP32)


def test_a_quantized_file_is_compared_with_the_quantized_network(folder: Path) -> None:
    outputs = {name: values + np.float32(0.125) for name, values in right().items()}
    rows = {
        picture: {name: (np.array(value) + 0.125).tolist() for name, value in row.items()}
        for picture, row in EXPECTED.items()
    }
    # Which pictures there are, and in which order, stands once.
    (folder / "golden/expected_w8a8.json").write_text(json.dumps({"02.png": {"quality": [1.0]}} | rows))
    assert measure_golden_error(folder, Precision.W8A8, outputs) == 0.0
    assert (
        measure_golden_error(folder, Precision.W8A8, right())
        == measure_golden_error(folder, Precision.FP32, outputs)
        == 0.125
    )
    with pytest.raises(MeasurementError, match="cannot be read") as caught:
        measure_golden_error(folder, Precision.W8, outputs)
    assert caught.value.remedy == "imageqx export"


def test_refuses_a_picture_without_its_outputs(folder: Path) -> None:
    (folder / "golden/expected_w8.json").write_text(json.dumps({"00.png": EXPECTED["00.png"]}))
    with pytest.raises(MeasurementError, match="cannot be read"):
        measure_golden_error(folder, Precision.W8, right())


def test_refuses_a_missing_picture(folder: Path) -> None:
    (folder / "golden/00.png").unlink()
    with pytest.raises(MeasurementError, match="cannot be read"):
        load_golden_pixels(folder)
