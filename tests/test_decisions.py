"""What a verdict needs of a model is checked once, when its file is opened."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageqx_export.artifact import ModelSpec
from imageqx_export.decisions import (
    apply_thresholds,
    count_votes,
    decide_good,
    decide_output,
    find_bad_regions,
    measure_margins,
    rank_reasons,
    refuse_undecidable,
)
from imageqx_export.errors import ArtifactError
from imageqx_export.networks.imageqx.spec import spec
from tests.binary_spec import binary_spec

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
    with pytest.raises(ArtifactError, match="cannot assess photos") as caught:
        refuse_undecidable(_change(**changes), spec().outputs, FILE)
    assert str(caught.value.where).startswith(f"{FILE}: {place}")


def test_what_the_file_declares_is_held_to_its_spec() -> None:
    for outputs in (spec().outputs[:2], (*spec().outputs[:2], spec().outputs[2].model_copy(update={"shape": (1, 5)}))):
        with pytest.raises(ArtifactError, match="cannot assess photos") as caught:
            refuse_undecidable(spec(), outputs, FILE)
        assert "output attention of the file" in str(caught.value.where)


@pytest.mark.parametrize("field", ["labels", "reasons"])
def test_a_name_that_is_there_twice_is_no_spec(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} names one twice"):
        _change(**{field: (*getattr(spec(), field), getattr(spec(), field)[0])})


def test_a_binary_spec_decides_at_its_threshold_as_float32() -> None:
    threshold = float(np.float32(0.6))
    good = np.array([[threshold], [np.nextafter(np.float32(0.6), 0)], [1.0]], np.float32)
    assert decide_good(good, binary_spec()).tolist() == [True, False, True]
    regions = np.array([[0.5, 0.49], [0.0, 1.0]], np.float32)
    assert find_bad_regions(regions, binary_spec()).tolist() == [[False, True], [True, False]]
    assert count_votes(np.array([[0.9, 0.6, 0.2], [0.1, 0.0, 0.0]], np.float32)).tolist() == [2, 0]


def test_each_output_decides_what_its_kind_of_spec_says() -> None:
    one, two = np.full((1, 4), 0.25, np.float32), np.full((1, 2), 0.7, np.float32)
    assert decide_output("quality", one, spec()) is not None and decide_output("attention", one, spec()) is None
    assert decide_output("quality", one, binary_spec()) is None and decide_output("ranks", one, binary_spec()) is None
    decided = decide_output("regions", two, binary_spec())
    assert decided is not None and decided.tolist() == [[False, False]]
    np.testing.assert_allclose(measure_margins("regions", two, two, binary_spec()), [[0.2, 0.2]], atol=1e-6)
    np.testing.assert_allclose(measure_margins("good", two[:, :1], two[:, :1], binary_spec()), [0.1], atol=1e-6)
    with pytest.raises(ValueError, match="no binary decision"):
        decide_good(two[:, :1], spec())


def test_a_binary_spec_can_judge_and_its_file_is_held_to_it() -> None:
    own = binary_spec()
    refuse_undecidable(own, own.outputs, FILE)
    for wrong in (own.outputs[:2], (*own.outputs[:2], own.outputs[2].model_copy(update={"shape": (1, 3)}))):
        with pytest.raises(ArtifactError, match="cannot assess photos") as caught:
            refuse_undecidable(own, wrong, FILE)
        assert "output regions of the file" in str(caught.value.where)


def test_a_clinics_thresholds_are_of_the_models_kind(tmp_path: Path) -> None:
    def write(text: str) -> Path:
        (tmp_path / "clinic.json").write_text(text)
        return tmp_path / "clinic.json"

    both = apply_thresholds(binary_spec(), write('{"schema_version": 2, "good": 0.9, "regions": 0.1}'))
    assert both.binary is not None and both.binary.regions is not None
    assert (both.binary.threshold, both.binary.regions.threshold) == (0.9, 0.1)
    part = apply_thresholds(binary_spec(), write('{"schema_version": 2, "regions": 0.1}')).binary
    assert part is not None and part.threshold == 0.6
    for model, text in (
        (spec(), '{"schema_version": 2, "good": 0.9}'),
        (binary_spec(), '{"schema_version": 1, "poor_quality": 0.9}'),
    ):
        with pytest.raises(ArtifactError, match="another kind of model"):
            apply_thresholds(model, write(text))


def test_reasons_are_ordered_by_how_far_they_exceed_their_thresholds() -> None:
    """The first hint is of the reason that most exceeds its threshold, as a share of the way to 1."""
    thresholds = {"bad_framing": 0.2, "bad_light": 0.5, "blurry": 0.7, "low_resolution": 0.2, "too_far_away": 1.0}
    model = spec().model_copy(update={"thresholds": thresholds})
    rows = np.array([[0.1, 0.9, 0.97, 0.3, 0.5], [0.6, 0.6, 0.6, 0.6, 0.6], [0.2, 0.5, 0.7, 0.2, 0.0]], np.float32)
    ranked = rank_reasons(rows, model)
    names = [[model.reasons[k] for k in row] for row in ranked]
    # 0.9 of 0.5 to 1 is 0.8 of the way, 0.97 of 0.7 to 1 is 0.9, 0.3 of 0.2 to 1 is an eighth.
    assert names[0][:4] == ["blurry", "bad_light", "low_resolution", "bad_framing"]
    assert names[1][:2] == ["bad_framing", "low_resolution"] and names[1][-1] == "too_far_away"
    assert names[2][-1] == "too_far_away"
    assert ranked.shape == (3, 5) and (np.sort(ranked, 1) == np.arange(5)).all()
