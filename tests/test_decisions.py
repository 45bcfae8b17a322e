"""What a verdict needs of a model is checked once, when its file is opened."""

from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import ModelSpec
from imageqx_export.decisions import refuse_undecidable
from imageqx_export.errors import ArtifactError
from imageqx_export.networks.imageqx.spec import spec

FILE = Path("a.onnx")


def _change(**changes: Any) -> ModelSpec:
    """Return ImageQX's ModelSpec with other fields, still a valid one."""
    return ModelSpec.model_validate(spec().model_dump() | changes)


def _reshape(position: int, **changes: Any) -> tuple[dict[str, Any], ...]:
    outputs = [output.model_dump() for output in spec().outputs]
    outputs[position] |= changes
    return tuple(outputs)


def test_imageqx_can_judge_with_and_without_shapes_of_its_own() -> None:
    refuse_undecidable(spec(), spec().outputs, FILE)
    unknown = tuple(output.model_copy(update={"shape": ()}) for output in spec().outputs)
    refuse_undecidable(spec(), unknown, FILE)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"inputs": ()}, "inputs"),
        ({"inputs": [{"name": "x", "shape": (1, 224, 224, 3), "dtype": "float32"}]}, "inputs"),
        ({"inputs": [{"name": "x", "shape": (1, 96, 96, 3), "dtype": "uint8"}]}, "inputs"),
        ({"inputs": [spec().inputs[0].model_dump()] * 2}, "inputs"),
        ({"preprocessing": {"height": 96, "width": 96}}, "inputs"),
        ({"labels": ("lesion", "no_skin", "unclear", "fine")}, "labels"),
        ({"labels": ("poor_quality",)}, "labels"),
        ({"labels": ("lesion", "poor_quality")}, "output quality"),
        ({"reasons": (), "thresholds": {}, "hints": {}}, "reasons"),
        ({"reasons": ("a",), "thresholds": {"a": 0.5}, "hints": {"a": ""}}, "output explanations"),
        ({"outputs": _reshape(0, name="other")}, "output quality"),
        ({"outputs": _reshape(1, shape=(1, 6))}, "output explanations"),
        ({"outputs": _reshape(2, shape=(1, 5, 49))}, "output attention"),
        ({"outputs": _reshape(2, shape=(1, 5, 0, 7))}, "output attention"),
        ({"outputs": _reshape(0, dtype="uint8")}, "output quality"),
        ({"outputs": _reshape(1, name="quality")}, "outputs"),
    ],
)
def test_a_valid_spec_of_another_shape_is_refused_by_name(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ArtifactError, match="cannot judge photos") as caught:
        refuse_undecidable(_change(**changes), spec().outputs, FILE)
    assert str(caught.value.where).startswith(f"{FILE}: {place}")


def test_what_the_file_declares_is_held_to_its_spec() -> None:
    for outputs in (spec().outputs[:2], (*spec().outputs[:2], spec().outputs[2].model_copy(update={"shape": (1, 5)}))):
        with pytest.raises(ArtifactError, match="cannot judge photos") as caught:
            refuse_undecidable(spec(), outputs, FILE)
        assert "output attention of the file" in str(caught.value.where)


@pytest.mark.parametrize("field", ["labels", "reasons"])
def test_a_name_that_is_there_twice_is_no_spec(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} names one twice"):
        _change(**{field: (*getattr(spec(), field), getattr(spec(), field)[0])})
