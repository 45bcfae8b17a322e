"""The ModelSpec's two versions and two kinds of answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from imageqx_export.artifact import ModelSpec, Thresholds
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.networks.imageqx.spec import spec
from tests.binary_spec import binary_spec

# What version 1.0 of the program wrote into its artifacts, byte for byte.
VERSION1 = Path(__file__).with_name("model_spec_version1.json")


def change(**changes: Any) -> dict[str, Any]:
    """Return the fields of a binary spec with others in its decision."""
    fields = binary_spec().model_dump()
    fields["binary"] |= changes
    return fields


def test_a_spec_of_version_1_is_read_and_written_as_version_2() -> None:
    text = VERSION1.read_text()
    assert not {"schema_version", "binary"} & set(json.loads(text))
    read = ModelSpec.model_validate_json(text)
    assert read == spec() and read.preprocessing.resize_order == "horizontal-first"
    assert read.labels == ("lesion", "no_skin", "healthy_skin", "poor_quality") and read.binary is None
    written = json.loads(read.model_dump_json())
    assert written["schema_version"] == 2 and ModelSpec.model_validate(written) == read
    assert ModelSpec.model_validate(json.loads(text) | {"schema_version": 1}) == read


@pytest.mark.parametrize("version", [0, 3, "2.0", None, True, 1.5])
def test_a_version_that_is_not_known_is_refused_in_one_sentence(version: object) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate(spec().model_dump() | {"schema_version": version})
    assert len(caught.value.errors()) == 1
    message = caught.value.errors()[0]["msg"]
    assert f"schema_version {version}" in message and "1 and 2" in message and "\n" not in message


def test_the_shipped_checkpoints_spec_is_of_version_1_and_still_the_networks() -> None:
    checkpoint, network = load_checkpoint(Path("models/imageqx.safetensors"))
    assert checkpoint.spec.schema_version == 2 and checkpoint.spec.preprocessing == network.spec.preprocessing


def test_a_binary_spec_survives_its_own_json() -> None:
    own = binary_spec()
    assert ModelSpec.model_validate_json(own.model_dump_json()) == own
    assert own.binary is not None
    assert own.binary.list_outputs() == {"good": (1, 1), "ranks": (1, 3), "regions": (1, 2)}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (spec().model_dump() | {"binary": binary_spec().model_dump()["binary"]}, "either labels or a binary decision"),
        (spec().model_dump() | {"labels": ()}, "got neither"),
        (change(output="other"), "binary reads other of shape [1, 1], got no output"),
        (change(output="ranks"), "read one output"),
        (change(threshold=1.5), "less than or equal to 1"),
        (change(ranks={"output": "ranks", "raters": 4, "good_when_at_least": 2}), "binary reads ranks of shape [1, 4]"),
        (change(ranks={"output": "ranks", "raters": 3, "good_when_at_least": 4}), "4 of 3 raters"),
        (change(ranks={"output": "ranks", "raters": 3, "good_when_at_least": 0}), "greater than or equal to 1"),
        (change(regions={"output": "regions", "threshold": 0.5, "parts": []}), "at least 1"),
        (binary_spec().model_dump() | {"poor_quality_threshold": 0.5}, "belong to labels"),
        (binary_spec().model_dump() | {"reasons": ["a"], "thresholds": {"a": 0.5}, "hints": {"a": ""}}, "belong to"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate(fields)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ({"left": 0.6, "width": 0.5}, "leaves the frame"),
        ({"top": -0.1}, "greater than or equal to 0"),
        ({"height": 0.0}, "greater than 0"),
        ({"name": "right"}, "name one twice"),
    ],
)
def test_a_region_lies_in_the_frame_and_has_a_name_of_its_own(box: dict[str, Any], words: str) -> None:
    fields = binary_spec().model_dump()
    fields["binary"]["regions"]["parts"] = [
        fields["binary"]["regions"]["parts"][0] | box,
        fields["binary"]["regions"]["parts"][1],
    ]
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate(fields)
    assert words in str(caught.value)


def test_thresholds_of_version_1_have_no_binary_one() -> None:
    assert Thresholds(schema_version=2, good=0.3, regions=0.2).good == 0.3
    assert Thresholds(schema_version=1, poor_quality=0.3).good is None
    with pytest.raises(ValidationError, match="of schema_version 2"):
        Thresholds(schema_version=1, good=0.3)
